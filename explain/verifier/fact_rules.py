"""Facts: the event is named, and direction, negation and phase agree with it."""

from __future__ import annotations

from explain import tables
from explain.verifier.candidate import Candidate
from explain.verifier.polarity import Mention, mentions


def event_unnamed(candidate: Candidate) -> bool:
    """What was measured is not named, or, while it lasts, the finding itself is not said."""
    facts = candidate.facts
    if facts.telling in tables.ENDS and candidate.part != "title":
        return False
    words = candidate.lexicon
    for named in (words.subjects.get(facts.kind), words.references.get(facts.kind)):
        if named is not None and named.search(candidate.bare) is None:
            return True
    if facts.phase == "closed":
        return False
    return not any(_asserts(mention, facts.direction) for mention in mentions(candidate))


def direction(candidate: Candidate) -> bool:
    """A direction that the facts do not have; on the way back, only moves may point the other way.

    "Sit down" is no direction; "has not returned to usual" is no return.
    """
    facts = candidate.facts
    returning = facts.phase == "closed" and facts.direction != "none"
    return any(
        mention.side not in {"", facts.direction}
        and not mention.negated
        and not (returning and mention.move)
        for mention in mentions(candidate)
    )


def negation(candidate: Candidate) -> bool:
    """The finding denied while it lasts, or its end denied when it is over."""
    facts, found = candidate.facts, mentions(candidate)
    if facts.phase == "closed":
        return any(mention.what == "end" and mention.negated for mention in found)
    if candidate.part != "message" and any(mention.what == "denial" for mention in found):
        return True
    return any(mention.negated and not _back(mention, facts.direction) for mention in found)


def phase(candidate: Candidate) -> bool:
    """An end told of what lasts, or what is over told as lasting, or not told as over."""
    facts, found = candidate.facts, mentions(candidate)
    ends = any(mention.what == "end" and not mention.negated for mention in found)
    if facts.phase != "closed":
        return ends
    if any(_holds(mention, facts.direction) for mention in found):
        return True
    over = ends or any(_over(mention, facts.direction) for mention in found)
    return not over and candidate.part != "title" and facts.telling not in tables.ENDS


def _back(mention: Mention, wanted: str) -> bool:
    """Speaks of the way back: "returned", or a move the other way."""
    return mention.what == "end" or (mention.move and mention.side != wanted)


def _asserts(mention: Mention, wanted: str) -> bool:
    """Says that the finding is there."""
    return not mention.negated and (mention.what == "condition" or mention.side == wanted)


def _holds(mention: Mention, wanted: str) -> bool:
    """Says that the finding is there still, or that it goes on growing."""
    return _asserts(mention, wanted) and (mention.lasting or mention.move)


def _over(mention: Mention, wanted: str) -> bool:
    """Says that the finding is gone: denied, or moved the other way."""
    if mention.negated:
        return mention.what == "condition" or mention.side == wanted
    return mention.move and mention.side != wanted
