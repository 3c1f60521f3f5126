"""Time is aware UTC, and a clock is passed in: nobody below a composition root asks the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No reading is older: before it lie unset device clocks (1970, 1980)."""


def utc_now() -> datetime:
    """The wall clock, in UTC.

    >>> utc_now().tzinfo is UTC
    True
    """
    return datetime.now(UTC)
