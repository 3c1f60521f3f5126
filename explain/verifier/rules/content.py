"""Content: what no text may hold, and what one part of it leaves to another."""

from __future__ import annotations

import re
from collections.abc import Callable

from explain import tables
from explain.verifier.candidate import Candidate

_CAPITAL = re.compile(r"(?<![\w'’-])[A-Z][\w'’]*")
_CALLED = re.compile(r"\W*([^\W\d_]+),")
_OPENING = re.compile(r"(?:^|[.!?:]\s+)\W*$")


def forbidden(what: str) -> Callable[[Candidate], bool]:
    """The rule that refuses a list of the lexicon's ``[forbidden]``."""

    def rule(candidate: Candidate) -> bool:
        return candidate.lexicon.forbidden[what].search(candidate.plain) is not None

    return rule


def advice(candidate: Candidate) -> bool:
    """What to do, in the sentence on what we saw: that is the action table's, word for word."""
    found = candidate.lexicon.forbidden["advice"].search(candidate.bare)
    return candidate.part == "seen" and found is not None


def doubt(candidate: Candidate) -> bool:
    """May, might, if, will: what we saw is certain, or it is left out."""
    return (
        candidate.part != "message" and candidate.lexicon.doubt.search(candidate.bare) is not None
    )


def question(candidate: Candidate) -> bool:
    """A question in place of a statement."""
    return "?" in candidate.text


def degree(candidate: Candidate) -> bool:
    """Slightly, very: a degree is expressed by a slot."""
    found = candidate.lexicon.degree.search(candidate.plain)
    return candidate.part != "message" and found is not None


def audience(candidate: Candidate) -> bool:
    """Words that address or mean another person than the reader; or a terse style for a patient."""
    words, facts = candidate.lexicon.audiences, candidate.facts
    other = "care_team" if facts.audience == "patient" else "patient"
    if words[other].search(candidate.bare) is not None:
        return True
    spoken_to = facts.audience == "patient" and facts.category == "clinical"
    return (
        spoken_to
        and candidate.part == "seen"
        and facts.announcement not in tables.ENDS
        and not any(words[way].search(candidate.bare) for way in ("patient", "whole"))
    )


def name(candidate: Candidate) -> bool:
    """A capital inside a sentence, or a single word that calls somebody before a comma."""
    called = _CALLED.match(candidate.bare)
    if called and called[1].lower() not in candidate.lexicon.openers:
        return True
    for match in _CAPITAL.finditer(candidate.bare):
        opening = _OPENING.search(candidate.bare, 0, match.start())
        if not opening and match[0] not in candidate.lexicon.capitals:
            return True
    return False
