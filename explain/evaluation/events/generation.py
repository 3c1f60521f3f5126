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
from vigil.domain.reading import Activity, Context

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
) -> Event:
    """One event; the number and the seed settle its figures and times."""
    random = Random(f"{seed}/{number}")
    row = KINDS.get(kind)
    onset = START + timedelta(minutes=random.randrange(4 * 1440))
    length = timedelta(minutes=random.choice((1, 5, 11, 38, 74, 100, 190, 900, 3000)))
    patient = f"evaluation-{number}"
    return Event(
        episode_id=ids.episode_id(patient, kind, onset),
        patient_id=patient,
        kind=kind,
        category=_category(kind),
        phase=situation.phase,
        sequence={"opened": 0, "updated": 1, "closed": 2}[situation.phase],
        priority=priority,
        onset=onset,
        detected_at=onset + length,
        ended_at=onset + length if situation.phase == "closed" else None,
        retrospective=situation.late,
        signals=row.signals if row else (),
        evidence=_evidence(random, kind, direction=direction, situation=situation, length=length),
        context=Context(activity),
        detector_version=VERSION,
        config_hash=VERSION,
    )


def _category(kind: str) -> Category:
    known = KINDS.get(kind)
    if known is not None:
        return known.category
    return "technical" if kind.endswith("technical") else "clinical"


def _evidence(
    random: Random, kind: str, direction: Direction, situation: Situation, length: timedelta
) -> dict[str, Any]:
    evidence: dict[str, Any] = {"samples": random.randint(2, 90)}
    judged = JUDGED.get(kind)
    if judged is not None and _category(kind) == "clinical":
        evidence |= _measured(random, judged, direction)
    evidence["duration_seconds"] = length.total_seconds()
    if situation.reason:
        evidence["reason"] = situation.reason
    elif _category(kind) == "technical":
        evidence["reason"] = random.choice(("stuck", "out_of_range", "motion"))
    return evidence


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
