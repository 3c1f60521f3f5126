"""A worker tells how it is doing: its health, on ``vitals.status``, every quarter of a minute.

The board's system page and ``vigil doctor`` show it, wherever the worker runs. It is told on a
thread of its own and never waited for; while the broker is away there is nothing to tell.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from uuid import uuid4

from vigil import __version__, logs, wire
from vigil.broker import Publisher
from vigil.clock import utc_now
from vigil.errors import UnavailableError, WireError
from vigil.model import Status

if TYPE_CHECKING:
    from vigil.health import Health
    from vigil.settings import Settings

log = logs.get("status")
EVERY_SECONDS = 15.0
PATIENCE_SECONDS = 5.0


class Reporter:
    """Tells one process's health until closed."""

    def __init__(self, settings: Settings, health: Health, every_seconds: float = EVERY_SECONDS):
        self._settings, self._health, self._every = settings, health, every_seconds
        self._instance, self._started = str(uuid4()), utc_now()
        self._publisher: Publisher | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; a last word is not waited for."""
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)

    def status(self) -> Status:
        """How the process is doing now."""
        trouble, counters, gauges = self._health.figures()
        return Status(
            self._instance, self._health.service, __version__, self._started, utc_now(),
            trouble, counters, gauges, self._health.since(),
        )  # fmt: skip

    def _run(self) -> None:
        pause = min(1.0, self._every)  # soon after the start, then at its pace
        while not self._stop.wait(pause):
            pause = self._every
            try:
                self._tell()
            except (UnavailableError, WireError) as error:
                log.info("status not told", code=error.code)
        if self._publisher is not None:
            self._publisher.close()

    def _tell(self) -> None:
        if self._publisher is None:
            self._publisher = Publisher(self._settings, self._health.service, PATIENCE_SECONDS)
        message = wire.outgoing(self.status(), self._health.service)
        self._publisher.publish([message], PATIENCE_SECONDS)
