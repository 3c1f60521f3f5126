"""Retention on plain PostgreSQL: what the aggregates say of rows is kept, then the rows go.

Patient by patient, so that each statement is short and found by the table's key. The days that go
are summed up in ``readings_1m_kept`` and its like; then ``readings_gone`` moves on, from when on
the views answer from these tables; and then the rows are deleted. A process that is killed on the
way leaves views that answer as before, and the next run does the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

from psycopg import sql

from store.database.connections import Connection
from store.readings.retention_policies import AGGREGATES
from vigil.values.clock import EARLIEST

AT_ONCE = 10_000
"""Rows that one statement deletes."""

_FIRST = "SELECT min(patient_id) AS patient_id FROM readings"
_NEXT = _FIRST + " WHERE patient_id > %s"
_DELETE = """
    DELETE FROM readings WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM readings WHERE patient_id = %s AND time < %s LIMIT %s
    ))
"""


def sum_up(
    connection: Connection, gone: datetime | None, before: datetime, stop: threading.Event
) -> bool:
    """Keep the aggregates of what was measured from ``gone`` until ``before``; whether all are."""
    since = gone or EARLIEST
    for patient_id in _patients(connection):
        if stop.is_set():
            return False
        with connection.transaction():
            for relation in AGGREGATES:
                kept = sql.Identifier(f"{relation}_kept")
                connection.execute(  # of a run that was cut short
                    sql.SQL("DELETE FROM {} WHERE patient_id = %s AND bucket >= %s").format(kept),
                    (patient_id, since),
                )
                connection.execute(
                    sql.SQL("INSERT INTO {} SELECT * FROM {}(%s, %s, %s)").format(
                        kept, sql.Identifier(f"{relation}_of")
                    ),
                    (patient_id, since, before),
                )
    return True


def delete(connection: Connection, before: datetime, stop: threading.Event) -> int:
    """Delete what was measured before it, a batch a transaction; how many rows went."""
    gone = 0
    for patient_id in _patients(connection):
        went = AT_ONCE
        while went == AT_ONCE and not stop.is_set():
            went = connection.execute(_DELETE, (patient_id, before, AT_ONCE)).rowcount
            gone += went
    return gone


def _patients(connection: Connection) -> Iterator[str]:
    """Everyone of whom there is a reading, by one look into the key each."""
    row = connection.execute(_FIRST).fetchone()
    while row is not None and row["patient_id"] is not None:
        yield row["patient_id"]
        row = connection.execute(_NEXT, (row["patient_id"],)).fetchone()
