"""What a message may hold at all, whoever sent it: bounds that keep arithmetic and storage whole.

They are far beyond anything true. What is *plausible* is asked later, by who can answer it better
than with a dead letter: the detectors of a device's clock, the store of what it keeps.

=====================  =====================================================================
every moment           1970 to 2261, which 64 bits of nanoseconds hold
a measurement's time   the same, but what lies outside is taken as the nearest end: a device's
                       clock is wrong there either way, and the others of an upload are right
every number           ±10¹⁵, below which a double holds every whole number
a measured number      the same, but what lies outside is taken as the nearest end, as above
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
from msgspec.structs import replace

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
_STEPS: MappingProxyType[type, tuple[tuple[str, int], ...]] = MappingProxyType(
    {Event: (_SEQUENCE,), Alert: (_SEQUENCE, _REVISION), Phrase: (_REVISION,)}
)


class OutOfBoundsError(ValueError):
    """Says which field is out of bounds, its value and the bound."""


class OtherOffsetError(ValueError):
    """A moment is not in UTC. RFC 3339 allows offsets of up to 23:59, PostgreSQL takes 15:59."""


def checked(message: Any) -> Any:
    """The message, within bounds.

    Raises:
        OutOfBoundsError: a field of it is not.
        OtherOffsetError: it must be read again, its times in UTC.
    """
    kind = type(message)
    if kind is Upload:  # its numbers are checked by their type, ids by theirs: times are left
        received = message.received_at
        if received.tzinfo is not UTC or not _FIRST_YEAR <= received.year <= _LAST_YEAR:
            _moment(received, "received_at")
        for item in message.measurements:
            time = item.time
            if time.tzinfo is not UTC:
                raise OtherOffsetError
            if not _FIRST_YEAR <= time.year <= _LAST_YEAR:  # whole years: quicker than moments
                return replace(message, measurements=tuple(map(_nearest, message.measurements)))
    elif kind is Tick:
        _moment(message.time, "time")
    else:
        _walk(message, "", 0)
        for name, last in _STEPS.get(kind, ()):
            step = getattr(message, name)
            if not 0 <= step <= last:
                raise OutOfBoundsError(f"{name} is {step}, not within 0 to {last}")
    return message


def check_plain(value: bytes) -> None:
    """Name what is out of bounds in JSON that is of no type; nothing, if nothing is.

    Raises:
        OutOfBoundsError: something is.
    """
    with suppress(msgspec.DecodeError, RecursionError):
        _walk(msgspec.json.decode(value), "$", 0)


def _nearest(item: Measurement) -> Measurement:
    time = min(max(item.time, FIRST), LAST)
    return item if time is item.time else replace(item, time=time)


def _moment(time: datetime, where: str) -> None:
    if time.tzinfo is not UTC:
        raise OtherOffsetError
    if not FIRST <= time <= LAST:
        raise OutOfBoundsError(f"{where} is {time.isoformat()}, not within 1970 to 2261")


def _walk(value: Any, where: str, depth: int) -> None:
    """Every moment, number and text in it."""
    parts = _parts(value, where)
    if parts is None:
        _single(value, where)
        return
    for name, part in parts:
        if depth == DEEPEST:
            raise OutOfBoundsError(f"{where} has more than {DEEPEST} levels")
        _walk(part, name, depth + 1)


def _parts(value: Any, where: str) -> Iterable[tuple[str, Any]] | None:
    """What it consists of, each with its place; None: it is a single thing."""
    match value:
        case dict():
            for key in value:
                _single(key, f"a key of {where}")
            return ((f"{where}.{key[:_SHOWN]}", item) for key, item in value.items())
        case list() | tuple():
            return ((f"{where}[{number}]", item) for number, item in enumerate(value))
        case Struct():
            names = value.__struct_fields__
            return ((f"{where}.{name}".lstrip("."), getattr(value, name)) for name in names)
    return None


def _single(value: Any, where: str) -> None:
    match value:
        case str():
            if len(value) > LONGEST:
                raise OutOfBoundsError(f"{where} has {len(value)} characters, over {LONGEST}")
        case datetime():
            _moment(value, where)
        case int() | float():
            if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:  # also refuses NaN
                raise OutOfBoundsError(f"{where} is {_number(value)}, not within ±1e15")


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else f"of {value.bit_length()} bits"
