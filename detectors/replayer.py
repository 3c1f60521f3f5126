"""Replays stored history through an engine, with the history's own times as the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

MINUTE = timedelta(minutes=1)


class Replayer:
    """Replays uploads, in the order of receipt, through an engine of its own.

    Args:
        silence: judge "no data" too: a tick at each full minute of receive time, as far as the
            uploads reach. Without it nobody is ever missed, as in a replay through the running
            system that goes faster than time.
    """

    def __init__(self, config: DetectionConfig, *, silence: bool = False):
        self.engine = Engine(config)
        self._silence = silence
        self._ticked: datetime | None = None

    def process(self, upload: Upload) -> list[Event]:
        """The events that become known with this upload, in order."""
        if not self._silence:
            return self.engine.process(upload)
        events = self._tick(upload.received_at.replace(second=0, microsecond=0))
        return events + self.engine.process(upload)

    def advance_to(self, received: datetime) -> list[Event]:
        """The events of a clock that advances to this time, when no more uploads come."""
        return self._tick(received.replace(second=0, microsecond=0))

    def _tick(self, now: datetime) -> list[Event]:
        events: list[Event] = []
        ticked = self._ticked or now
        while ticked < now:
            ticked += MINUTE
            events += self.engine.tick(ticked)
        self._ticked = ticked
        return events
