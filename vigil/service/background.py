"""Parts of a process that run beside its loop: one that died or hangs is seen.

A thread that ends with an error, or waits for ever, says nothing. Each tells instead that it turns
(:meth:`Pulse.beat`), and whoever asks for the health looks at it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vigil.service.health import Look, Trouble


class Pulse:
    """One part's.

    Args:
        name: what it is called in the health.
        thread: where it runs; nothing is said of one that was not started.
        longest_seconds: the longest that it may legitimately take between two beats.
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
        self._beaten = monotonic()
        self._done = False

    def beat(self) -> None:
        """It turned once more."""
        self._beaten = self._monotonic()

    def done(self) -> None:
        """It is to end now, and no news when it does."""
        self._done = True

    def trouble(self) -> str | None:
        """What is wrong with it; None: nothing."""
        if self._done or self._thread.ident is None:
            return None
        if not self._thread.is_alive():
            return f"The part {self._name!r} of this process has ended; restart the process."
        if self._monotonic() - self._beaten > self._longest:
            return (
                f"The part {self._name!r} of this process hangs for more than"
                f" {self._longest:.0f} s; restart the process if it stays so."
            )
        return None

    def look(self) -> Look:
        """The same, for :meth:`vigil.service.health.Health.watch`."""
        told = self.trouble()
        return Look({} if told is None else {f"beside.{self._name}": Trouble(told)})
