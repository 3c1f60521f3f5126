"""Many rows as one statement: one array parameter per column, put together by ``unnest``.

The driver encodes the arrays in PostgreSQL's binary format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

Columns = Sequence[tuple[str, str]]
"""Name and PostgreSQL type of each column."""


def unnest(columns: Columns) -> sql.Composed:
    """``unnest(%b::text[], …)``: a table of the parameters that :func:`to_columns` returns."""
    arrays = (sql.SQL("%b::{}[]").format(sql.SQL(kind)) for _, kind in columns)
    return sql.SQL("unnest({})").format(sql.SQL(", ").join(arrays))


def column_names(columns: Columns) -> sql.Composed:
    """The columns' names, separated by commas."""
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)


def to_columns(columns: Columns, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The rows (at least one) transposed: one list per column. The driver takes lists of one type
    only, so whole numbers become floats where the column is ``float8``."""
    pairs = zip(columns, zip(*rows, strict=True), strict=True)
    return [_floats(values) if kind == "float8" else list(values) for (_, kind), values in pairs]


def _floats(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]
