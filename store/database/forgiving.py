"""Reading what Python has no word for: a moment before the year 1, after 9999, or infinite.

The driver refuses a whole answer for one such moment, and with it what was asked about everybody
else. Where it does, the question is asked once more and such a moment comes as the first or last
that Python has; a page shows it as a time that cannot be (:func:`dashboard.shell.wording.clock`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from psycopg.types.datetime import TimestamptzLoader

T = TypeVar("T")
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


class _Forgiving(TimestamptzLoader):
    def load(self, data: Any) -> datetime:
        """The moment; the first or the last where Python has none."""
        try:
            return super().load(data)
        except psycopg.DataError:
            text = bytes(data)
            return FIRST if text.startswith(b"-") or text.endswith(b"BC") else LAST


async def fetched(cursor: psycopg.AsyncCursor[T], what: Any, values: Any) -> list[T]:
    """All rows of a query, asked for on this cursor."""
    await cursor.execute(what, values)
    try:
        return await cursor.fetchall()
    except psycopg.DataError:
        cursor.adapters.register_loader("timestamptz", _Forgiving)
        await cursor.execute(what, values)
        return await cursor.fetchall()


def fetched_now(cursor: psycopg.Cursor[T], what: Any, values: Any) -> list[T]:
    """The same without waiting for others meanwhile."""
    cursor.execute(what, values)
    try:
        return cursor.fetchall()
    except psycopg.DataError:
        cursor.adapters.register_loader("timestamptz", _Forgiving)
        cursor.execute(what, values)
        return cursor.fetchall()
