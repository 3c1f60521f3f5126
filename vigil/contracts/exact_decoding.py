"""The same decoding as msgspec's, with times read by :mod:`vigil.values.timestamps`.

msgspec reads RFC 3339 as :func:`vigil.values.timestamps.parse` does, but for two things: it rounds
a fraction of more than six digits, and refuses a leap second. Messages with either are few, and
come here: one more pass over each, by type, so that a text that only looks like a time stays as it
was. So do uploads with a measured number beyond the bounds (:mod:`vigil.contracts.bounds`).
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
"""Whether msgspec may round a time in this JSON. Nearly always no, and asked of every message."""
escaped = re.compile(rb"\\u00[23]").search
"""The same of JSON in which a point, a colon or a digit may be written so."""


def decode(kind: Any, value: bytes) -> Any:
    """The JSON as ``kind``; its times are in UTC.

    Raises:
        msgspec.DecodeError: it is not JSON, or not of that shape.
    """
    plain = msgspec.json.decode(value)
    if kind is Upload:
        _bound(plain)
    read = _reader(kind)
    try:
        return msgspec.convert(read(plain) if read is not None else plain, kind)
    except OverflowError as error:  # an integer of more than 308 digits, for a float
        raise msgspec.DecodeError("Number out of range") from error


def _bound(upload: Any) -> None:
    """Put measured numbers beyond the bounds at the nearest: no signal's range reaches there, so
    they are refused one by one, and whatever else was measured is not lost with them."""
    for item in _listed(upload, "measurements"):
        values = item.get("values") if isinstance(item, dict) else None
        context = item.get("context") if isinstance(item, dict) else None
        for plain, names in ((values, None), (context, ("steps_per_min",))):
            if isinstance(plain, dict):
                for name in names or list(plain):
                    number = plain.get(name)
                    if isinstance(number, int | float) and not isinstance(number, bool):
                        plain[name] = min(max(number, -LARGEST_NUMBER), LARGEST_NUMBER)


def _listed(plain: Any, name: str) -> list[Any]:
    found = plain.get(name) if isinstance(plain, dict) else None
    return found if isinstance(found, list) else []


@cache
def _reader(kind: Any) -> Reader | None:
    return _of(inspect.type_info(kind))


def _of(kind: inspect.Type) -> Reader | None:
    """Replaces the times of plain JSON by instants; None: a type without times."""
    match kind:
        case inspect.DateTimeType():
            return _time
        case inspect.StructType():
            parts = {field.encode_name: _of(field.type) for field in kind.fields}
            return _in_object({name: read for name, read in parts.items() if read is not None})
        case inspect.DictType():
            return _in_each(_of(kind.value_type))
        case inspect.VarTupleType() | inspect.ListType():
            return _in_each(_of(kind.item_type))
        case inspect.UnionType():
            return next(filter(None, map(_of, kind.types)), None)
    return None


def _time(words: Any) -> datetime | Any:
    """The instant; the words themselves where they name none, for the decoder to refuse."""
    if isinstance(words, str):
        try:
            return timestamps.parse(words)
        except timestamps.NotATimeError:
            pass
    return words


def _in_object(parts: Mapping[str, Reader]) -> Reader | None:
    def read(plain: Any) -> Any:
        if isinstance(plain, dict):
            for name, reader in parts.items():
                if name in plain:
                    plain[name] = reader(plain[name])
        return plain

    return read if parts else None


def _in_each(reader: Reader | None) -> Reader | None:
    if reader is None:
        return None

    def read(plain: Any) -> Any:
        if isinstance(plain, dict):
            return {key: reader(item) for key, item in plain.items()}
        return [reader(item) for item in plain] if isinstance(plain, list) else plain

    return read
