"""Time is aware UTC, and a clock is passed in: nobody below a composition root asks the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No reading is older: before it lie unset device clocks (1970, 1980)."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_MILLIS = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def of_millis(milliseconds: int | None) -> datetime | None:
    """The moment of a Kafka timestamp; None: there is none, or none that a calendar has.

    A producer may write any 64-bit number there.

    >>> of_millis(1_795_000_000_123)
    datetime.datetime(2026, 11, 18, 11, 6, 40, 123000, tzinfo=datetime.timezone.utc)
    >>> of_millis(-1) is of_millis(2**62) is None
    True
    """
    if milliseconds is None or not 0 < milliseconds < _LARGEST_MILLIS:
        return None
    return EPOCH + timedelta(milliseconds=milliseconds)


def utc_now() -> datetime:
    """The wall clock, in UTC.

    >>> utc_now().tzinfo is UTC
    True
    """
    return datetime.now(UTC)
