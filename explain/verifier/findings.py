"""The findings that a text has to tell, and which of them each of its claims is about."""

from __future__ import annotations

from typing import NamedTuple

from explain.verifier.candidate import Candidate
from explain.verifier.claims import Claim, read
from explain.verifier.lexicon import Row


class Finding(NamedTuple):
    """One finding of the facts: the one that the event is about, or the one told with it."""

    kind: str
    direction: str
    row: Row


def findings(candidate: Candidate) -> tuple[Finding, ...]:
    """The leading finding, then what else is told with it (never in a title)."""
    facts, kinds = candidate.facts, candidate.lexicon.kinds
    told = [Finding(facts.kind, facts.direction, kinds[facts.kind])]
    if facts.also and candidate.part != "title":
        kind, _, direction = facts.also.partition(".")
        told.append(Finding(kind, direction, kinds[kind]))
    return tuple(told)


def belongs(claim: Claim, finding: Finding) -> bool:
    """Whether a claim speaks of a finding."""
    row = finding.row
    if claim.about & row.topics:
        return True
    loose = claim.own or claim.what in {"end", "span"}
    return loose and bool(claim.about & row.spoken)


def claims_of(candidate: Candidate, finding: Finding) -> list[Claim]:
    """What a text claims of a finding; what it claims of nothing named is about the leading one."""
    leads = finding.kind == candidate.facts.kind
    return [
        claim
        for claim in read(candidate).claims
        if belongs(claim, finding) or (leads and not claim.about)
    ]


def known_topics(candidate: Candidate) -> frozenset[str]:
    """All that a text on these facts may speak of."""
    rows = [finding.row for finding in findings(candidate)]
    return frozenset().union(*(row.topics | row.spoken for row in rows))
