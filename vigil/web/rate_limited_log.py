"""A log line that a flood of requests cannot repeat without limit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from vigil.service import logs

EVERY_SECONDS = 10.0


class RateLimitedLog:
    """Logs each kind of event at most every ten seconds, with how often it happened since.

    Args:
        part: the logger's name.
        monotonic: the clock, in seconds.
        write: called with the kind of event and its number; by default it logs a warning.

    >>> lines = []
    >>> log = RateLimitedLog("web", lambda: 0.0, lambda *line: lines.append(line))
    >>> for _ in range(5): log.warn("too many requests")
    >>> lines
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
        """Count one more event of this kind, and log it unless that was done just before."""
        self._since[what] += 1
        now = self._monotonic()
        if now - self._written.get(what, float("-inf")) >= EVERY_SECONDS:
            self._write(what, self._since.pop(what))
            self._written[what] = now
