"""The findings that a text must express, and which of them each of its claims is about."""

from __future__ import annotations

from dataclasses import dataclass

from explain.verifier.candidate import Candidate
from explain.verifier.claims import Claim, read_claims
from explain.verifier.lexicon import Row


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the facts: the one that the event is about, or the further one."""

    kind: str
    direction: str
    row: Row


def findings(candidate: Candidate) -> tuple[Finding, ...]:
    """The leading finding, then the further one (never in a title)."""
    facts, kinds = candidate.facts, candidate.lexicon.kinds
    found = [Finding(facts.kind, facts.direction, kinds[facts.kind])]
    if facts.also and candidate.part != "title":
        kind, _, direction = facts.also.partition(".")
        found.append(Finding(kind, direction, kinds[kind]))
    return tuple(found)


def belongs(claim: Claim, finding: Finding) -> bool:
    """Whether a claim is about a finding."""
    row = finding.row
    if claim.about & row.topics:
        return True
    loose = claim.own or claim.what in {"end", "span"}
    return loose and bool(claim.about & row.further_topics)


def claims_of(candidate: Candidate, finding: Finding) -> list[Claim]:
    """A text's claims about a finding; a claim without a subject is about the leading one."""
    leads = finding.kind == candidate.facts.kind
    return [
        claim
        for claim in read_claims(candidate).claims
        if belongs(claim, finding) or (leads and not claim.about)
    ]


def known_topics(candidate: Candidate) -> frozenset[str]:
    """All topics that a text on these facts may have."""
    rows = [finding.row for finding in findings(candidate)]
    return frozenset().union(*(row.topics | row.further_topics for row in rows))
