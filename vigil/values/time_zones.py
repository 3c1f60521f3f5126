"""Time zones, from one pinned table: the package ``tzdata``, and never the machine's own files.

Governments change their clocks several times a year. ``zoneinfo`` prefers the operating system's
table, even where a newer package is installed, so two machines of one ward, or a chart and the
times next to it, could differ by an hour. Importing anything of Vigil's imports this
module first, and from then on the whole process reads the package, whose version the lock file
pins. The database computes no zone (its sessions are in UTC), and pages are sent the offsets
(:func:`offsets`) instead of asking the browser's table.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzdata

from vigil.values.clock import EARLIEST

zoneinfo.reset_tzpath(())
ZoneInfo.clear_cache()

VERSION: str = tzdata.IANA_VERSION
"""Of the table, as IANA names it, such as ``2026f``."""
YEARS_AHEAD = 3
"""Offsets reach to the beginning of the year that is this many years after the present one: two
years at least, more than any page shows."""
STEP = timedelta(days=7)
"""No zone has changed its clock and back within less since 2000."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """A zone's offsets from UTC over the years that a page can show."""

    name: str
    starts: tuple[int, ...]
    """Seconds since 1970 from which each offset holds; the first holds before, too."""
    offsets: tuple[int, ...]
    """Seconds east of UTC."""
    version: str = VERSION


def find(name: str) -> ZoneInfo | None:
    """The zone of an IANA name; None: there is none.

    >>> find("Europe/Berlin"), find("../etc/passwd"), find("")
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), None, None)
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def offsets(name: str, now: datetime) -> Offsets:
    """The offsets of a zone from :data:`~vigil.values.clock.EARLIEST` to some two years after
    ``now``; UTC's where there is no such zone."""
    zone = find(name)
    if zone is None:
        return Offsets("UTC", (int(EARLIEST.timestamp()),), (0,))
    return _offsets(name, now.astimezone(UTC).year + YEARS_AHEAD)


@lru_cache(maxsize=1024)
def _offsets(name: str, year: int) -> Offsets:
    zone, end = ZoneInfo(name), datetime(year, 1, 1, tzinfo=UTC)
    starts, found = [int(EARLIEST.timestamp())], [_offset(zone, EARLIEST)]
    moment = EARLIEST
    while moment < end:
        after = moment + STEP
        if _offset(zone, after) != found[-1]:
            starts.append(_change(zone, moment, after))
            found.append(_offset(zone, after))
        moment = after
    return Offsets(name, tuple(starts), tuple(found))


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    found = moment.astimezone(zone).utcoffset()
    return int(found.total_seconds()) if found is not None else 0


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> int:
    """The second in which the offset of ``after`` begins."""
    low, high = int(before.timestamp()), int(after.timestamp())
    there = _offset(zone, after)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == there:
            high = middle
        else:
            low = middle
    return high
