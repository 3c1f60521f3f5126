"""Readings over time, for tests of detection: seconds since a fixed midnight, plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from detectors.configuration.loading import DetectionConfig, from_tables
from detectors.contract import Moment
from detectors.engine.engine import Engine
from vigil.domain import ids
from vigil.domain.episode import Event
from vigil.domain.reading import Activity, Context, Measurement, Upload

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = 3600.0
DAY = 24 * HOUR
RESTING = {"context": {"unknown_activity": "rest"}}
"""Configuration of a ward where nobody is ever active unless a device says so."""


def at(seconds: float) -> datetime:
    """So many seconds after the midnight."""
    return MIDNIGHT + timedelta(seconds=seconds)


def seconds(moment: datetime | None) -> float | None:
    """The other way; None stays None."""
    return None if moment is None else (moment - MIDNIGHT).total_seconds()


def measured(
    second: float, values: Mapping[str, float], activity: Activity = "unknown",
    steps: float | None = None, contact: bool | None = None,
) -> Measurement:  # fmt: skip
    """One measurement, its id made from what it holds."""
    content = repr(sorted(values.items()))
    ident = ids.reading_id("p1", "d1", at(second), content)
    return Measurement(ident, at(second), dict(values), Context(activity, steps, None, contact))


def upload(*items: Measurement, received: float | None = None, patient: str = "p1",
           **rest: Any) -> Upload:  # fmt: skip
    """What a device sent; received one second after its last measurement unless said otherwise."""
    arrived = items[-1].time + timedelta(seconds=1) if received is None else at(received)
    return Upload(patient, "d1", arrived, items, **rest)


def heart(rates: Iterable[float], start: float = 0.0, every: float = 60.0,
          activity: Activity = "rest", patient: str = "p1") -> list[Upload]:  # fmt: skip
    """One upload a heart rate."""
    return [
        upload(measured(start + i * every, {"heart_rate": float(rate)}, activity), patient=patient)
        for i, rate in enumerate(rates)
    ]


def cuff(pairs: Iterable[tuple[float, float]], start: float = 0.0, every: float = 1800.0,
         **more: float) -> list[Upload]:  # fmt: skip
    """One upload a blood pressure."""
    return [
        upload(measured(start + i * every, {"systolic": s, "diastolic": d, **more}, "rest"))
        for i, (s, d) in enumerate(pairs)
    ]


def config(**own: Any) -> DetectionConfig:
    """The defaults with what differs."""
    return from_tables(own)


def engine(**own: Any) -> Engine:
    """An engine on the defaults with what differs."""
    return Engine(config(**own))


def detect(uploads: Iterable[Upload], **own: Any) -> list[Event]:
    """All events of a recording."""
    runs = engine(**own)
    return [event for item in uploads for event in runs.process(item)] + runs.finish()


def announced(events: Iterable[Event]) -> list[tuple[str, str, str]]:
    """Kind, phase and priority of each: what most tests compare."""
    return [(event.kind, event.phase, event.priority) for event in events]


def moment(
    time: float = 0.0, activity: Activity = "rest", period: str = "", watched: Any = (),
    **values: Any,
) -> Moment:  # fmt: skip
    """A moment as the detectors see it."""
    period = period or f"{activity}:day"
    return Moment(time, time + 1, values, activity, period, None, None, watched)
