"""Retention on plain PostgreSQL: the aggregates of rows are stored, then the rows are deleted.

Patient by patient, so that each statement is short and uses the table's key. The aggregates of the
days to delete are stored in ``readings_1m_kept`` and the like; then ``readings_gone`` is moved, and
the views read these tables from then on; then the rows are deleted. If the process is killed in
between, the views return the same as before, and the next run does the rest.
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
"""Rows deleted by one statement."""

_FIRST = "SELECT min(patient_id) AS patient_id FROM readings"
_NEXT = _FIRST + " WHERE patient_id > %s"
_DELETE = """
    DELETE FROM readings WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM readings WHERE patient_id = %s AND time < %s LIMIT %s
    ))
"""


def keep_aggregates(
    connection: Connection, gone: datetime | None, before: datetime, stop: threading.Event
) -> bool:
    """Store the aggregates of readings from ``gone`` until ``before``; False: stopped early."""
    since = gone or EARLIEST
    for patient_id in _patients(connection):
        if stop.is_set():
            return False
        with connection.transaction():
            for relation in AGGREGATES:
                kept = sql.Identifier(f"{relation}_kept")
                connection.execute(  # rows of a run that was interrupted
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


def delete_rows(connection: Connection, before: datetime, stop: threading.Event) -> int:
    """Delete readings measured before a time, one transaction a batch; returns how many."""
    total = 0
    for patient_id in _patients(connection):
        deleted = AT_ONCE
        while deleted == AT_ONCE and not stop.is_set():
            deleted = connection.execute(_DELETE, (patient_id, before, AT_ONCE)).rowcount
            total += deleted
    return total


def _patients(connection: Connection) -> Iterator[str]:
    """Ids of all patients with a reading, by one index look-up each."""
    row = connection.execute(_FIRST).fetchone()
    while row is not None and row["patient_id"] is not None:
        yield row["patient_id"]
        row = connection.execute(_NEXT, (row["patient_id"],)).fetchone()
