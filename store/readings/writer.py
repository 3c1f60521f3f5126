"""Writes readings: by COPY straight into the table where all of them are new, as most are.

Three ways, each for what the one before it cannot do:

1. COPY into the table. It is the fastest, and it ends at the first reading that is there already.
2. COPY into a table of this session, and from there ``INSERT … ON CONFLICT DO NOTHING``.
3. Rows as arrays: by halves where one is refused (:mod:`store.writing.writer`), and on a server
   that has no COPY. It has the last word on a row.

A COPY that fails is an error in the server's log, which quotes the key unless the session may say
``log_error_verbosity = terse`` (:data:`store.database.guard.QUIET`). Where it may not, the first
way is never tried.

What a COPY wrote before it failed stays in the table as dead rows, until vacuum comes. So the first
way must not be tried over and over on a log that is read again: :class:`Trust`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from store.database import arrays, guard
from store.database.connections import Connection
from store.readings.latest import Latest
from store.readings.rows import COLUMNS, Refuse, Row, cleaned, write_rows
from vigil.domain.reading import Upload
from vigil.streaming.handler import Received

MOST_PIECES = 64
"""Pieces without a repetition, at most, before the first way is tried again."""

_TYPES = [kind for _, kind in COLUMNS]
_NAMES = arrays.names(COLUMNS)
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


class Trust:
    """Whether the next readings are expected to be new. Each disappointment makes it slower."""

    def __init__(self) -> None:
        self._needed = 1
        self._left = 0

    def expects_new(self) -> bool:
        """Whether to try the first way."""
        return self._left == 0

    def confirmed(self) -> None:
        """The first way found all of a piece to be new."""
        self._needed = max(1, self._needed // 2)

    def disappointed(self) -> None:
        """The first way met a repetition."""
        self._needed = min(MOST_PIECES, self._needed * 2)
        self._left = self._needed

    def seen(self, *, repeated: bool) -> None:
        """What the second way found."""
        self._left = self._needed if repeated else max(0, self._left - 1)


class ReadingWriter:
    """Writes readings over one connection, by the first two ways.

    Args:
        straight: whether the first way may be tried at all. Where it meets a reading that is there
            already, the server logs an error.
    """

    def __init__(self, connection: Connection, *, straight: bool = True):
        self._connection = connection
        self._straight = straight
        self._trust = Trust()

    def insert(self, piece: Sequence[Received], refuse: Refuse, latest: Latest) -> int:
        """Write the readings of these uploads; returns how many were not there before.

        Raises:
            psycopg.Error, UnicodeError: a row is refused; nothing of the piece was written.
        """
        noted = Latest()
        straight = self._straight and self._trust.expects_new()
        new = self._copied(piece, refuse, noted) if straight else None
        if new is None:
            new = self._staged(piece, refuse, noted)
        latest.update(noted)
        return new

    def _copied(self, *piece: Any) -> int | None:
        """The first way; None where a reading is there already."""
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                new = _copy(cursor, _INTO_TABLE, *piece)
        except psycopg.errors.UniqueViolation:
            self._trust.disappointed()
            return None
        self._trust.confirmed()
        return new

    def _staged(self, *piece: Any) -> int:
        """The second way."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(_STAGING)
            cursor.execute(_EMPTY_STAGING)
            count = _copy(cursor, _INTO_STAGING, *piece)
            new = cursor.execute(_FROM_STAGING).rowcount
        self._trust.seen(repeated=new < count)
        return new


def _copy(
    cursor: psycopg.Cursor[Any],
    into: sql.Composed,
    piece: Sequence[Received],
    refuse: Refuse,
    latest: Latest,
) -> int:
    """Returns how many rows were sent. The database works on them while the next are made."""
    with cursor.copy(into) as copy:
        copy.set_types(_TYPES)
        for received in piece:
            upload: Upload = received.message  # type: ignore[assignment]
            if not write_rows(upload, copy.write_row):
                upload = cleaned(received, refuse)
            latest.add(upload)
    return cursor.rowcount


def insert_as_arrays(connection: Connection, uploads: Sequence[Upload]) -> int:
    """The third way; returns how many readings were not there before.

    Raises:
        psycopg.Error, UnicodeError: a row is refused; nothing was written.
    """
    made: list[Row] = []
    for upload in uploads:
        write_rows(upload, made.append)
    return connection.execute(_FROM_ARRAYS, arrays.turned(COLUMNS, made)).rowcount


def discreet(connection: Connection) -> bool:
    """Whether the server leaves out of its log what an error quotes of a row: the key, which holds
    the patient's id. Where it does not, no statement of ours may fail on a key."""
    answer = connection.execute(guard.QUIET).fetchone()
    return answer is not None and answer["verbosity"] == guard.TERSE


def copies(connection: Connection) -> bool:
    """Whether the server has COPY: one compiled to WebAssembly ends when it is asked for it."""
    answer = connection.execute("SELECT version() AS it").fetchone()
    return answer is not None and "emcc" not in answer["it"]
