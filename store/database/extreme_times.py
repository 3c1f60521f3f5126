"""Reading times that Python cannot represent: before the year 1, after 9999, or infinite.

The driver refuses the whole answer because of one such time, and with it the rows of everybody
else. When it does, the query is run once more with such times clamped to the first or last that
Python can represent; a page shows those as impossible (:func:`dashboard.shell.wording.clock`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from psycopg.types.datetime import TimestamptzLoader

T = TypeVar("T")
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


class _ClampingLoader(TimestamptzLoader):
    def load(self, data: Any) -> datetime:
        """The time; the first or the last that Python can represent if it is outside."""
        try:
            return super().load(data)
        except psycopg.DataError:
            text = bytes(data)
            return FIRST if text.startswith(b"-") or text.endswith(b"BC") else LAST


async def fetch_all(cursor: psycopg.AsyncCursor[T], what: Any, values: Any) -> list[T]:
    """All rows of a query, executed on this cursor."""
    await cursor.execute(what, values)
    try:
        return await cursor.fetchall()
    except psycopg.DataError:
        cursor.adapters.register_loader("timestamptz", _ClampingLoader)
        await cursor.execute(what, values)
        return await cursor.fetchall()


def fetch_all_blocking(cursor: psycopg.Cursor[T], what: Any, values: Any) -> list[T]:
    """The same on a synchronous cursor."""
    cursor.execute(what, values)
    try:
        return cursor.fetchall()
    except psycopg.DataError:
        cursor.adapters.register_loader("timestamptz", _ClampingLoader)
        cursor.execute(what, values)
        return cursor.fetchall()
