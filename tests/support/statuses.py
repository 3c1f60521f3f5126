"""Statuses of workers for tests, and boards that have heard some."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.worker_state.overview import SERVICES, WorkerStates
from tests.support.messages import NOON
from vigil.domain.status import Status
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from dashboard.worker_state.monitor import WorkerMonitor


def status(service: str, seconds: float = 0, instance: str = "", **rest: Any) -> Status:
    """What a worker said so many seconds after noon."""
    fields: dict[str, Any] = {
        "instance": instance or f"{service}-1",
        "service": service,
        "version": "1",
        "started": NOON - timedelta(hours=2),
        "time": NOON + timedelta(seconds=seconds),
        "trouble": {},
        "counters": {},
        "gauges": {},
    }
    return Status(**(fields | rest))


def working(at: datetime) -> tuple[Status, ...]:
    """A ready process of each service."""
    return tuple(status(service, time=at, gauges={"lag_seconds": 0.0}) for service in SERVICES)


@contextmanager
def received_statuses(monitor: WorkerMonitor, *statuses: Status) -> Iterator[None]:
    """A monitor without a broker for which these statuses came just now, and nothing since."""
    before, now, at = monitor.states, time.monotonic(), utc_now()
    monitor.states = WorkerStates(now, at)
    monitor.states.confirm_read(now + 3600, at)  # no later question is waited for
    for each in statuses:
        monitor.states.record_status(each, at)
    try:
        yield
    finally:
        monitor.states = before
