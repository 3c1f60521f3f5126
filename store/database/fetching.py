"""The rows of a named query, with the driver's errors translated into ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.rows import DictRow, dict_row

from store.database import extreme_times
from store.database.connections import AsyncConnection, translated


async def fetch_rows(
    connection: AsyncConnection, what: bytes, values: Mapping[str, Any]
) -> list[DictRow]:
    """The rows of a query, as dicts by column name.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        async with connection.cursor(row_factory=dict_row) as cursor:
            return await extreme_times.fetch_all(cursor, what, values)
