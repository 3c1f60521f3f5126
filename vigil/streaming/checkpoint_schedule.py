"""When the next checkpoint is due, and how many messages a batch may hold after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.1
"""The largest share of the time that checkpoints may take."""
LONGEST_SECONDS = 30.0
"""The longest interval between two checkpoints, however long one took: a disk may have hung."""


class CheckpointSchedule:
    """A fixed interval, which is extended where a checkpoint takes more than a tenth of the time.

    Args:
        seconds: the interval between checkpoints.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._took = 0.0
        self._due_at = 0.0

    def is_due(self) -> bool:
        """Whether a checkpoint is due now."""
        return time.monotonic() >= self._due_at

    def run_timed(self, checkpoint: Callable[[], None]) -> None:
        """Run the checkpoint and measure its duration. Only the last attempt counts, not the time
        spent waiting for an unavailable database."""
        begun = time.monotonic()
        checkpoint()
        self._took = time.monotonic() - begun

    def schedule_next(self) -> None:
        """Set the next due time, after a checkpoint or when there was nothing to save."""
        longer = min(self._took / SHARE, LONGEST_SECONDS)
        self._due_at = time.monotonic() - self._took + max(self._seconds, longer)
        self._took = 0.0


class BatchSizeRamp:
    """The largest batch size: unlimited; after :meth:`start` one message, doubled after each batch
    until it is unlimited again."""

    def __init__(self) -> None:
        self._size: int | None = None

    def start(self) -> None:
        """Limit the next batch to one message."""
        self._size = 1

    def next_size(self, largest: int) -> int:
        """How many messages the next batch may hold; ``largest``: the handler's own limit.

        >>> BatchSizeRamp().next_size(2000)
        2000
        """
        return largest if self._size is None else min(self._size, largest)

    def grow(self, largest: int) -> bool:
        """Double the size after a batch. True while the ramp is in use: then the offset behind the
        batch must be made durable before the next one."""
        if self._size is None:
            return False
        self._size *= 2
        if self._size >= largest:
            self._size = None
        return True
