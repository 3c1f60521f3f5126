"""Context: activity and time appear only as in the facts."""

from __future__ import annotations

from explain.verifier.candidate import Candidate


def context(candidate: Candidate) -> bool:
    """Resting, asleep or active, where the facts have another activity or none."""
    words, facts = candidate.lexicon, candidate.facts
    if candidate.part == "message" and facts.announcement in {"withdrawn", "gone"}:
        return False
    allowed = {facts.activity}
    if facts.kind in words.context_free:
        allowed |= {"rest", "asleep"}
    for match in words.context.finditer(candidate.bare):
        denied = words.context_negated.search(candidate.bare, 0, match.start()) is not None
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
