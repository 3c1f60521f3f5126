"""Publishes a process's health on ``vitals.status``: every two seconds, a new trouble at once.

The board and ``vigil doctor`` show it, wherever the process runs. It is published on a background
thread that nothing waits for; while the broker is unavailable nothing is published. The last status
of a process that stops on request has ``ended``; that of one that fails names the error. A process
that is killed publishes none.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from vigil import __version__
from vigil.contracts import wire
from vigil.domain.status import Status
from vigil.kafka.clients import Publisher
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.errors import VigilError
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("status")
EVERY_SECONDS = 2.0
"""Short enough for readers of the topic to notice within seconds that a process hangs or died."""
CHECK_SECONDS = 0.5
"""How often the troubles are checked for a change."""
LONGEST_SECONDS = 60.0
"""Opening a publisher and sending, each with its own timeout."""
LAST_SECONDS = 2.0
"""How long the last status may take."""
TIMEOUT_SECONDS = 5.0


class StatusReporter:
    """Publishes one process's health until closed.

    Args:
        every_seconds: the interval while the troubles do not change.
    """

    def __init__(self, settings: Settings, health: Health, every_seconds: float = EVERY_SECONDS):
        self._settings, self._health, self._every = settings, health, every_seconds
        self._instance, self._started = str(uuid4()), utc_now()
        self._publisher: Publisher | None = None
        self._failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._pulse = Pulse("status", self._thread, LONGEST_SECONDS)
        health.watch("status", self._pulse.look)

    def start(self) -> None:
        """Start the background thread."""
        self._thread.start()

    def close(self, failure: str = "") -> None:
        """Publish a last status and stop.

        Args:
            failure: the type of the error that the process ends with; empty: it was asked to stop.
        """
        if failure:
            self._health.trouble("ended", f"The process ended with {failure}.")
        self._failed = bool(failure)
        self._pulse.done()
        self._stop.set()
        self._thread.join(TIMEOUT_SECONDS)

    def status(self, *, ended: bool = False) -> Status:
        """The status of the process now."""
        found = self._health.snapshot()
        return Status(
            instance=self._instance,
            service=self._health.service,
            version=__version__,
            started=self._started,
            time=utc_now(),
            trouble=found.troubles,
            counters=found.counters,
            gauges=found.gauges,
            since=found.since,
            ended=ended,
        )

    def _run(self) -> None:
        due, reported = 0.0, dict[str, str]()
        while not self._stop.wait(min(CHECK_SECONDS, self._every)):
            status = self.status()
            if time.monotonic() < due and status.trouble == reported:
                continue
            self._pulse.beat()
            due, reported = time.monotonic() + self._every, status.trouble
            self._publish(status, TIMEOUT_SECONDS)
        if self._publisher is not None:
            self._publish(self.status(ended=not self._failed), LAST_SECONDS)
            self._publisher.close()

    def _publish(self, status: Status, timeout: float) -> None:
        try:
            if self._publisher is None:
                self._publisher = Publisher(self._settings, self._health.service, timeout)
            self._publisher.publish([wire.to_message(status, self._health.service)], timeout)
        except Exception as error:  # whatever it is: a thread that ended would go unseen
            code = error.code if isinstance(error, VigilError) else type(error).__name__
            log.info("status not published", code=code)
