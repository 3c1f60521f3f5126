"""What both checkouts judge: a mixed ward of people who do not exist, as messages on the wire.

Not only the easy case: of ten patients five are calm at rest, two exercise and count steps, one has
a fast heart for ninety minutes at a time, one wears a cuff too, and one takes the watch off for ten
minutes in every half hour. Beside it a ward whose charts hold a row of five values an hour.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.reading import NO_CONTEXT, Context, Measurement, Upload

START = datetime(2026, 1, 5, tzinfo=UTC)
REST = Context("rest")
DELAY = timedelta(seconds=2)
"""From the newest reading of an upload to its receipt."""
Minute = Callable[[random.Random, int], Measurement | None]
"""A patient's reading of a minute since ``START``, without an id; None: there is none."""


def mixed(patients: int, minutes: int, per_message: int) -> Iterator[bytes]:
    """A wearable's minutes, the patients in turn.

    Args:
        minutes: of each patient.
        per_message: minutes in an upload.
    """
    rows = [_readings(patient, minutes) for patient in range(patients)]
    for begin in range(0, minutes, per_message):
        end = START + timedelta(minutes=begin + per_message)
        for patient, own in enumerate(rows):
            due = [row for row in own if row.time < end]
            del own[: len(due)]
            if due:
                yield _message(patient, due)


def charted(patients: int, hours: int) -> Iterator[bytes]:
    """A row of five values an hour, as a ward charts them."""
    sources = [random.Random(patient) for patient in range(patients)]
    for hour in range(hours):
        for patient, source in enumerate(sources):
            values = {
                "diastolic": float(source.randint(62, 88)),
                "heart_rate": float(source.randint(64, 108)),
                "respiratory_rate": float(source.randint(12, 22)),
                "spo2": float(source.randint(93, 99)),
                "systolic": float(source.randint(98, 152)),
            }
            yield _message(patient, [_reading(START + timedelta(hours=hour), values, NO_CONTEXT)])


def _readings(patient: int, minutes: int) -> list[Measurement]:
    source, minute_of = random.Random(patient), _KINDS[patient % len(_KINDS)]
    return [row for minute in range(minutes) if (row := minute_of(source, minute)) is not None]


def _calm(source: random.Random, minute: int) -> Measurement:
    return _rate(minute, source.gauss(66, 3), REST)


def _exercising(source: random.Random, minute: int) -> Measurement:
    runs = minute // 40 % 3 == 1
    steps = source.randint(90, 130) if runs else source.randint(0, 10)
    return _rate(minute, source.gauss(140 if runs else 72, 5), Context(steps_per_min=float(steps)))


def _alarming(source: random.Random, minute: int) -> Measurement:
    return _rate(minute, source.gauss(142 if minute // 90 % 2 else 75, 3), REST)


def _with_cuff(source: random.Random, minute: int) -> Measurement:
    values = {"heart_rate": float(source.randint(60, 80))}
    if minute % 10 == 0:
        pressure = {"systolic": source.randint(110, 150), "diastolic": source.randint(65, 90)}
        values |= {name: float(value) for name, value in pressure.items()}
    return _reading(START + timedelta(minutes=minute), dict(sorted(values.items())), REST)


def _with_gaps(source: random.Random, minute: int) -> Measurement | None:
    return _rate(minute, source.gauss(80, 4), NO_CONTEXT) if minute % 30 < 20 else None


_KINDS: Sequence[Minute] = (
    *[_calm] * 5,
    *[_exercising] * 2,
    _alarming,
    _with_cuff,
    _with_gaps,
)


def _rate(minute: int, rate: float, context: Context) -> Measurement:
    return _reading(START + timedelta(minutes=minute), {"heart_rate": round(rate, 1)}, context)


def _reading(time: datetime, values: dict[str, float], context: Context) -> Measurement:
    return Measurement("", time, values, context)


def _message(patient: int, rows: Sequence[Measurement]) -> bytes:
    name, device = f"ward-{patient}", "watch"
    numbered = tuple(
        Measurement(
            ids.reading_id(name, device, row.time, str(row.values)),
            row.time,
            row.values,
            row.context,
        )
        for row in rows
    )
    upload = Upload(name, device, rows[-1].time + DELAY, numbered, synthetic=True)
    return wire.to_message(upload, "benchmark").value
