"""Context: activity, time and duration appear only as in the facts."""

from __future__ import annotations

from explain import tables
from explain.facts.extraction import SPAN_SLOTS
from explain.verifier.candidate import Candidate


def context(candidate: Candidate) -> bool:
    """Resting, asleep or active, where the facts have another activity or none."""
    words, facts = candidate.lexicon, candidate.facts
    if candidate.part == "message" and facts.announcement in tables.ENDS:
        return False
    allowed = {facts.activity}
    if facts.kind in words.context_free:
        allowed |= {"rest", "asleep"}
    text = candidate.bare
    if candidate.part == "message":
        text = words.context_advised.sub(" ", text)
    for match in words.context.finditer(text):
        denied = words.context_negated.search(text, 0, match.start()) is not None
        if denied or match.lastgroup not in allowed:
            return True
    return False


def time(candidate: Candidate) -> bool:
    """A time of day or a span that no slot gives, in the sentence on what we saw."""
    words, text = candidate.lexicon, candidate.bare
    if candidate.part == "message":
        return False
    if candidate.facts.kind in words.judged_over_days:
        text = words.times_of_days.sub(" ", text)
    return words.times.search(text) is not None


def duration_unobserved(candidate: Candidate) -> bool:
    """A duration, by a slot or in words, of what was not observed all along.

    Two readings show two moments. That the finding lasted in between is a claim that the facts
    bear only where readings stand close enough; what does not may be counted ("in 2 of 2
    readings") and dated.
    """
    if candidate.facts.duration_observed:
        return False
    if not SPAN_SLOTS.isdisjoint(candidate.slots):
        return True
    return candidate.lexicon.durations.search(candidate.bare) is not None
