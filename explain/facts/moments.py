"""Slots of time: how long a finding lasted, and when it was first and last seen.

A duration, and the two ends of one, exist only where the duration was observed
(:func:`explain.facts.extraction.duration_observed`). Of any other finding it is only known when it
was first seen, and when a reading showed that it was over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from explain.facts.evidence import number, within_range
from explain.facts.extraction import announcement_of
from explain.facts.slot_formatting import (
    AT_TIME,
    DAY,
    HOURS_AND_MINUTES,
    ON_DAY,
    SINCE_DAY,
    SINCE_TIME,
    TIME,
    SlotValue,
)
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.values.numbers import finite_number
from vigil.values.rounding import format_half_up, half_up

SHORTEST_SECONDS = 60.0
"""A shorter duration is one reading or the gap to the next: nothing worth a number."""
LONGEST_SECONDS = 366 * 86_400.0
_A_DAY = timedelta(days=1)
_TWO_DIGITS = tuple(f"{number:02}" for number in range(60))
"""Of an hour, of a minute."""


def rounded_duration(length: timedelta) -> SlotValue:
    """Rounded for reading: to 5 minutes from 10, to 10 from an hour, to hours from 2, then days.

    >>> rounded_duration(timedelta(minutes=41)), rounded_duration(timedelta(hours=40))
    (('minutes', '40'), ('days', '2'))
    """
    minutes = length.total_seconds() / 60
    if minutes < 10:
        return "minutes", format_half_up(minutes)
    if minutes < 60:
        return "minutes", format_half_up(5 * half_up(minutes / 5))
    if minutes < 115:
        return "minutes", format_half_up(10 * half_up(minutes / 10))
    if minutes < 36 * 60:
        return "hours", format_half_up(minutes / 60)
    return "days", format_half_up(minutes / 1440)


def rounded_offset(seconds: float) -> SlotValue:
    """By how much a clock is off: minutes up to an hour, then hours and minutes, whole quarters of
    an hour where it is within 2 minutes of them, as a wrong zone is; days from 36 hours on.

    >>> rounded_offset(960.0), rounded_offset(18_001.0), rounded_offset(19_830.0)
    (('minutes', '16'), ('hours', '5'), ('hours_and_minutes', '5', '30'))
    """
    if seconds >= 36 * 3600:
        return "days", format_half_up(seconds / 86_400)
    quarters = 15 * half_up(seconds / 900)
    near = quarters >= 60 and abs(seconds - 60 * quarters) <= 120
    whole = int(quarters if near else half_up(seconds / 60))
    hours, minutes = divmod(whole, 60)
    if not hours:
        return "minutes", str(minutes)
    return (HOURS_AND_MINUTES, str(hours), str(minutes)) if minutes else ("hours", str(hours))


def time_of_day(moment: datetime, seen_from: datetime) -> SlotValue:
    """A time of day in UTC, with the date where it differs from the date of ``seen_from``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if seen_from.tzinfo is not UTC:
        seen_from = seen_from.astimezone(UTC)
    time = (TIME, _TWO_DIGITS[moment.hour], _TWO_DIGITS[moment.minute])
    if moment.date() == seen_from.date():
        return time
    return (DAY, *time[1:], str(moment.day), str(moment.month))


def time_or_date(
    moment: datetime,
    seen_from: datetime,
    *,
    since: bool = False,
    zone: tzinfo = UTC,
    whole_days: bool = False,
) -> SlotValue:
    """A moment with the words that lead to it: a time within a day of ``seen_from``, else a date.

    Args:
        since: "since 31 January" rather than "on 31 January".
        zone: by which a date is named; a time of day is in UTC, and says so.
        whole_days: always a date, as of what is judged by days.

    >>> noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    >>> time_or_date(noon, noon + timedelta(hours=3))
    ('at_time', '12', '00')
    >>> time_or_date(noon, noon + timedelta(days=59), since=True)
    ('since_day', '31', '1')
    >>> midnight_in_berlin = datetime(2026, 7, 31, 22, tzinfo=UTC)
    >>> time_or_date(midnight_in_berlin, noon, zone=ZoneInfo("Europe/Berlin"))
    ('on_day', '1', '8')
    """
    if abs(seen_from - moment) < _A_DAY and not whole_days:
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
        time = (_TWO_DIGITS[moment.hour], _TWO_DIGITS[moment.minute])
        return (SINCE_TIME if since else AT_TIME, *time)
    local = in_zone(moment, zone)
    return (SINCE_DAY if since else ON_DAY, str(local.day), str(local.month))


def zone_of(evidence: Mapping[str, Any]) -> tzinfo:
    """The patient's local time as the evidence states it; UTC where it does not.

    >>> zone_of({"utc_offset_hours": 5.5})
    datetime.timezone(datetime.timedelta(seconds=19800))
    >>> zone_of({"time_zone": "No/Where"})
    datetime.timezone.utc
    """
    name = evidence.get("time_zone")
    if isinstance(name, str):
        return _zone_named(name)
    hours = within_range(number(evidence, "utc_offset_hours"), -14.0, 14.0)
    return UTC if hours is None else timezone(timedelta(hours=hours))


@lru_cache(maxsize=1024)
def _zone_named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """A moment in local time; in UTC where that leaves the calendar."""
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return moment.astimezone(UTC)


def _dated(
    event: Event, moment: datetime, seen_from: datetime, *, since: bool = False
) -> SlotValue:
    """A moment of an event, its day named as the patient counts it."""
    zone = zone_of(event.evidence)
    return time_or_date(moment, seen_from, since=since, zone=zone, whole_days=is_over_days(event))


def is_over_days(event: Event) -> bool:
    """Whether a finding looks at days, whose averages are no readings, and not at moments."""
    return event.kind in KINDS and KINDS[event.kind].cause == "trend"


def _days_differ(event: Event) -> bool:
    """Whether a finding over days has no time in UTC that would name its day."""
    return is_over_days(event) and zone_of(event.evidence) is not UTC


def times_stated(moment: datetime, seen_from: datetime) -> tuple[SlotValue, ...]:
    """How a text may state a moment as a time of day: by :func:`time_of_day`, with its date where
    that is another; and by :func:`time_or_date`, without one within a day.

    >>> midnight = datetime(2026, 2, 1, tzinfo=UTC)
    >>> times_stated(midnight - timedelta(minutes=5), midnight)
    (('time_and_day', '23', '55', '31', '1'), ('time', '23', '55'))
    """
    dated = time_of_day(moment, seen_from)
    within = time_or_date(moment, seen_from)
    if dated[0] == TIME or within[0] != AT_TIME:
        return (dated,)
    return (dated, (TIME, *within[1:]))


def _read_at(event: Event) -> datetime:
    """When the words are first read: of late data when it came, which may be days afterwards."""
    if not event.retrospective:
        return event.detected_at
    known = within_range(number(event.evidence, "signal_delay_seconds"), 0.0, LONGEST_SECONDS)
    return event.detected_at + timedelta(seconds=known or 0.0)


def _duration(event: Event, observed: bool) -> SlotValue | None:
    """``duration_seconds`` of the evidence, else from onset to end (or to what is known)."""
    if not observed:
        return None
    seconds = finite_number(event.evidence.get("duration_seconds"))
    if seconds is None:
        seconds = ((event.ended_at or event.detected_at) - event.onset).total_seconds()
    return _duration_of(seconds)


@lru_cache(maxsize=4096)
def _duration_of(seconds: float) -> SlotValue | None:
    """None of what is shorter or longer than any duration that is worth a number."""
    if within_range(seconds, SHORTEST_SECONDS, LONGEST_SECONDS) is None:
        return None
    return rounded_duration(timedelta(seconds=seconds))


def _since(event: Event, observed: bool) -> SlotValue | None:
    if not observed or _days_differ(event):
        return None
    return time_of_day(event.onset, _read_at(event))


def _until(event: Event, observed: bool) -> SlotValue | None:
    """When it ended; an end that nobody observed has no time."""
    if event.ended_at is None or event.phase != "closed" or not observed:
        return None
    if announcement_of(event) != "closed" or _days_differ(event):
        return None
    return time_of_day(event.ended_at, _read_at(event))


def _first_seen(event: Event, observed: bool) -> SlotValue | None:
    return None if observed else _dated(event, event.onset, _read_at(event))


def _found_over(event: Event, observed: bool) -> SlotValue | None:
    """When a reading first showed that it was over."""
    if observed or event.ended_at is None or announcement_of(event) != "closed":
        return None
    return _dated(event, event.ended_at, _read_at(event))


def _unseen_since(event: Event, observed: bool) -> SlotValue | None:
    """The last observation of what was closed because no further one came."""
    del observed
    if event.ended_at is None or announcement_of(event) != "unobserved":
        return None
    return _dated(event, event.ended_at, event.detected_at, since=True)


TIMES: MappingProxyType[str, Callable[[Event, bool], SlotValue | None]] = MappingProxyType(
    {
        "duration": _duration,
        "since": _since,
        "until": _until,
        "first_seen": _first_seen,
        "found_over": _found_over,
        "unseen_since": _unseen_since,
    }
)
"""Slot → what reads it from an event, given whether its duration was observed."""
_POSSIBLE = MappingProxyType(
    {
        (True, False): ("duration", "since"),
        (True, True): ("duration", "since", "until", "unseen_since"),
        (False, False): ("first_seen",),
        (False, True): ("first_seen", "found_over", "unseen_since"),
    }
)
"""Whether the duration was observed, and whether the event is an end → the slots that it may have;
any other of :data:`TIMES` reads nothing from it."""


def read_times(event: Event, observed: bool, found: dict[str, SlotValue]) -> None:
    """Add every slot of time that an event can fill to those found.

    Args:
        observed: its duration was.
    """
    for name in _POSSIBLE[observed, event.phase == "closed"]:
        value = TIMES[name](event, observed)
        if value is not None:
            found[name] = value
