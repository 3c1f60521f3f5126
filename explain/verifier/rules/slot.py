"""Slot grammar: only known slots, each required one exactly once."""

from __future__ import annotations

import re
from types import MappingProxyType

from explain.tables import SLOT
from explain.verifier.candidate import MARKS, Candidate
from explain.verifier.claims import read_claims
from explain.verifier.subjects import Subject

_INSIDE = re.compile(rf"[\w'’-][{MARKS}]|[{MARKS}][\w'’{MARKS}-]")
_PLACE = re.compile(r"([^\W\d_]+)?\W*\{([a-z][a-z0-9_]*)\}")


_MARK = re.compile(f"[{MARKS}]")
_ITS_OWN = re.compile(r"\bof\s*$", re.IGNORECASE)
_NEXT_TO = re.compile(r"^\W*(?:(?:now|at|is|was|reading)\W+)*$", re.IGNORECASE)
_PRESSURES = frozenset({"blood_pressure", "mean_pressure", "pulse_pressure"})
OF = MappingProxyType(
    {
        "heart_rate": frozenset({"heart_rate", "resting_heart_rate"}),
        "blood_pressure": _PRESSURES,
        "blood_pressure_mmhg": _PRESSURES,
        "average_blood_pressure": _PRESSURES,
        "average_blood_pressure_mmhg": _PRESSURES,
        "pulse_pressure": frozenset({"pulse_pressure"}),
        "mean_arterial_pressure": frozenset({"mean_pressure"}),
        "shock_index": frozenset({"shock_index"}),
        "score": frozenset({"score"}),
        "spo2": frozenset({"oxygen"}),
        "respiratory_rate": frozenset({"breathing"}),
        "temperature": frozenset({"temperature"}),
    }
)
"""Slot → the topics whose value it is. ``value``, ``limit`` and the like are the kind's own."""
_SYSTOLIC = frozenset({"blood_pressure", "blood_pressure_mmhg"})
_DERIVED = frozenset({"pulse_pressure", "mean_arterial_pressure"})
_OWN_FIRST = re.compile(r"\b(?:pulse|mean|map)\b", re.IGNORECASE)
_LEADS = frozenset({"value", "limit", "extreme", "usual_range"})


def malformed(candidate: Candidate) -> bool:
    """A brace that is no slot's: ``{x.__class__}``, ``{}``, a lone ``}``; a slot inside a word."""
    rest = SLOT.sub("", candidate.text)
    return "{" in rest or "}" in rest or _INSIDE.search(candidate.bare) is not None


def unknown(candidate: Candidate) -> bool:
    """A slot that this text may not use, or that this event cannot fill."""
    allowed = candidate.required & set(candidate.facts.slots)
    return any(slot not in allowed for slot in candidate.slots)


def missing(candidate: Candidate) -> bool:
    """A required slot that is not there."""
    return not candidate.required.issubset(candidate.slots)


def repeated(candidate: Candidate) -> bool:
    """A slot that stands there more than once."""
    return len(candidate.slots) != len(set(candidate.slots))


def misplaced(candidate: Candidate) -> bool:
    """A span of time where a quantity should stand, or the reverse: "high for {heart_rate}"."""
    words = candidate.lexicon
    for match in _PLACE.finditer(candidate.text):
        before, slot = (match[1] or "").lower(), match[2]
        if slot in words.places:
            if before not in words.places[slot] and not _spans(
                candidate, slot, before=before, end=match.end()
            ):
                return True
        elif before in words.quantity_never:
            return True
    return candidate.part != "message" and _next_to_another_subject(candidate)


def _spans(candidate: Candidate, slot: str, before: str, end: int) -> bool:
    """Whether the words after it make it a duration, or it is terse text for the care team."""
    if slot != "duration":
        return False
    if candidate.lexicon.duration_after.match(candidate.text, end + 1):
        return True
    terse = candidate.facts.audience == "care_team"
    return terse and before in candidate.lexicon.duration_terse


def _next_to_another_subject(candidate: Candidate) -> bool:
    """A value next to another subject: "your heart rate is high, at {blood_pressure}"."""
    slots = iter(candidate.slots)
    lead = candidate.lexicon.kinds[candidate.facts.kind]
    for sentence, named in read_claims(candidate).named:
        for mark in _MARK.finditer(sentence):
            slot = next(slots, "")
            wanted = lead.topics if slot in _LEADS else OF.get(slot)
            later = candidate.slots[candidate.slots.index(slot) :] if slot in _SYSTOLIC else []
            if _DERIVED & {*later} and _OWN_FIRST.search(sentence, 0, mark.start()):
                wanted = frozenset({"blood_pressure"})  # what is named already has its own later
            if (
                wanted
                and named
                and not _fits(candidate, sentence, at=mark.start(), named=named, wanted=wanted)
            ):
                return True
    return False


def _fits(
    candidate: Candidate, sentence: str, at: int, named: tuple[Subject, ...], wanted: frozenset[str]
) -> bool:
    """Whether the subject of a place is one of those wanted.

    That is the last one before it in its clause; else the last before it in the sentence, or the
    next in its clause.
    """
    breaks = [match.start() for match in candidate.lexicon.breaks.finditer(sentence)]
    start = max((place for place in breaks if place < at), default=-1)
    end = min((place for place in breaks if place > at), default=len(sentence))
    before = [subject for subject in named if subject.end <= at]
    clause = [subject for subject in before if subject.start >= start]
    after = [subject for subject in named if at < subject.start < end]
    if clause and _ITS_OWN.search(sentence, 0, at):
        return bool(clause[-1].together & wanted)
    if before and _NEXT_TO.match(sentence[before[-1].end : at]):
        return bool(before[-1].together & wanted)
    upright = [subject for subject in clause or before if not subject.oblique]
    possible = (*clause[-1:], *upright[-1:], *(() if clause else after[:1]))
    return any(subject.together & wanted for subject in possible or named)
