"""Writes readings: by COPY directly into the table when all of them are new, as most are.

Three ways, each for cases that the one before it cannot handle:

1. COPY into the table. It is the fastest, and fails at the first reading that is stored already.
2. COPY into a temporary table, and from there ``INSERT … ON CONFLICT DO NOTHING``.
3. INSERT of arrays, by halves, when a row is refused (:mod:`store.writing.writer`). It decides
   whether a row is refused.

A COPY that fails is an error in the server's log, which quotes the key unless the session may set
``log_error_verbosity = terse`` (:data:`store.database.guard.TERSE_LOG`). If it may not, the first
way is never used.

The rows that a COPY wrote before it failed stay in the table as dead rows until a vacuum. So the
first way must not be retried over and over while a log is read again: :class:`CopyBackoff`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from store.database import arrays, guard
from store.database.connections import Connection
from store.readings.latest import Latest
from store.readings.rows import COLUMNS, Refuse, Row, clean_upload, write_rows
from vigil.domain.reading import Upload
from vigil.streaming.handler import Received

MOST_PIECES = 64
"""Most pieces without a duplicate before COPY into the table is tried again."""

_TYPES = [kind for _, kind in COLUMNS]
_NAMES = arrays.column_names(COLUMNS)
_COPY = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
_INTO_TABLE = _COPY.format(sql.Identifier("readings"), _NAMES)
_INTO_STAGING = _COPY.format(sql.Identifier("pg_temp", "readings_staged"), _NAMES)
_STAGING = sql.SQL(
    "CREATE TEMPORARY TABLE IF NOT EXISTS readings_staged ({}) ON COMMIT DELETE ROWS"
).format(
    sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in COLUMNS
    )
)
_EMPTY_STAGING = "TRUNCATE pg_temp.readings_staged"
_INSERT = sql.SQL("INSERT INTO readings ({0}) SELECT {0} FROM {1} ON CONFLICT DO NOTHING")
_FROM_STAGING = _INSERT.format(_NAMES, sql.Identifier("pg_temp", "readings_staged"))
_FROM_ARRAYS = sql.SQL("INSERT INTO readings ({}) SELECT * FROM {} ON CONFLICT DO NOTHING").format(
    _NAMES, arrays.unnest(COLUMNS)
)


class CopyBackoff:
    """Whether to try COPY into the table. Each duplicate doubles the wait before the next try."""

    def __init__(self) -> None:
        self._needed = 1
        self._left = 0

    def allows_copy(self) -> bool:
        """Whether to try COPY into the table."""
        return self._left == 0

    def record_success(self) -> None:
        """COPY into the table succeeded: all readings of a piece were new."""
        self._needed = max(1, self._needed // 2)

    def record_duplicate(self) -> None:
        """COPY into the table failed at a duplicate."""
        self._needed = min(MOST_PIECES, self._needed * 2)
        self._left = self._needed

    def record_staged(self, *, duplicates: bool) -> None:
        """A piece was written through the temporary table."""
        self._left = self._needed if duplicates else max(0, self._left - 1)


class ReadingWriter:
    """Writes readings over one connection, by the first two ways.

    Args:
        direct: whether COPY into the table may be used at all. At a reading that is stored
            already, the server logs an error.
    """

    def __init__(self, connection: Connection, *, direct: bool = True):
        self._connection = connection
        self._direct = direct
        self._backoff = CopyBackoff()

    def insert(self, piece: Sequence[Received], refuse: Refuse, latest: Latest) -> int:
        """Write the readings of these uploads; returns how many were new.

        Raises:
            psycopg.Error, UnicodeError: a row is refused; nothing of the piece was written.
        """
        noted = Latest()
        direct = self._direct and self._backoff.allows_copy()
        new = self._copied(piece, refuse, noted) if direct else None
        if new is None:
            new = self._staged(piece, refuse, noted)
        latest.update(noted)
        return new

    def _copied(self, *piece: Any) -> int | None:
        """COPY into the table; None: a reading is stored already."""
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                new = _copy(cursor, _INTO_TABLE, *piece)
        except psycopg.errors.UniqueViolation:
            self._backoff.record_duplicate()
            return None
        self._backoff.record_success()
        return new

    def _staged(self, *piece: Any) -> int:
        """COPY into a temporary table, and INSERT from there."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(_STAGING)
            cursor.execute(_EMPTY_STAGING)
            count = _copy(cursor, _INTO_STAGING, *piece)
            new = cursor.execute(_FROM_STAGING).rowcount
        self._backoff.record_staged(duplicates=new < count)
        return new


def _copy(
    cursor: psycopg.Cursor[Any],
    into: sql.Composed,
    piece: Sequence[Received],
    refuse: Refuse,
    latest: Latest,
) -> int:
    """Returns how many rows were sent. The database inserts them while the next are prepared."""
    with cursor.copy(into) as copy:
        copy.set_types(_TYPES)
        for received in piece:
            upload: Upload = received.message  # type: ignore[assignment]
            if not write_rows(upload, copy.write_row):
                upload = clean_upload(received, refuse)
            latest.add(upload)
    return cursor.rowcount


def insert_as_arrays(connection: Connection, uploads: Sequence[Upload]) -> int:
    """INSERT as arrays; returns how many readings were new.

    Raises:
        psycopg.Error, UnicodeError: a row is refused; nothing was written.
    """
    rows: list[Row] = []
    for upload in uploads:
        write_rows(upload, rows.append)
    return connection.execute(_FROM_ARRAYS, arrays.to_columns(COLUMNS, rows)).rowcount


def hides_error_details(connection: Connection) -> bool:
    """Whether the server's log omits the details of an error: the key, which contains the patient's
    id. If it does not, no statement of ours may fail on a key."""
    answer = connection.execute(guard.TERSE_LOG).fetchone()
    return answer is not None and answer["verbosity"] == guard.TERSE
