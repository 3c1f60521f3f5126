"""A backtest's result as one plain object: what the terminal, the JSON file and the page show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from msgspec import Struct

from detectors.tuning.backtest import Outcome
from detectors.tuning.intervals import RESAMPLES, SEED, Interval, ratios
from detectors.tuning.labels import Found, Label, score
from detectors.tuning.ledger import Alarm
from detectors.tuning.matching import Matched, match
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.values.sums import total

ALL = "all"
"""Stands for every kind of a category, or every priority."""


class Configuration(Struct, frozen=True):
    """One of the two."""

    name: str
    """The file, or ``defaults``."""
    config_hash: str


class Rate(Struct, frozen=True):
    """Alarms of one kind and priority."""

    category: str
    kind: str
    priority: str
    before: int
    after: int
    before_per_patient_day: float
    after_per_patient_day: float
    difference: float
    """After minus before, alarms per patient-day."""
    interval: Interval | None
    """Of the difference, 95 %, by drawing patients; None with fewer than five of them."""


class Listed(Struct, frozen=True, rename={"announced_at": "told_at"}):
    """One alarm, in a list."""

    patient_id: str
    kind: str
    priority: str
    rule: str
    onset: datetime
    announced_at: datetime
    ended_at: datetime | None
    limit: float | None
    extreme: float | None


class Changed(Struct, frozen=True):
    """An alarm in both runs that is announced otherwise."""

    before: Listed
    after: Listed
    later_seconds: float
    """Negative: earlier."""


class Counted(Struct, frozen=True):
    """What the rates rest on."""

    patients: int
    readings: int
    patient_days: float
    by_hours: int
    """Patients whose patient-days are hours with readings / 24."""
    by_calendar: int
    """Patients whose patient-days are calendar days with readings: see detectors/tuning/days.py."""
    first: datetime
    last: datetime
    retrospective: tuple[int, int]
    """Alarms about late readings, before and after: in no rate and no list, they page nobody."""


class Report(Struct, frozen=True):
    """The whole result. The same data and configurations give the same report."""

    sources: tuple[str, ...]
    before: Configuration
    after: Configuration | None
    counted: Counted
    rates: tuple[Rate, ...]
    same: int
    """Alarms that are announced alike in both."""
    gained: tuple[Listed, ...]
    lost: tuple[Listed, ...]
    changed: tuple[Changed, ...]
    split: tuple[Listed, ...]
    joined: tuple[Listed, ...]
    high_unchanged: bool
    """Whether both announced exactly the same at high priority, byte for byte."""
    found_before: tuple[Found, ...]
    found_after: tuple[Found, ...]
    resamples: int = RESAMPLES
    seed: int = SEED


def make(
    outcome: Outcome,
    before: Configuration,
    after: Configuration | None,
    sources: Sequence[str] = (),
    labels: Mapping[str, Sequence[Label]] | None = None,
) -> Report:
    """Draw up the report of a pass that took at least one reading."""
    days, one, two = outcome.days, outcome.before, outcome.after
    watched = {patient: w.days for patient, w in days.watched().items()}
    first, second = one.alarms(), two.alarms()
    found = match(first, second, days.until)
    scores = (
        ([], [])
        if not labels
        else tuple(
            score(alarms, labels, days=watched, until=days.until) for alarms in (first, second)
        )
    )
    return Report(
        sources=tuple(sources),
        before=before,
        after=after,
        counted=_counted(outcome),
        rates=_rates(first, second, watched),
        same=sum(not pair.changed for pair in found.pairs),
        gained=_listed(found.gained),
        lost=_listed(found.lost),
        changed=_changed(found),
        split=_listed(found.split),
        joined=_listed(found.joined),
        high_unchanged=one.high() == two.high(),
        found_before=tuple(scores[0]),
        found_after=tuple(scores[1]) if after else (),
    )


def listed(alarm: Alarm) -> Listed:
    """An alarm as lists show it."""
    return Listed(
        patient_id=alarm.patient_id,
        kind=alarm.kind,
        priority=alarm.priority,
        rule=alarm.rule,
        onset=alarm.onset,
        announced_at=alarm.announced_at,
        ended_at=alarm.ended_at,
        limit=alarm.limit,
        extreme=alarm.extreme,
    )


def _listed(alarms: Sequence[Alarm]) -> tuple[Listed, ...]:
    return tuple(map(listed, alarms))


def _changed(found: Matched) -> tuple[Changed, ...]:
    return tuple(
        Changed(listed(pair.before), listed(pair.after), pair.later_seconds)
        for pair in found.pairs
        if pair.changed
    )


def _counted(outcome: Outcome) -> Counted:
    days, one, two = outcome.days, outcome.before, outcome.after
    watched = days.watched().values()
    assert days.first is not None and days.last is not None  # noqa: S101, PT018 # it took readings
    by_calendar = sum(w.by_calendar for w in watched)
    return Counted(
        patients=len(watched),
        readings=days.readings(),
        patient_days=round(total(w.days for w in watched), 6),
        by_hours=len(watched) - by_calendar,
        by_calendar=by_calendar,
        first=days.first,
        last=days.last,
        retrospective=(one.retrospective(), two.retrospective()),
    )


def _keys(alarm: Alarm) -> list[tuple[str, str, str]]:
    """The lines that an alarm counts in: its own, and the sums above it."""
    category, kind, priority = alarm.category, alarm.kind, alarm.priority
    return [(category, kind, priority), (category, ALL, priority), (category, ALL, ALL)]


def _rates(
    first: Sequence[Alarm], second: Sequence[Alarm], watched: Mapping[str, float]
) -> tuple[Rate, ...]:
    lines = {("clinical", ALL, priority) for priority in (*PRIORITY_ORDER, ALL)}
    lines |= {key for alarm in (*first, *second) for key in _keys(alarm)}
    rows = sorted(lines, key=_rank)
    people = sorted(watched)
    counts = [_table(alarms, rows, people) for alarms in (first, second)]
    length = np.array([watched[patient] for patient in people])
    intervals = ratios(counts[1] - counts[0], length[:, None])
    observed = float(length.sum())
    sums = [[int(x) for x in table.sum(axis=0)] for table in counts]
    return tuple(
        Rate(
            category=row[0],
            kind=row[1],
            priority=row[2],
            before=one,
            after=two,
            before_per_patient_day=round(one / observed, 6),
            after_per_patient_day=round(two / observed, 6),
            difference=round((two - one) / observed, 6),
            interval=interval,
        )
        for row, one, two, interval in zip(rows, *sums, intervals, strict=True)
    )


def _table(
    alarms: Sequence[Alarm], rows: Sequence[tuple[str, str, str]], people: Sequence[str]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    counter = Counter((alarm.patient_id, key) for alarm in alarms for key in _keys(alarm))
    return np.array([[float(counter[patient, key]) for key in rows] for patient in people]).reshape(
        len(people), len(rows)
    )


def _rank(row: tuple[str, str, str]) -> tuple[int, int, int]:
    """Clinical before technical; kinds as their table has them, sums last; urgent first."""
    category, kind, priority = row
    kinds, levels = [*KINDS, ALL], [*PRIORITY_ORDER, ALL]
    return ("clinical", "technical").index(category), kinds.index(kind), levels.index(priority)
