"""How far from the usual a signal has been, without a break, for a while.

Single values show little: a heart rate jumps by twenty when its owner stands up. What counts is
that *each* of the last stretches of time (blocks) was far away, on the mean: the least of the
blocks' means is the level that was sustained above, the greatest the one below. A lone calm stretch
ends it, and no outlier makes it.

A reading stands for the time since the one before, so a block is closed by the reading with which
it reaches its length, and a reading of a device that measures less often is a block of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

RECENT_BLOCKS = 24
"""The last hours: so many blocks, two hours where a block is five minutes."""
STEADY_BLOCKS = 4
"""How many blocks are needed before the last hours count by half."""
RECENT_REACH = 20.0
"""No block counts for more of the last hours than this, in the signal's unit."""


class Window:
    """The last blocks of a signal, as distances from what was usual then."""

    __slots__ = (
        "count",
        "last",
        "means",
        "recent",
        "recent_blocks",
        "start",
        "starts",
        "total",
    )

    def __init__(self) -> None:
        self.last = -1e12
        """Time of the newest value."""
        self.start = 0.0
        """From when on the block under way counts."""
        self.total = 0.0
        self.count = 0
        self.means: list[float] = []
        self.starts: list[float] = []
        """When each of them began."""
        self.recent = 0.0
        """Mean distance over the hours before the window."""
        self.recent_blocks = 0

    def closing(self, time: float, off: float, seconds: float, gap: float) -> Sequence[float]:
        """Means of the blocks that a value closes, if it is the next one: none, one or two."""
        since = time - self.last
        if since > gap:
            return (off,) if seconds == 0 else ()
        if since >= seconds:
            return (self.total / self.count, off) if self.count else (off,)
        if time - self.start >= seconds:
            return ((self.total + off) / (self.count + 1),)
        return ()

    def add(self, time: float, off: float, seconds: float, gap: float, keep: int) -> float | None:
        """Take a value; return the mean of the block that it closed, if any. ``keep``: blocks."""
        since = time - self.last
        closed = None
        if since > gap:
            self.forget()
            self.start = time
        elif since >= seconds:
            if self.count:
                self._close(self.last, keep)
            self.start = self.last
        self.last = time
        self.total += off
        self.count += 1
        if time - self.start >= seconds:
            closed = self._close(time, keep)
        return closed

    def interrupt(self) -> None:
        """The stretch is broken, as by activity: its blocks become part of the last hours."""
        for mean in self.means:
            self._remember(mean)
        self.drop()

    def drop(self) -> None:
        """Drop the blocks, and do not count them among the last hours."""
        self.means.clear()
        self.starts.clear()
        self.total, self.count = 0.0, 0

    def forget(self) -> None:
        """After a long gap nothing is known of the last hours."""
        self.drop()
        self.recent, self.recent_blocks = 0.0, 0

    def holds(self, time: float) -> bool:
        """Whether a time is within the blocks, or within the one under way."""
        if not (self.means or self.count):
            return False
        return (self.starts[0] if self.starts else self.start) <= time <= self.last

    def expected(self, share: float) -> float:
        """How far from the usual the next values may be expected, as the last hours were."""
        n = self.recent_blocks
        return share * self.recent * n / (n + STEADY_BLOCKS)

    def dump(self) -> list[Any]:
        """Its numbers."""
        return [
            self.last,
            self.start,
            self.total,
            self.count,
            self.means,
            self.starts,
            self.recent,
            self.recent_blocks,
        ]

    def restore(self, numbers: list[Any]) -> None:
        """Take over numbers from :meth:`dump`."""
        self.last, self.start, self.total, self.count, means, starts, *recent = numbers
        self.means, self.starts = list(means), list(starts)
        self.recent, self.recent_blocks = recent

    def _close(self, time: float, keep: int) -> float:
        mean = self.total / self.count
        self.means.append(mean)
        self.starts.append(self.start)
        if len(self.means) > keep:
            self._remember(self.means.pop(0))
            del self.starts[0]
        self.start, self.total, self.count = time, 0.0, 0
        return mean

    def _remember(self, mean: float) -> None:
        n = self.recent_blocks = min(self.recent_blocks + 1, RECENT_BLOCKS)
        reached = min(max(mean, -RECENT_REACH), RECENT_REACH)
        self.recent += (reached - self.recent) / n
