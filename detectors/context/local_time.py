"""A patient's local time: by an IANA zone, over its changes of clock, or by a fixed offset."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from detectors.context.configuration import ContextConfig

_MINUTE = 60
"""Seconds. No zone has changed its clock within a minute since 2000."""


class LocalClock:
    """Offsets of local time from UTC.

    Args:
        config: names the zone, or else a fixed offset.
    """

    def __init__(self, config: ContextConfig):
        self._zone = config.time_zone
        self._hours = config.utc_offset_hours

    def hours(self, time: float) -> float:
        """Hours east of UTC at a time (seconds since 1970, UTC)."""
        return _seconds(self._zone, int(time // _MINUTE)) / 3600 if self._zone else self._hours

    def seconds(self, time: float) -> float:
        """Seconds east of UTC at a time (seconds since 1970, UTC)."""
        if self._zone:
            return _seconds(self._zone, int(time // _MINUTE))
        return self._hours * 3600.0

    def instant(self, local: float) -> float:
        """The time (seconds since 1970, UTC) of a local one; of one that comes twice or never, one
        of the two that are meant."""
        return local - self.seconds(local - self.seconds(local))


def hour(config: ContextConfig, time: float) -> float:
    """The local hour of the day, 0 to under 24."""
    if config.time_zone:
        east = _seconds(config.time_zone, int(time // _MINUTE)) / 3600
    else:
        east = config.utc_offset_hours
    return (time / 3600 + east) % 24


@lru_cache(maxsize=65_536)
def _seconds(zone: str, minute: int) -> float:
    moment = datetime.fromtimestamp(minute * _MINUTE, UTC).astimezone(ZoneInfo(zone))
    offset = moment.utcoffset()
    assert offset is not None  # noqa: S101  (an aware time has one)
    return offset.total_seconds()
