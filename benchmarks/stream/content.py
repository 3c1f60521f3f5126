"""What is on the topic: heart rates at rest, minute by minute, of people who do not exist."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from vigil.domain import ids
from vigil.domain.reading import Context, Measurement, Upload

PATIENTS = 1000
START = datetime(2026, 1, 5, tzinfo=UTC)
REST = Context("rest")
DEVICE = "watch"


def uploads(readings: int, per_upload: int) -> Iterator[Upload]:
    """At least so many readings, patients in turn; the same values whatever an upload holds.

    Args:
        per_upload: how many minutes a patient's device sends at once.
    """
    rounds = -(-readings // (PATIENTS * per_upload))
    sources = [random.Random(patient) for patient in range(PATIENTS)]
    for turn in range(rounds):
        for patient, source in enumerate(sources):
            rows = tuple(
                _reading(f"bench-{patient}", turn * per_upload + minute, source)
                for minute in range(per_upload)
            )
            received = rows[-1].time + timedelta(seconds=2)
            yield Upload(f"bench-{patient}", DEVICE, received, rows, synthetic=True)


def _reading(patient_id: str, minute: int, source: random.Random) -> Measurement:
    time = START + timedelta(minutes=minute)
    value = round(source.gauss(66 + len(patient_id) % 3, 3), 1)
    values = {"heart_rate": value}
    reading_id = ids.reading_id(patient_id, DEVICE, time, f"heart_rate={value}")
    return Measurement(reading_id, time, values, REST)
