"""Background threads of a process: one that died or hangs is reported in the health.

A thread that ends with an error, or blocks for ever, reports nothing by itself. So each thread
signals every turn (:meth:`Pulse.beat`), and the health checks how long ago the last one was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vigil.service.health import Look, Trouble


class Pulse:
    """The heartbeat of one background thread.

    Args:
        name: its name in the health.
        thread: the thread; one that was not started is not reported.
        longest_seconds: the longest time between two beats that is normal.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        name: str,
        thread: threading.Thread,
        longest_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._name, self._thread, self._longest = name, thread, longest_seconds
        self._monotonic = monotonic
        self._last_beat = monotonic()
        self._done = False

    def beat(self) -> None:
        """Signal one more turn of the thread."""
        self._last_beat = self._monotonic()

    def done(self) -> None:
        """The thread is about to end on purpose; that is not reported."""
        self._done = True

    def trouble(self) -> str | None:
        """What is wrong with the thread; None: nothing."""
        if self._done or self._thread.ident is None:
            return None
        if not self._thread.is_alive():
            return f"The part {self._name!r} of this process has ended; restart the process."
        if self._monotonic() - self._last_beat > self._longest:
            return (
                f"The part {self._name!r} of this process hangs for more than"
                f" {self._longest:.0f} s; restart the process if it stays so."
            )
        return None

    def look(self) -> Look:
        """:meth:`trouble` in the form of :meth:`vigil.service.health.Health.watch`."""
        what = self.trouble()
        return Look({} if what is None else {f"beside.{self._name}": Trouble(what)})
