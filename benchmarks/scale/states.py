"""Detector states as the engine makes them of people who have been watched for days."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine
from vigil.domain.reading import Context, Measurement, Upload

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 10
EVERY = timedelta(minutes=5)
MODELS = 50
"""People who are really simulated; their states stand for everybody's."""
DEVICE = "watch"
_BY_HOUR = [("asleep", 56)] * 7 + [("rest", 68), ("active", 92), ("rest", 70), ("rest", 69)] * 4
_BY_HOUR += [("asleep", 58)]


def end() -> datetime:
    """When the simulated time ends."""
    return START + timedelta(days=DAYS)


def upload(patient_id: str, time: datetime, source: random.Random) -> Upload:
    """One reading of a heart rate, as the hour has it."""
    activity, level = _BY_HOUR[time.hour]
    value = round(source.gauss(level, 3), 1)
    row = Measurement(f"t-{time.timestamp():.0f}", time, {"heart_rate": value}, Context(activity))  # type: ignore[arg-type]
    return Upload(patient_id, DEVICE, time + timedelta(seconds=2), (row,), synthetic=True)


def uploads(people: int) -> Iterator[Upload]:
    """Everything that was measured, in order of time."""
    sources = [random.Random(person) for person in range(people)]
    now = START
    while now < end():
        for person, source in enumerate(sources):
            yield upload(f"model-{person}", now, source)
        now += EVERY


def mature(config: DetectionConfig) -> list[bytes]:
    """The states of the people who were simulated."""
    engine = Engine(config)
    for row in uploads(MODELS):
        engine.process(row)
    return [engine.state_of(f"model-{person}") for person in range(MODELS)]
