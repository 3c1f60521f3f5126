"""Statuses of workers for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.messages import NOON
from vigil.model import Status


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
