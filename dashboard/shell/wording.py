"""Times as the care team reads them.

The browser knows the reader's time zone and updates ages, so each time is written twice: as text
for now, and in full for ``assets/board.js``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from store.writing.bounds import LATEST
from vigil.domain.ids import timestamp
from vigil.values.clock import EARLIEST

MINUTE, HOUR, DAY = 60, 3600, 86_400
OLD_AFTER = timedelta(minutes=15)
"""A newest reading older than this is marked: a device that rarely uploads, or a lost contact."""
APART_AFTER = timedelta(minutes=2)
"""Where a reading was received so long after it was measured, both times are shown."""


def format_age(seconds: float) -> str:
    """How long ago, in the largest whole unit.

    >>> [format_age(s) for s in (3, 59, 61, 7300, 200_000)]
    ['just now', '59 s ago', '1 min ago', '2 h ago', '2 d ago']
    """
    whole = max(0, int(seconds))
    if whole < 10:
        return "just now"
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if whole >= size:
            return f"{whole // size} {unit} ago"
    return f"{whole} s ago"


def format_duration(span: timedelta) -> str:
    """A length of time in at most two units.

    >>> [format_duration(timedelta(seconds=s)) for s in (40, 600, 5400, 90_000)]
    ['40 s', '10 min', '1 h 30 min', '1 d 1 h']
    """
    seconds = max(0, int(span.total_seconds()))
    parts = []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((size, f"{count} {unit}"))
    if not parts:
        return "0 s"
    kept = [parts[0][1]]
    if len(parts) > 1 and parts[0][0] > MINUTE and parts[1][0] >= parts[0][0] // 60:
        kept.append(parts[1][1])
    return " ".join(kept)


def machine_time(time: datetime) -> str:
    """A time in ISO 8601, for the attribute ``datetime``."""
    return timestamp(time)


def format_clock(time: datetime) -> str:
    """A time in UTC, shown until the browser writes it in its own time zone.

    >>> format_clock(datetime(2026, 11, 21, 6, 2, tzinfo=UTC))
    '21 Nov 06:02 UTC'
    """
    if not EARLIEST <= time < LATEST:
        return "at an impossible time"
    return f"{time.astimezone(UTC):%d %b %H:%M} UTC"
