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
        self._config = config
        self._newest = (0.0, hour(config, 0.0))
        """The last time that was asked for, and its hour: a moment is asked for more than once."""

    def hour(self, time: float) -> float:
        """The local hour of the day, as :func:`hour` has it."""
        asked, known = self._newest
        if asked != time:
            known = hour(self._config, time)
            self._newest = (time, known)
        return known

    def hours(self, time: float) -> float:
        """Hours east of UTC at a time (seconds since 1970, UTC)."""
        return _hours_east(self._config, time)

    def seconds(self, time: float) -> float:
        """Seconds east of UTC at a time (seconds since 1970, UTC)."""
        return _hours_east(self._config, time) * 3600.0

    @property
    def stated(self) -> dict[str, str | float]:
        """What the evidence says of it, so that a day is named as the patient counts it: nothing
        where local time is UTC."""
        if self._config.time_zone:
            return {"time_zone": self._config.time_zone} if self._config.time_zone != "UTC" else {}
        offset = self._config.utc_offset_hours
        return {"utc_offset_hours": offset} if offset else {}

    def instant(self, local: float) -> float:
        """The time (seconds since 1970, UTC) of a local one; of one that comes twice or never, one
        of the two that are meant."""
        return local - self.seconds(local - self.seconds(local))


def hour(config: ContextConfig, time: float) -> float:
    """The local hour of the day, 0 to under 24, at a time (seconds since 1970, UTC)."""
    east = _hours_east(config, time) if config.time_zone else config.utc_offset_hours
    return (time / 3600 + east) % 24


def _hours_east(config: ContextConfig, time: float) -> float:
    if config.time_zone:
        return _zone_hours(config.time_zone, int(time // _MINUTE))
    return config.utc_offset_hours


@lru_cache(maxsize=65_536)
def _zone_hours(zone: str, minute: int) -> float:
    moment = datetime.fromtimestamp(minute * _MINUTE, UTC).astimezone(ZoneInfo(zone))
    offset = moment.utcoffset()
    assert offset is not None  # noqa: S101  (an aware time has one)
    return offset.total_seconds() / 3600  # a multiple of a quarter in every zone since 2000
