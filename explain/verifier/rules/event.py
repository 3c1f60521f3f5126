"""Events: each finding is named and asserted, and no other is."""

from __future__ import annotations

import re

from explain import tables
from explain.verifier.candidate import MARKS, Candidate
from explain.verifier.claims import Claim, read_claims
from explain.verifier.findings import (
    Finding,
    belongs,
    claims_of,
    findings,
    known_topics,
)
from explain.verifier.lexicon import topic_of

_ITS_VALUE = re.compile(
    rf"\s*(?:(?:of|at|is|was|now|reading|level|:|,|\()\s*){{0,3}}[{MARKS}]", re.IGNORECASE
)


def event_unnamed(candidate: Candidate) -> bool:
    """A finding is not named or, while it lasts, not asserted."""
    facts = candidate.facts
    if facts.announcement in tables.ENDS and candidate.part != "title":
        return False
    return any(
        not is_named(candidate, finding)
        or (facts.phase != "closed" and not _asserted(candidate, finding))
        for finding in findings(candidate)
    )


def is_named(candidate: Candidate, finding: Finding) -> bool:
    """Whether a text names what a finding is about, and what that is measured against."""
    row, text = finding.row, candidate.bare
    if not any(topic_of(match) in row.topics for match in row.subjects.finditer(text)):
        return False
    return row.reference is None or row.reference.search(text) is not None


def _asserted(candidate: Candidate, finding: Finding) -> bool:
    found = claims_of(candidate, finding)
    if any(asserts(claim, finding.direction) for claim in found):
        return True
    # "Has not come down yet": what was announced before still lasts.
    again = candidate.facts.announcement == "updated"
    return again and any(claim.negated and goes_back(claim, finding.direction) for claim in found)


def goes_back(claim: Claim, direction: str) -> bool:
    """Speaks of the way back: "returned", or a move the other way."""
    return claim.what == "end" or (claim.move and claim.side != direction)


def asserts(claim: Claim, direction: str) -> bool:
    """Says that the finding is there."""
    return not claim.negated and (claim.what == "condition" or claim.side == direction)


def event_unknown(candidate: Candidate) -> bool:
    """Something is claimed of what the facts do not have: another vital sign, or the device."""
    return _claimed(candidate) or _spoken_of(candidate) or _elsewhere(candidate)


def _claimed(candidate: Candidate) -> bool:
    """A direction or a condition of another subject."""
    expected = findings(candidate)
    allowed = frozenset().union(*(finding.row.topics for finding in expected))
    for claim in read_claims(candidate).claims:
        ours = [finding for finding in expected if belongs(claim, finding)]
        if claim.about and not ours:
            return True
        if claim.side and not claim.own and claim.about - allowed:
            return True
    return False


def _spoken_of(candidate: Candidate) -> bool:
    """In the sentence on what we saw, another vital sign is named, and not for its value alone."""
    if candidate.part == "message":
        return False
    known, text = known_topics(candidate), candidate.plain
    return any(
        topic_of(match) not in known and not _ITS_VALUE.match(text, match.end())
        for match in candidate.lexicon.vitals.finditer(text)
    )


def _elsewhere(candidate: Candidate) -> bool:
    """In the sentence on what we saw, words that are another kind of finding's."""
    if candidate.part == "message":
        return False
    facts, text = candidate.facts, candidate.plain
    about = known_topics(candidate) | {facts.category, facts.kind}
    for finding in findings(candidate):
        text = finding.row.words.sub(" ", text)
    return any(
        words.search(text) is not None
        for where, words in candidate.lexicon.elsewhere.items()
        if where in about
    )
