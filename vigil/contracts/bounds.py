"""What any message may hold, whoever sent it: bounds within which arithmetic and storage are safe.

They are far beyond any true value. What is *plausible* is checked later, where something better
than a dead letter is possible: by the detectors for a device's clock, by the store for its tables.

=====================  =====================================================================
every moment           1970 to 2261, which 64 bits of nanoseconds hold
a measurement's time   the same, but one outside is replaced by the nearest end: a device's clock is
                       wrong there either way, and the others of an upload are right
an upload's sent_at    the same
every number           ±10¹⁵, below which a double holds every whole number
a measured number      the same, but one outside is replaced by the nearest end, as above
sequence               0 to 2²⁹
revision               0 to 2³⁰: an alert's is twice its sequence, and tables have 32 bits for both
free-form objects      at most 16 levels, texts of at most 16,384 characters
=====================  =====================================================================

The numbers of an upload, of which there are most, are bounded by their type
(:data:`vigil.domain.reading.Number`), which costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import LARGEST_NUMBER, Measurement, Tick, Upload

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2261, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = FIRST.year, LAST.year
DEEPEST = 16
LONGEST = 16_384
_SHOWN = 40
_SEQUENCE, _REVISION = ("sequence", 2**29), ("revision", 2**30 + 1)
_COUNTERS: MappingProxyType[type, tuple[tuple[str, int], ...]] = MappingProxyType(
    {Event: (_SEQUENCE,), Alert: (_SEQUENCE, _REVISION), Phrase: (_REVISION,)}
)


class OutOfBoundsError(ValueError):
    """Names the field that is out of bounds, its value and the bound."""


class OtherOffsetError(ValueError):
    """A time is not in UTC. RFC 3339 permits offsets of up to 23:59, PostgreSQL 15:59."""


def check_bounds(message: Any) -> Any:
    """The message, if it is within bounds.

    Raises:
        OutOfBoundsError: a field of it is not.
        OtherOffsetError: it must be decoded again, with its times in UTC.
    """
    kind = type(message)
    if kind is Upload:  # the types of its numbers and ids check them: times are left
        received = message.received_at
        if received.tzinfo is not UTC or not _FIRST_YEAR <= received.year <= _LAST_YEAR:
            _check_time(received, "received_at")
        if message.sent_at is not None:
            message = _with_sent_at(message, message.sent_at)
        for item in message.measurements:
            time = item.time
            if time.tzinfo is not UTC:
                raise OtherOffsetError
            if not _FIRST_YEAR <= time.year <= _LAST_YEAR:  # whole years are faster
                return replace(message, measurements=tuple(map(_clamp_time, message.measurements)))
    elif kind is Tick:
        _check_time(message.time, "time")
    else:
        if not _is_within(message):
            _check_all(message, "", 0)
        for name, last in _COUNTERS.get(kind, ()):
            value = getattr(message, name)
            if not 0 <= value <= last:
                raise OutOfBoundsError(f"{name} is {value}, not within 0 to {last}")
    return message


def check_plain(value: bytes) -> None:
    """Check JSON that could not be decoded as a type.

    Raises:
        OutOfBoundsError: something is.
    """
    with suppress(msgspec.DecodeError, RecursionError):
        _check_all(msgspec.json.decode(value), "$", 0)


def _with_sent_at(message: Upload, sent: datetime) -> Upload:
    """The upload, its sender's time within bounds: that clock may be wrong in any way."""
    if sent.tzinfo is not UTC:
        raise OtherOffsetError
    inside = min(max(sent, FIRST), LAST)
    return message if inside is sent else replace(message, sent_at=inside)


def _clamp_time(item: Measurement) -> Measurement:
    time = min(max(item.time, FIRST), LAST)
    return item if time is item.time else replace(item, time=time)


def _check_time(time: datetime, where: str) -> None:
    if time.tzinfo is not UTC:
        raise OtherOffsetError
    if not FIRST <= time <= LAST:
        raise OutOfBoundsError(f"{where} is {time.isoformat()}, not within 1970 to 2261")


def _is_within(value: Any) -> bool:
    """Whether everything in it is surely within bounds; False: :func:`_check_all` is to decide.

    It visits the same parts, level by level, but builds no paths to name them by, which takes four
    times as long.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        parts = _parts_within(level)
        if not parts:
            return parts is not None
        level = parts
    return False


def _parts_within(level: Iterable[Any]) -> list[Any] | None:
    """The parts of some values; None: not every single one among them is surely within bounds."""
    parts: list[Any] = []
    for each in level:
        kind = type(each)
        if kind is str:
            if len(each) > LONGEST:
                return None
        elif kind is float or kind is int:
            if not -LARGEST_NUMBER <= each <= LARGEST_NUMBER:  # also refuses NaN
                return None
        elif kind is dict:
            parts += each
            parts += each.values()
        elif kind is datetime:
            if each.tzinfo is not UTC or not _FIRST_YEAR <= each.year <= _LAST_YEAR:
                return None
        elif kind is tuple or kind is list:
            parts += each
        elif isinstance(each, Struct):
            parts += astuple(each)
        elif each is not None and kind is not bool:
            return None
    return parts


def _check_all(value: Any, where: str, depth: int) -> None:
    """Check every time, number and text in it."""
    parts = _split(value, where)
    if parts is None:
        _check_single(value, where)
        return
    for name, part in parts:
        if depth == DEEPEST:
            raise OutOfBoundsError(f"{where} has more than {DEEPEST} levels")
        _check_all(part, name, depth + 1)


def _split(value: Any, where: str) -> Iterable[tuple[str, Any]] | None:
    """The parts of a value, each with its path; None: it is a single one."""
    match value:
        case dict():
            for key in value:
                _check_single(key, f"a key of {where}")
            return ((f"{where}.{key[:_SHOWN]}", item) for key, item in value.items())
        case list() | tuple():
            return ((f"{where}[{number}]", item) for number, item in enumerate(value))
        case Struct():
            names = value.__struct_fields__
            return ((f"{where}.{name}".lstrip("."), getattr(value, name)) for name in names)
    return None


def _check_single(value: Any, where: str) -> None:
    match value:
        case str():
            if len(value) > LONGEST:
                raise OutOfBoundsError(f"{where} has {len(value)} characters, over {LONGEST}")
        case datetime():
            _check_time(value, where)
        case int() | float():
            if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:  # also refuses NaN
                raise OutOfBoundsError(f"{where} is {_describe_number(value)}, not within ±1e15")


def _describe_number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else f"of {value.bit_length()} bits"
