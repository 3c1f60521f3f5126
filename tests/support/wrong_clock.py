"""``python -m tests.support.wrong_clock SECONDS run SERVICE``: a worker whose wall clock steps.

Every other two seconds it is so many seconds wrong, forwards or back. What Vigil and its libraries
ask for the time of day steps (:func:`vigil.values.clock.utc_now`, ``time.time``); what counts
seconds goes on, as it does when a machine's clock is set. The machine's own clock cannot be set by
a test, and libfaketime 0.9.10 does not carry Python's ``time.sleep`` (it fails with EINVAL).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from vigil.values import clock

EVERY_SECONDS = 2.0


def stepping(wrong_seconds: float, right: Callable[[], float]) -> Callable[[], float]:
    """``right``, wrong by so much in every other span of :data:`EVERY_SECONDS`."""

    def read_clock() -> float:
        off = int(time.monotonic() / EVERY_SECONDS) % 2
        return right() + off * wrong_seconds

    return read_clock


def main() -> None:
    """Step the clock, then be ``vigil``."""
    wrong_seconds = float(sys.argv[1])
    right = clock.utc_now
    offset = stepping(wrong_seconds, lambda: 0.0)

    def utc_now() -> datetime:
        return right() + timedelta(seconds=offset())

    clock.utc_now = utc_now
    time.time = stepping(wrong_seconds, time.time)
    sys.argv = ["vigil", *sys.argv[2:]]
    from cli.main import main as vigil  # once the clock is wrong: others import it by name

    vigil()


if __name__ == "__main__":
    main()
