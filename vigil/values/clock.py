"""Times are aware UTC, and clocks are passed in: only composition roots use the wall clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No reading is older: earlier times come from unset device clocks (1970, 1980)."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_MILLIS = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def from_millis(milliseconds: int | None) -> datetime | None:
    """The time of a Kafka timestamp, in milliseconds since 1970; None: absent, or out of range.

    A producer may write any 64-bit number there.

    >>> from_millis(1_795_000_000_123)
    datetime.datetime(2026, 11, 18, 11, 6, 40, 123000, tzinfo=datetime.timezone.utc)
    >>> from_millis(-1) is from_millis(2**62) is None
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
