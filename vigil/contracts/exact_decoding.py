"""Decodes JSON as msgspec does, with times parsed by :mod:`vigil.values.timestamps`.

msgspec parses RFC 3339 as :func:`vigil.values.timestamps.parse` does, with three exceptions: it
rounds a fraction of more than six digits, and refuses a leap second and a time without seconds.
Messages with these are rare, and are decoded here: with one more pass over each, by type, so that a
text that only looks like a time remains unchanged. So are uploads with a measured number out of
bounds (:mod:`vigil.contracts.bounds`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from vigil.domain.reading import LARGEST_NUMBER, Upload
from vigil.values import timestamps

Reader = Callable[[Any], Any]

rounds = re.compile(rb"\.[0-9]{7}").search
"""Whether msgspec may round a time in this JSON. Called for every message, and nearly always no."""
escaped = re.compile(rb"\\u00[23]").search
"""The same for JSON in which a point, a colon or a digit may be escaped."""


def decode(kind: Any, value: bytes) -> Any:
    """Decode the JSON as ``kind``; its times are in UTC.

    Raises:
        msgspec.DecodeError: it is not JSON, or not of that shape.
    """
    plain = msgspec.json.decode(value)
    if kind is Upload:
        _clamp_numbers(plain)
    read = _reader(kind)
    try:
        return msgspec.convert(read(plain) if read is not None else plain, kind)
    except OverflowError as error:  # an integer of more than 308 digits, for a float
        raise msgspec.DecodeError("Number out of range") from error


def _clamp_numbers(upload: Any) -> None:
    """Replace measured numbers out of bounds by the nearest bound: no signal's range reaches there,
    so they are refused one by one, and the other measurements are not lost with them."""
    for item in _read_list(upload, "measurements"):
        values = item.get("values") if isinstance(item, dict) else None
        context = item.get("context") if isinstance(item, dict) else None
        for plain, names in ((values, None), (context, ("steps_per_min",))):
            if isinstance(plain, dict):
                for name in names or list(plain):
                    number = plain.get(name)
                    if isinstance(number, int | float) and not isinstance(number, bool):
                        plain[name] = min(max(number, -LARGEST_NUMBER), LARGEST_NUMBER)


def _read_list(plain: Any, name: str) -> list[Any]:
    found = plain.get(name) if isinstance(plain, dict) else None
    return found if isinstance(found, list) else []


@cache
def _reader(kind: Any) -> Reader | None:
    return _find_reader(inspect.type_info(kind))


def _find_reader(kind: inspect.Type) -> Reader | None:
    """A function that replaces the times of plain JSON by datetimes; None: a type without times."""
    match kind:
        case inspect.DateTimeType():
            return _parse_time
        case inspect.StructType():
            parts = {field.encode_name: _find_reader(field.type) for field in kind.fields}
            return _read_fields({name: read for name, read in parts.items() if read is not None})
        case inspect.DictType():
            return _read_each(_find_reader(kind.value_type))
        case inspect.VarTupleType() | inspect.ListType():
            return _read_each(_find_reader(kind.item_type))
        case inspect.UnionType():
            return next(filter(None, map(_find_reader, kind.types)), None)
    return None


def _parse_time(text: Any) -> datetime | Any:
    """The time; the text itself if it is none, for the decoder to refuse."""
    if isinstance(text, str):
        try:
            return timestamps.parse(text)
        except timestamps.NotATimeError:
            pass
    return text


def _read_fields(parts: Mapping[str, Reader]) -> Reader | None:
    def read(plain: Any) -> Any:
        if isinstance(plain, dict):
            for name, reader in parts.items():
                if name in plain:
                    plain[name] = reader(plain[name])
        return plain

    return read if parts else None


def _read_each(reader: Reader | None) -> Reader | None:
    if reader is None:
        return None

    def read(plain: Any) -> Any:
        if isinstance(plain, dict):
            return {key: reader(item) for key, item in plain.items()}
        return [reader(item) for item in plain] if isinstance(plain, list) else plain

    return read
