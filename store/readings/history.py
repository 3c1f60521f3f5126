"""Stored readings as the uploads that they arrived in, for a replay of history.

Patient by patient, because no patient's alarms depend on another's, and each patient's readings are
found by the table's key, however many there are in all. Rows are read through a server-side cursor,
so that they are never all in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from store.database.connections import Connection, translated
from store.readings import keys as reading_keys
from vigil.domain.reading import Context, Measurement, Upload
from vigil.domain.signals import NAMES

_ON_THE_WIRE = sorted(NAMES)
"""The order of an upload's values in the messages that detectors read: of two findings of the same
rank, the first counts."""
AT_ONCE = 1000
"""Rows fetched at a time."""

_WHO = """
    SELECT patient_id FROM patients
    WHERE (%(ward)s::text IS NULL OR ward = %(ward)s)
      AND (%(patients)s::text[] IS NULL OR patient_id = ANY(%(patients)s))
    ORDER BY patient_id
"""
_READINGS = sql.SQL("""
    SELECT time, reading_key, reading_id, device_id, received_at, activity, contact, posture,
           possible('steps_per_min', steps_per_min) AS steps_per_min, synthetic, {signals}
    FROM readings
    WHERE patient_id = %(patient)s AND believable(time)
      AND (%(since)s::timestamptz IS NULL OR time >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR time < %(until)s)
    ORDER BY received_at, device_id, time, reading_key
""").format(
    signals=sql.SQL(", ").join(
        sql.SQL("possible({}, {}) AS {}").format(name, sql.Identifier(name), sql.Identifier(name))
        for name in NAMES
    )
)


@dataclass(frozen=True, slots=True)
class Range:
    """Whose readings, and when they were measured."""

    ward: str | None = None
    """None: every ward."""
    patients: tuple[str, ...] = ()
    """Empty: every patient of the ward."""
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""


def list_patient_ids(connection: Connection, wanted: Range) -> list[str]:
    """Ids of the range's patients, inactive ones too, in order."""
    values = {"ward": wanted.ward, "patients": list(wanted.patients) or None}
    with translated():
        return [row["patient_id"] for row in connection.execute(_WHO, values)]


def read_uploads(connection: Connection, patient_id: str, wanted: Range) -> Iterator[Upload]:
    """One patient's readings in the order of receipt; those received together are one upload.

    The connection must be in a transaction, not in autocommit, and is in use until the last one.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {"patient": patient_id, "since": wanted.since, "until": wanted.until}
    held: list[Measurement] = []
    key: tuple[Any, ...] | None = None
    with translated(), connection.cursor("history") as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(_READINGS, values)
        for row in cursor:
            own = (row["device_id"], row["received_at"], row["synthetic"])
            if own != key and key is not None:
                yield _upload(patient_id, key, held)
                held = []
            key = own
            held.append(_measurement(row))
    if key is not None:
        yield _upload(patient_id, key, held)


def _upload(patient_id: str, key: tuple[Any, ...], held: Iterable[Measurement]) -> Upload:
    device_id, received_at, synthetic = key
    return Upload(
        patient_id=patient_id,
        device_id=device_id,
        received_at=received_at,
        measurements=tuple(held),
        synthetic=synthetic,
    )


def _measurement(row: dict[str, Any]) -> Measurement:
    values = {name: row[name] for name in _ON_THE_WIRE if row[name] is not None}
    context = Context(row["activity"], row["steps_per_min"], row["posture"], row["contact"])
    name = reading_keys.join_id(row["reading_key"], row["reading_id"])
    return Measurement(name, row["time"], values, context)
