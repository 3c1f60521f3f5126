"""Rows as one array a column: a thousand of them are one statement, on any server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from psycopg import sql

Columns = Sequence[tuple[str, str]]
"""Name and type of each column."""


def unnest(columns: Columns) -> sql.Composed:
    """``unnest(%s::text[], …)``: a table of what :func:`turned` gives as parameters."""
    arrays = (sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in columns)
    return sql.SQL("unnest({})").format(sql.SQL(", ").join(arrays))


def names(columns: Columns) -> sql.Composed:
    """The columns' names, with commas."""
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)


def turned(columns: Columns, rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The rows, one at least, as one array a column."""
    pairs = zip(columns, zip(*rows, strict=True), strict=True)
    return [_LITERALS.get(kind, list)(values) for (_, kind), values in pairs]


def _texts(values: Iterable[str | None]) -> str:
    return f"{{{','.join(['NULL' if v is None else _quoted(v) for v in values])}}}"


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _floats(values: Iterable[float | None]) -> str:
    return f"{{{','.join(['NULL' if v is None else repr(float(v)) for v in values])}}}"


def _times(values: Iterable[datetime]) -> str:
    made, last, text = [], None, ""
    for value in values:
        if value is not last:  # neighbours are often the very same object
            last, text = value, value.isoformat()
        made.append(text)
    return f"{{{','.join(made)}}}"


_LITERALS: MappingProxyType[str, Callable[[Any], Any]] = MappingProxyType(
    {"text": _texts, "float8": _floats, "timestamptz": _times}
)
"""PostgreSQL's array literals, written here because it takes a third of the driver's time. Other
types are left to the driver."""
