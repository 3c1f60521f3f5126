"""A worker tells how it is doing: its health, on ``vitals.status``, every two seconds.

The board and ``vigil doctor`` show it, wherever the worker runs. A change of its troubles is told
at once. It is told on a thread of its own and never waited for; while the broker is away there is
nothing to tell. The last status of a process that stops by itself says so; one that fails says with
what error. Of one that is killed nothing more is heard.
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
"""Short enough that whoever reads the topic knows within seconds that a process hangs or died."""
LOOK_SECONDS = 0.5
"""How often it is looked whether the troubles have changed."""
LONGEST_SECONDS = 60.0
"""Opening a publisher and sending, each with its own patience."""
LAST_SECONDS = 2.0
"""How long the last status may take."""
PATIENCE_SECONDS = 5.0


class Reporter:
    """Tells one process's health until closed."""

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
        """Begin."""
        self._thread.start()

    def close(self, failure: str = "") -> None:
        """End, with a last status.

        Args:
            failure: the error that the process ends with; empty: it was asked to stop.
        """
        if failure:
            self._health.trouble("ended", f"The process ended with {failure}.")
        self._failed = bool(failure)
        self._pulse.done()
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)

    def status(self, *, ended: bool = False) -> Status:
        """How the process is doing now."""
        found = self._health.snapshot()
        return Status(
            self._instance,
            self._health.service,
            __version__,
            self._started,
            utc_now(),
            found.troubles,
            found.counters,
            found.gauges,
            found.since,
            ended,
        )

    def _run(self) -> None:
        due, said = 0.0, dict[str, str]()
        while not self._stop.wait(min(LOOK_SECONDS, self._every)):
            status = self.status()
            if time.monotonic() < due and status.trouble == said:
                continue
            self._pulse.beat()
            due, said = time.monotonic() + self._every, status.trouble
            self._tell(status, PATIENCE_SECONDS)
        if self._publisher is not None:
            self._tell(self.status(ended=not self._failed), LAST_SECONDS)
            self._publisher.close()

    def _tell(self, status: Status, patience: float) -> None:
        try:
            if self._publisher is None:
                self._publisher = Publisher(self._settings, self._health.service, patience)
            self._publisher.publish([wire.outgoing(status, self._health.service)], patience)
        except Exception as error:  # whatever it is: a thread that ended would go unseen
            code = error.code if isinstance(error, VigilError) else type(error).__name__
            log.info("status not told", code=code)
