"""Withdrawn readings: taken out of ``readings`` and kept apart, with who withdrew them and why.

What is out of ``readings`` counts nowhere: in no average, sparkline, summary, replay or rebuild.
An upload that is read again does not bring it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from msgspec.structs import replace
from psycopg import sql

from store.database.connections import Connection
from store.readings import latest
from store.readings.keys import split_id
from store.readings.rows import COLUMNS
from vigil.domain.reading import Upload, Withdrawal
from vigil.streaming.handler import Received

_NEW = """
    INSERT INTO withdrawals
        (withdrawal_id, patient_id, reason, actor, time, comment, readings)
    VALUES (%(id)s, %(patient)s, %(reason)s, %(actor)s, %(time)s, %(comment)s, %(readings)s)
    ON CONFLICT DO NOTHING
"""
_NAMES = sql.SQL(", ").join(sql.Identifier(name) for name, _ in COLUMNS)
_MOVE = sql.SQL(
    """
    WITH taken AS (
        DELETE FROM readings
        WHERE patient_id = %(patient)s AND time >= %(first)s AND time <= %(last)s
          AND (time, reading_key) IN (
              SELECT * FROM unnest(%(times)s::timestamptz[], %(keys)s::bigint[])
          )
        RETURNING *
    )
    INSERT INTO withdrawn_readings (withdrawal_id, {names})
    SELECT %(id)s, {names} FROM taken
    ON CONFLICT DO NOTHING
    """
).format(names=_NAMES)
_NOT_STORED = """
    INSERT INTO withdrawn_readings (withdrawal_id, patient_id, time, reading_key, reading_id)
    SELECT %(id)s, %(patient)s, named.*
    FROM unnest(%(times)s::timestamptz[], %(keys)s::bigint[], %(names)s::text[]) AS named
    ON CONFLICT DO NOTHING
"""
_CONCERNED = "SELECT DISTINCT patient_id FROM withdrawals"
"""A person withdraws a reading now and then: the table stays small."""
_KNOWN = """
    SELECT patient_id, time, reading_key FROM withdrawn_readings
    WHERE patient_id = ANY(%s) AND time >= %s AND time <= %s
"""
_PATIENT = attrgetter("message.patient_id")
_DELETE = "DELETE FROM withdrawn_readings WHERE time < %s"


def insert(connection: Connection, withdrawals: Sequence[Withdrawal]) -> int:
    """Take the readings out; returns how many withdrawals are new."""
    return sum(_apply(connection, one) for one in withdrawals)


def _apply(connection: Connection, withdrawal: Withdrawal) -> int:
    split = [split_id(reading.reading_id) for reading in withdrawal.readings]
    times = [reading.time for reading in withdrawal.readings]
    values: dict[str, Any] = {
        "id": withdrawal.withdrawal_id,
        "patient": withdrawal.patient_id,
        "reason": withdrawal.reason,
        "actor": withdrawal.actor,
        "time": withdrawal.time,
        "comment": withdrawal.comment,
        "readings": len(times),
        "times": times,
        "keys": [key for key, _ in split],
        "names": [name for _, name in split],
    }
    if not connection.execute(_NEW, values).rowcount:
        return 0
    if times:
        connection.execute(_MOVE, {**values, "first": min(times), "last": max(times)})
        connection.execute(_NOT_STORED, values)
        latest.replace_withdrawn(connection, withdrawal.patient_id, times)
    return 1


def leave_out(connection: Connection, uploads: Sequence[Received]) -> list[Received]:
    """The uploads without readings that were withdrawn before."""
    if not uploads:
        return []
    concerned = {row["patient_id"] for row in connection.execute(_CONCERNED)}
    patients = concerned.intersection(map(_PATIENT, uploads)) if concerned else concerned
    if not patients:  # nearly always, and asked of every batch
        return list(uploads)
    spans = [t for one in uploads if _PATIENT(one) in patients for t in _ends(one)]
    if not spans:
        return list(uploads)
    rows = connection.execute(_KNOWN, (sorted(patients), min(spans), max(spans))).fetchall()
    known = {(row["patient_id"], row["time"], row["reading_key"]) for row in rows}
    found = (_without(one, known) if _PATIENT(one) in patients else one for one in uploads)
    return [kept for kept in found if kept]


def delete_before(connection: Connection, before: datetime) -> int:
    """Delete withdrawn readings measured before a time, as others are; returns how many."""
    return connection.execute(_DELETE, (before,)).rowcount


def _ends(received: Received) -> Iterable[datetime]:
    """The times of an upload's first and last reading; producers may send them in any order."""
    upload: Upload = received.message  # type: ignore[assignment]
    times = [item.time for item in upload.measurements]
    return (min(times), max(times)) if times else ()


def _without(received: Received, known: set[tuple[str, datetime, int]]) -> Received | None:
    upload: Upload = received.message  # type: ignore[assignment]
    kept = tuple(
        item
        for item in upload.measurements
        if (upload.patient_id, item.time, split_id(item.reading_id)[0]) not in known
    )
    if len(kept) == len(upload.measurements):
        return received
    return replace(received, message=replace(upload, measurements=kept)) if kept else None
