"""Episodes made into real recordings: what must alert, and what must not.

Seeded and pure: the same recording, shapes and seed give the same result, and nothing outside an
episode's span is changed. The person's own noise is kept: a shape moves what was measured, it does
not draw a new curve. A vital ramps up before its plateau and down after it, five minutes each; the
named duration is the plateau's. Onset is the ramp's beginning.

These are not illnesses. They show what an engine finds if a rate or pressure of this person were
higher or lower by so much for so long; every table that rests on them is titled INJECTED.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.detection.scoring import Truth
from benchmarks.detection.sets import MINUTE, Recording
from vigil.domain.reading import Measurement

RAMP_SECONDS = 5 * MINUTE
HIGHEST_RATE, LOWEST_RATE = 220.0, 25.0
HIGHEST_SYSTOLIC, LOWEST_SYSTOLIC = 260.0, 50.0

Change = Callable[[float, Measurement], Measurement | None]
"""(seconds from the onset, a measurement) → what stands in its place; None: nothing does."""


class Shape(NamedTuple):
    """One kind of episode."""

    name: str
    seconds: float
    """From onset to end, ramps included."""
    begin: Callable[[Random, Sequence[Measurement], float], Change]
    """(randomness, the measurements of its span as they are, its seconds) → how to change them."""
    must_alert: bool = True
    grace_seconds: float = 10 * MINUTE
    """After its end an alert still counts: an alarm needs a reading to be told by."""
    signals: frozenset[str] = frozenset({"heart_rate"})
    """A site needs readings of these."""
    readings: int = 2
    """A site needs so many of them."""
    at_rest: bool = True
    """It is put where the person is calm; False: anywhere, as what lasts for days."""


class Site(NamedTuple):
    """Where a shape is put."""

    shape: Shape
    start: float


def inject(recording: Recording, sites: Sequence[Site], seed: int) -> tuple[Recording, list[Truth]]:
    """A recording with episodes in it, and what is true of them. Sites must not overlap."""
    random = Random(f"{seed}:{recording.patient_id}")
    rows = list(recording.measurements)
    times = [row.time.timestamp() for row in rows]
    result: list[Measurement] = []
    truths: list[Truth] = []
    at = 0
    for shape, start in sorted(sites, key=lambda site: site.start):
        end = start + shape.seconds
        first = bisect_left(times, start, lo=at)
        last = bisect_left(times, end, lo=first)
        result += rows[at:first]
        change = shape.begin(random, rows[first:last], shape.seconds)
        changed = (change(times[i] - start, rows[i]) for i in range(first, last))
        result += [row for row in changed if row is not None]
        until = end + shape.grace_seconds
        truths.append(Truth(recording.patient_id, shape.name, start, until, shape.must_alert))
        at = last
    result += rows[at:]
    return Recording(recording.patient_id, tuple(result)), truths


def ramp(at: float, seconds: float, rise: float = RAMP_SECONDS) -> float:
    """0 at both ends of the span, 1 on the plateau.

    >>> ramp(0, 3600), ramp(150, 3600), ramp(1800, 3600), ramp(3450, 3600)
    (0.0, 0.5, 1.0, 0.5)
    """
    return max(0.0, min(1.0, at / rise, (seconds - at) / rise))


def with_values(row: Measurement, **values: float) -> Measurement:
    """A measurement with other values for signals that it has."""
    own = {name: round(value, 1) for name, value in values.items() if name in row.values}
    return replace(row, values={**row.values, **own})


def possible_rate(rate: float) -> float:
    """Kept within what a heart can do."""
    return min(HIGHEST_RATE, max(LOWEST_RATE, rate))


def pressure(row: Measurement, systolic: float) -> Measurement:
    """A row with another systolic pressure, and its diastolic in proportion."""
    new = min(HIGHEST_SYSTOLIC, max(LOWEST_SYSTOLIC, systolic))
    share = new / row.values["systolic"]
    return with_values(row, systolic=new, diastolic=row.values.get("diastolic", 0.0) * share)


def rate_raised(by: float, minutes: float) -> Shape:
    """Tachycardia: the rate is higher by ``by`` while nothing is walked."""

    def begin(_random: Random, _rows: Sequence[Measurement], seconds: float) -> Change:
        def change(at: float, row: Measurement) -> Measurement:
            rate = row.values.get("heart_rate")
            if rate is None:
                return row
            return with_values(row, heart_rate=possible_rate(rate + by * ramp(at, seconds)))

        return change

    name = f"tachycardia +{by:.0f}, {minutes:.0f} min"
    return Shape(name, minutes * MINUTE + 2 * RAMP_SECONDS, begin)


def rate_lowered(minutes: float, low: float = 35.0, high: float = 45.0) -> Shape:
    """Bradycardia: the rate falls to a level drawn from 35 to 45."""

    def begin(random: Random, rows: Sequence[Measurement], seconds: float) -> Change:
        level = random.uniform(low, high)
        rates = [row.values["heart_rate"] for row in rows if "heart_rate" in row.values]
        fall = min(0.0, level - median(rates)) if rates else 0.0

        def change(at: float, row: Measurement) -> Measurement:
            rate = row.values.get("heart_rate")
            if rate is None:
                return row
            return with_values(row, heart_rate=possible_rate(rate + fall * ramp(at, seconds)))

        return change

    name = f"bradycardia {low:.0f} to {high:.0f}, {minutes:.0f} min"
    return Shape(name, minutes * MINUTE + 2 * RAMP_SECONDS, begin)


def pressure_moved(by: float, minutes: float) -> Shape:
    """Systolic higher or lower by ``by``, diastolic in proportion. Cuffs are seldom: no ramp."""

    def begin(_random: Random, _rows: Sequence[Measurement], _seconds: float) -> Change:
        def change(_at: float, row: Measurement) -> Measurement:
            systolic = row.values.get("systolic")
            return row if systolic is None else pressure(row, systolic + by)

        return change

    name = f"systolic {by:+.0f}, {minutes:.0f} min"
    signals = frozenset({"systolic", "diastolic"})
    return Shape(name, minutes * MINUTE, begin, signals=signals)


def shock(minutes: float, index: float = 1.2) -> Shape:
    """The rate rises and the systolic pressure falls, each by the same factor, to this index."""

    def begin(_random: Random, _rows: Sequence[Measurement], _seconds: float) -> Change:
        def change(_at: float, row: Measurement) -> Measurement:
            rate, systolic = row.values.get("heart_rate"), row.values.get("systolic")
            if rate is None or systolic is None:
                return row
            factor = max(1.0, (index * systolic / rate) ** 0.5)
            lower = pressure(row, systolic / factor)
            return with_values(lower, heart_rate=possible_rate(rate * factor))

        return change

    signals = frozenset({"heart_rate", "systolic"})
    name = f"shock index {index}, {minutes:.0f} min"
    return Shape(name, minutes * MINUTE, begin, signals=signals)


def rate_drift(by: float, days: float) -> Shape:
    """The rate, day and night, is higher by ``by`` for days; a day to rise, one to fall."""
    day = 1440 * MINUTE
    whole = (days + 1) * day

    def begin(_random: Random, _rows: Sequence[Measurement], seconds: float) -> Change:
        def change(at: float, row: Measurement) -> Measurement:
            rate = row.values.get("heart_rate")
            if rate is None:
                return row
            higher = possible_rate(rate + by * ramp(at, seconds, rise=day))
            return with_values(row, heart_rate=higher)

        return change

    name = f"resting drift +{by:.0f}, {days:.0f} days"
    return Shape(name, whole, begin, grace_seconds=0.5 * day, at_rest=False)


CLINICAL: tuple[Shape, ...] = (
    *(rate_raised(by, minutes) for by in (30.0, 50.0) for minutes in (10.0, 20.0, 30.0, 60.0)),
    *(rate_lowered(minutes) for minutes in (10.0, 20.0, 30.0, 60.0)),
)
"""Of the heart rate, for the wearable sets."""
PRESSURE: tuple[Shape, ...] = (
    *(pressure_moved(by, minutes) for by in (40.0, -35.0) for minutes in (30.0, 60.0, 120.0)),
    shock(60.0),
    shock(120.0),
)
"""For recordings of blood pressure."""
DRIFTS: tuple[Shape, ...] = tuple(rate_drift(by, days) for by in (3.0, 5.0) for days in (3.0, 7.0))
"""Over days."""
