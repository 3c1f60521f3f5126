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
    """How many messages to take at once: all; after :meth:`start` one, and twice as many after each
    batch, until it is all again."""

    def __init__(self) -> None:
        self._records: int | None = None

    def start(self) -> None:
        """Begin with one."""
        self._records = 1

    def at_once(self, most: int) -> int:
        """So many messages, at most, are taken next; ``most``: what the handler takes.

        >>> Ramp().at_once(2000)
        2000
        """
        return most if self._records is None else min(self._records, most)

    def more(self, most: int) -> bool:
        """A batch is done. True while the next is larger: then its offset is to be durable."""
        if self._records is None:
            return False
        self._records *= 2
        if self._records >= most:
            self._records = None
        return True
