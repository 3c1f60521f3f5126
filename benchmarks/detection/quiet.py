"""What must not alert: a faulty sensor and a healthy effort, made into real recordings.

A technical event is the right answer to the first four and counts for nothing here; a clinical one
is wrong. Exercise is told by steps, as a wearable tells it: where a set has no steps, those of the
exercise are written in, since an engine that is told nothing cannot know.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec.structs import replace

from benchmarks.detection.injection import (
    Change,
    Shape,
    possible_rate,
    pressure,
    ramp,
    with_values,
)
from benchmarks.detection.sets import MINUTE
from vigil.domain.reading import Measurement

AFTER_SECONDS = 30 * MINUTE
"""An alert that follows the disturbance so soon is held to be caused by it."""
RECOVERY_MINUTES = 15.0


def flat_line(minutes: float = 60.0) -> Shape:
    """A stuck sensor: the first value of the span, again and again."""

    def begin(_random: Random, rows: Sequence[Measurement], _seconds: float) -> Change:
        rates = [row.values["heart_rate"] for row in rows if "heart_rate" in row.values]

        def change(_at: float, row: Measurement) -> Measurement:
            return with_values(row, heart_rate=rates[0]) if rates else row

        return change

    return _quiet(f"flat line, {minutes:.0f} min", minutes, begin)


def dropout(minutes: float = 90.0) -> Shape:
    """Nothing is measured."""

    def begin(_random: Random, _rows: Sequence[Measurement], _seconds: float) -> Change:
        return lambda _at, _row: None

    return _quiet(f"dropout, {minutes:.0f} min", minutes, begin)


def motion_spikes(minutes: float = 30.0) -> Shape:
    """About one reading in eight jumps by 50 to 100; never two in a row."""

    def begin(random: Random, _rows: Sequence[Measurement], _seconds: float) -> Change:
        before = [False]

        def change(_at: float, row: Measurement) -> Measurement:
            spike = random.random() < 1 / 7 and not before[0]
            before[0] = spike
            rate = row.values.get("heart_rate")
            if rate is None or not spike:
                return row
            return with_values(row, heart_rate=possible_rate(rate + random.uniform(50, 100)))

        return change

    return _quiet(f"motion spikes, {minutes:.0f} min", minutes, begin)


def cuff_artefact(factor: float) -> Shape:
    """One odd pressure, this many times what it should be, between normal ones."""

    def begin(_random: Random, _rows: Sequence[Measurement], _seconds: float) -> Change:
        done = [False]

        def change(_at: float, row: Measurement) -> Measurement:
            systolic = row.values.get("systolic")
            if systolic is None or done[0]:
                return row
            done[0] = True
            return pressure(row, systolic * factor)

        return change

    signals = frozenset({"systolic", "diastolic"})
    name = f"one cuff artefact, {factor:g} times"
    return Shape(name, 10 * MINUTE, begin, False, AFTER_SECONDS, signals, readings=1)


def exercise(minutes: float = 40.0) -> Shape:
    """Steps and a rate up to 60 higher, and a quarter of an hour to come down with no steps."""

    def begin(random: Random, _rows: Sequence[Measurement], seconds: float) -> Change:
        by = random.uniform(45, 65)
        effort = seconds - RECOVERY_MINUTES * MINUTE

        def change(at: float, row: Measurement) -> Measurement:
            walking = at < effort
            level = ramp(at, 2 * seconds) if walking else (seconds - at) / (seconds - effort)
            steps = random.uniform(100, 150) if walking else 0.0
            rate = possible_rate(row.values.get("heart_rate", 0.0) + by * level)
            context = replace(row.context, steps_per_min=float(round(steps)))
            return replace(with_values(row, heart_rate=rate), context=context)

        return change

    return _quiet(f"exercise, {minutes:.0f} min", minutes + RECOVERY_MINUTES, begin)


def _quiet(name: str, minutes: float, begin: object) -> Shape:
    return Shape(name, minutes * MINUTE, begin, False, AFTER_SECONDS)  # type: ignore[arg-type]


QUIET: tuple[Shape, ...] = (flat_line(), dropout(), motion_spikes(), exercise())
"""For the wearable sets."""
QUIET_PRESSURE: tuple[Shape, ...] = (cuff_artefact(1.5), cuff_artefact(0.6))
"""For recordings of blood pressure."""
