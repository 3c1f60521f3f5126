"""When the next checkpoint is due, and how much is taken at once after the start."""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.1
"""Of the time, at most, for checkpoints."""
LONGEST_SECONDS = 30.0
"""The next is due after so long at the latest, however long one took: a disk may have hung."""


class Cadence:
    """Every so many seconds, and later where one takes more than a tenth of the time."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._took = 0.0
        self._due_at = 0.0

    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due_at

    def timed(self, action: Callable[[], None]) -> None:
        """Do it. What counts is how long the last attempt took, and not what was waited for a
        database that was away."""
        begun = time.monotonic()
        action()
        self._took = time.monotonic() - begun

    def done(self) -> None:
        """One is done, or there was nothing to do: the next comes later."""
        longer = min(self._took / SHARE, LONGEST_SECONDS)
        self._due_at = time.monotonic() - self._took + max(self._seconds, longer)
        self._took = 0.0


class Ramp:
    """How many messages to take at once: one, and twice as many after each batch, up to all."""

    def __init__(self, most: int):
        self._most = most
        self.records = 1

    def more(self) -> bool:
        """A batch is done. True while the next may be larger: then its offset is to be durable."""
        if self.records >= self._most:
            return False
        self.records *= 2
        return True
