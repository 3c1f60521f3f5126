"""Events for the evaluation: every kind, direction and announcement, with possible figures.

All are made from a seed, so a report can be repeated; nothing here is anybody's measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from explain import tables
from explain.tables import Direction
from vigil.domain import ids
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, Category, Priority
from vigil.domain.reading import WITHDRAWAL_LABELS, Activity, Context

START = datetime(2026, 11, 16, tzinfo=UTC)
VERSION = "evaluation"


@dataclass(frozen=True, slots=True)
class Situation:
    """How an event is announced."""

    phase: Phase
    late: bool = False
    reason: str = ""


SITUATIONS = (
    Situation("opened"),
    Situation("updated"),
    Situation("opened", late=True),
    Situation("closed"),
    Situation("closed", late=True),
    Situation("closed", reason="rule_withdrawn"),
    Situation("closed", reason="gone"),
    Situation("closed", reason="unobserved"),
    Situation("closed", reason="reading_withdrawn"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a kind judges: the signal, and what it measures when above or below."""

    signal: str
    above: tuple[float, float]
    below: tuple[float, float]
    limits: tuple[float, float]
    """Of a finding above and of one below."""


_HEART = Judged(signal="heart_rate", above=(111, 178), below=(32, 49), limits=(110, 50))
_PRESSURE = Judged(signal="systolic", above=(181, 225), below=(70, 89), limits=(180, 90))
JUDGED: dict[str, Judged] = {
    "heart_rate_high": _HEART,
    "heart_rate_low": _HEART,
    "heart_rate_unusual": Judged(
        signal="heart_rate", above=(88, 109), below=(44, 55), limits=(86, 56)
    ),
    "resting_heart_rate_raised": Judged(
        signal="heart_rate", above=(66, 84), below=(44, 50), limits=(65, 50)
    ),
    "heart_rate_irregular": _HEART,
    "blood_pressure_high": _PRESSURE,
    "blood_pressure_low": _PRESSURE,
    "blood_pressure_unusual": Judged(
        signal="systolic", above=(150, 175), below=(92, 104), limits=(148, 106)
    ),
    "blood_pressure_raised_over_days": Judged(
        signal="systolic", above=(136, 158), below=(92, 104), limits=(135, 106)
    ),
    "pulse_pressure_abnormal": Judged(
        signal="pulse_pressure", above=(62, 110), below=(12, 24), limits=(60, 25)
    ),
    "mean_arterial_pressure_low": Judged(
        signal="mean_arterial_pressure", above=(110, 130), below=(45, 64), limits=(110, 65)
    ),
    "shock_index_high": Judged(
        signal="shock_index", above=(0.91, 1.6), below=(0.3, 0.4), limits=(0.9, 0.4)
    ),
    "early_warning_score": Judged(signal="score", above=(5, 14), below=(0, 1), limits=(5, 1)),
}


def all_blocks() -> list[tuple[str, Direction]]:
    """Every kind and direction that the tables know, in their order."""
    return list(tables.audience("en", "patient").blocks)


def make_event(
    number: int,
    kind: str,
    direction: Direction,
    situation: Situation,
    priority: Priority,
    activity: Activity,
    seed: int,
    observed: bool = True,
) -> Event:
    """One event; the number and the seed settle its figures and times.

    Args:
        observed: whether its readings stand close enough to bear a duration.
    """
    random = Random(f"{seed}/{number}")
    named, _ = tables.rows_of_reasons().get(kind, (kind, ""))
    onset = START + timedelta(minutes=random.randrange(4 * 1440))
    lengths = (1, 5, 11, 38, 74, 100, 190, 900, 3000) if observed else (62, 180, 900, 84_960)
    length = timedelta(minutes=random.choice(lengths))
    patient = f"evaluation-{number}"
    return Event(
        episode_id=ids.episode_id(patient, named, onset),
        patient_id=patient,
        kind=named,
        category=category_of(kind),
        phase=situation.phase,
        sequence={"opened": 0, "updated": 1, "closed": 2}[situation.phase],
        priority=priority,
        onset=onset,
        detected_at=onset + length,
        ended_at=onset + length if situation.phase == "closed" else None,
        retrospective=situation.late,
        signals=KINDS[named].signals if named in KINDS else (),
        evidence=_evidence(random, kind, direction=direction, situation=situation, length=length)
        | (_counts(random, length, observed) if category_of(kind) == "clinical" else {}),
        context=Context(activity),
        detector_version=VERSION,
        config_hash=VERSION,
    )


def category_of(kind: str) -> Category:
    """The category of a row of the tables."""
    known = KINDS.get(kind)
    if known is not None:
        return known.category
    technical = kind.endswith("technical") or kind in tables.rows_of_reasons()
    return "technical" if technical else "clinical"


def _evidence(
    random: Random, kind: str, direction: Direction, situation: Situation, length: timedelta
) -> dict[str, Any]:
    evidence: dict[str, Any] = {"samples": random.randint(2, 90)}
    judged = JUDGED.get(kind)
    if judged is not None and category_of(kind) == "clinical":
        evidence |= _measured(random, judged, direction)
    evidence["duration_seconds"] = length.total_seconds()
    if situation.reason:
        evidence["reason"] = situation.reason
        if situation.reason == "reading_withdrawn":
            evidence["withdrawal"] = {"reason": random.choice(list(WITHDRAWAL_LABELS))}
    elif category_of(kind) == "technical":
        evidence["reason"] = random.choice(("out_of_range", "systolic_not_above_diastolic", ""))
        if kind == "device_clock":
            offset = random.choice((18_001.0, -18_000.0, 960.0, -19_800.0, 400 * 86_400.0))
            evidence |= {"reason": "constant_offset", "offset_seconds": offset}
        evidence |= _doubted(random, kind)
    return evidence


def _doubted(random: Random, row: str) -> dict[str, Any]:
    """What a technical finding states of a value that it only doubts, with its reason."""
    if row not in tables.rows_of_reasons():
        return {}
    evidence: dict[str, Any] = {"reason": tables.rows_of_reasons()[row][1]}
    if row == "pressure_far_from_recent":
        evidence |= {"signal": "systolic", "value": random.choice((72.0, 190.0))}
    return evidence


def _counts(random: Random, length: timedelta, observed: bool) -> dict[str, Any]:
    """How many readings a clinical finding rests on, and how far apart they stand."""
    seconds = length.total_seconds()
    samples = random.randint(3, 90) if observed else random.randint(1, 4)
    return {
        "samples": samples,
        "readings_beyond": random.randint(1, samples),
        "longest_gap_seconds": min(seconds, 600.0) if observed else seconds,
        "duration_observed": observed,
    }


def _measured(random: Random, judged: Judged, direction: Direction) -> dict[str, Any]:
    """Values on the side of the finding; for no side, the value is the usual one."""
    below = direction == "below"
    low, high = judged.below if below else judged.above
    value = round(random.uniform(low, high), 2)
    limit = judged.limits[below]
    evidence: dict[str, Any] = {
        "signal": judged.signal,
        "value": value,
        "extreme": min(value, low) if below else max(value, high),
        "limit": limit,
        "values": _values(random, judged.signal, value=value, below=below),
        "baseline": {"low": 52.0, "high": 71.0, "median": 61.0, "confidence": 1.0},
    }
    if direction == "none":
        del evidence["extreme"], evidence["limit"]
        evidence["baseline"] |= {"median": value}
    else:
        evidence["direction"] = direction
    if judged.signal == "systolic":
        evidence["baseline"] = {"low": 108.0, "high": 131.0, "median": 119.0, "confidence": 1.0}
        evidence["average"] = {"systolic": value, "diastolic": round(value * 0.62, 1)}
    if judged.signal not in {"heart_rate", "systolic"}:
        del evidence["baseline"]
    return evidence


def _values(random: Random, signal: str, value: float, below: bool) -> dict[str, float]:
    values = {"heart_rate": round(random.uniform(58, 96), 1)}
    systolic = round(random.uniform(108, 138), 1)
    if signal == "heart_rate":
        values["heart_rate"] = value
    elif signal == "systolic":
        systolic = value
    elif signal == "pulse_pressure":
        return {**values, "systolic": systolic, "diastolic": systolic - value}
    if below and signal == "mean_arterial_pressure":
        systolic = 82.0
    return {**values, "systolic": systolic, "diastolic": round(systolic * 0.62, 1)}
