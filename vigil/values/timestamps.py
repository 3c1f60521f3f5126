"""The one parser of times: RFC 3339, cut to microseconds. Every entrance uses it.

A time is what RFC 3339 §5.6 allows, and of what else is usual the offset without a colon
(``+0100``) and a time without seconds (``06:02Z``), as senders with minute resolution write it.
``T`` and ``Z`` may be lower case, a space may replace ``T``; ``-00:00`` is UTC.

*Cut*: of a second's fraction the first six digits count, whatever follows, so that a reading has
one instant whichever way it comes (msgspec rounds half up, PostgreSQL half to even).

*Leap second*: 23:59:60 in UTC, of whatever day, is the first second of the next day, its fraction
kept: what PostgreSQL makes of a whole one, and POSIX time. No table says which days end so, since a
device is older than the next announcement. Any other minute has no second 60.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|(60))"
    r"(?:\.[0-9]+)?)?([Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)
_BEGIN = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


class NotATimeError(ValueError):
    """The text is no time."""


class NaiveTimeError(NotATimeError):
    """The text is a time without an offset from UTC."""


def parse(words: str) -> datetime:
    """The instant of a time in text, in UTC, cut to microseconds.

    A time that leaves the calendar (years 1 to 9999) when converted to UTC becomes the calendar's
    first or last instant.

    Raises:
        NotATimeError: it is no time.
        NaiveTimeError: it lacks the offset from UTC.

    >>> parse("2026-11-21T07:02:00.1234567+01:00")
    datetime.datetime(2026, 11, 21, 6, 2, 0, 123456, tzinfo=datetime.timezone.utc)
    >>> parse("2016-12-31T23:59:60.5Z")
    datetime.datetime(2017, 1, 1, 0, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    """
    form = _FORM.fullmatch(words)
    if form is None:
        raise NotATimeError(words)
    if form[2] is None:
        raise NaiveTimeError(words)
    try:
        if form[1] is None:
            return _in_utc(datetime.fromisoformat(words.upper()))
        return _leap_second(words)
    except ValueError:  # the 30th of February
        raise NotATimeError(words) from None


def _leap_second(words: str) -> datetime:
    before = _in_utc(datetime.fromisoformat(f"{words[:17]}59{words[19:]}".upper()))
    if (before.hour, before.minute) != (23, 59):
        raise NotATimeError(words)
    return before + timedelta(seconds=1) if before.date() != _END.date() else _END


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return _BEGIN if time.year == 1 else _END
