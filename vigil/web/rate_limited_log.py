"""A line of the log that a flood does not make a flood of lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from vigil.service import logs

EVERY_SECONDS = 10.0


class Seldom:
    """Writes what happens at most every ten seconds, with how often it has happened since.

    >>> said = []
    >>> seldom = Seldom("web", lambda: 0.0, lambda what, times: said.append((what, times)))
    >>> for _ in range(5): seldom.warn("too many requests")
    >>> said
    [('too many requests', 1)]
    """

    def __init__(
        self,
        part: str,
        monotonic: Callable[[], float] = time.monotonic,
        write: Callable[[str, int], None] | None = None,
    ):
        log = logs.get(part)
        self._write = write or (lambda what, times: log.warning("refused", what=what, times=times))
        self._monotonic = monotonic
        self._since: Counter[str] = Counter()
        self._written: dict[str, float] = {}

    def warn(self, what: str) -> None:
        """It has happened once more."""
        self._since[what] += 1
        now = self._monotonic()
        if now - self._written.get(what, float("-inf")) >= EVERY_SECONDS:
            self._write(what, self._since.pop(what))
            self._written[what] = now
