"""Facts: direction, negation and phase agree, finding by finding."""

from __future__ import annotations

from explain import tables
from explain.verifier.candidate import Candidate
from explain.verifier.claims import Claim, read_claims
from explain.verifier.findings import claims_of, findings
from explain.verifier.rules.event import asserts, goes_back


def direction(candidate: Candidate) -> bool:
    """A direction that the facts do not have; on the way back, only moves may point the other way.

    "Sit down" is no direction; "has not returned to usual" is no return.
    """
    closed = candidate.facts.phase == "closed"
    for finding in findings(candidate):
        returning = closed and finding.direction != "none"
        for claim in claims_of(candidate, finding):
            if claim.side in {"", finding.direction}:
                continue
            back = returning and claim.move
            if not back and (closed or not claim.negated):  # "no longer low" means that it was low
                return True
    return False


def negation(candidate: Candidate) -> bool:
    """The finding denied while it lasts, or its end denied when it is over."""
    facts = candidate.facts
    if (
        candidate.part != "message"
        and facts.announcement not in tables.ENDS
        and read_claims(candidate).denied
    ):
        return True
    for finding in findings(candidate):
        for claim in claims_of(candidate, finding):
            over = (
                claim.what == "end"
                if facts.phase == "closed"
                else not goes_back(claim, finding.direction)
            )
            never = claim.past and (claim.what == "condition" or claim.side == finding.direction)
            if claim.negated and (over or never):
                return True
    return False


def phase(candidate: Candidate) -> bool:
    """An end claimed of what lasts; or of what is over, that it lasts, or no end."""
    closed = candidate.facts.phase == "closed"
    if closed and _unfinished(candidate):
        return True
    refuses = _not_over if closed else _not_lasting
    return any(
        refuses(candidate, claims_of(candidate, finding), finding.direction)
        for finding in findings(candidate)
    )


def latest_not_beyond(candidate: Candidate) -> bool:
    """The finding worded as lasting, where the latest reading lies within the limits, or none came.

    Two readings beyond a limit and one of 128 over 80 after them are one episode, until a second
    one shows that it is over; the words are "was high" then, and not "still high". The sentence on
    what we saw and the title must say so; nothing beside them may claim the contrary.
    """
    if not candidate.facts.latest:
        return False
    if candidate.lexicon.persisting.search(candidate.bare):
        return True
    lead = findings(candidate)[0]
    asserted = [c for c in claims_of(candidate, lead) if asserts(c, lead.direction)]
    around = candidate.part == "message"
    return any(claim.lasting or not (around or claim.past) for claim in asserted)


def _unfinished(candidate: Candidate) -> bool:
    """An end on its way ("is coming down"); a device's readings may be coming in again."""
    judged = candidate.part != "message" and candidate.facts.category == "clinical"
    return judged and candidate.lexicon.unfinished.search(candidate.plain) is not None


def _not_over(candidate: Candidate, claims: list[Claim], wanted: str) -> bool:
    if _goes_on(claims, wanted):
        return True
    quiet = candidate.part == "title" or candidate.facts.announcement in tables.ENDS
    return not quiet and not any(_over(claim, wanted) for claim in claims)


def _not_lasting(candidate: Candidate, claims: list[Claim], wanted: str) -> bool:
    ended = any(_ended(claim, candidate) for claim in claims)
    return ended or _wrong_tense(candidate, claims, wanted)


def _ended(claim: Claim, candidate: Candidate) -> bool:
    """Whether a claim is an end or a duration; the duration of late data is known."""
    late = candidate.facts.situation == "late"
    return not claim.negated and (claim.what == "end" or (claim.what == "span" and not late))


def _goes_on(claims: list[Claim], wanted: str) -> bool:
    """Whether the claims assert that the finding lasts, or has returned after its end."""
    ended = False
    for claim in claims:
        again = claim.again and not claim.past
        if asserts(claim, wanted) and (
            claim.lasting or again or (claim.move and ended and not claim.past)
        ):
            return True
        ended |= claim.what == "end" and not claim.negated
    return False


def _over(claim: Claim, wanted: str) -> bool:
    """Whether a claim denies the finding now: ended, denied, or moved the other way."""
    if claim.what in {"end", "span"}:
        return not claim.negated
    if claim.negated:
        return claim.what == "condition" or claim.side == wanted
    return claim.move and claim.side != wanted


def _wrong_tense(candidate: Candidate, claims: list[Claim], wanted: str) -> bool:
    """Only "was" of what lasts; or "is" of late data, which may be over."""
    if candidate.part == "message" or candidate.facts.latest:  # see :func:`latest_not_beyond`
        return False
    asserted = [claim for claim in claims if asserts(claim, wanted)]
    if candidate.facts.situation == "late":
        return bool(asserted) and all(claim.lasting for claim in asserted)
    if read_claims(candidate).present or any(c.negated and goes_back(c, wanted) for c in claims):
        return False
    return bool(asserted) and all(claim.past and not claim.lasting for claim in asserted)
