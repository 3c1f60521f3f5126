"""The table ``latest``: the newest value of each signal of each patient, for the ward board."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg import sql

from store.database import arrays
from store.database.connections import Connection
from vigil.domain.reading import Upload
from vigil.domain.signals import SIGNALS

Newest = tuple[datetime, datetime, float]
"""When it was measured, when it arrived, and the value."""

_COLUMNS = (
    ("patient_id", "text"),
    ("signal", "text"),
    ("time", "timestamptz"),
    ("received_at", "timestamptz"),
    ("value", "float8"),
)
_UPSERT = sql.SQL(
    """
    INSERT INTO latest AS kept ({}) SELECT * FROM {}
    ON CONFLICT (patient_id, signal) DO UPDATE
    SET value = EXCLUDED.value, time = EXCLUDED.time, received_at = EXCLUDED.received_at
    WHERE (EXCLUDED.time, kept.received_at, EXCLUDED.value)
        > (kept.time, EXCLUDED.received_at, kept.value)
    """
).format(arrays.column_names(_COLUMNS), arrays.unnest(_COLUMNS))
"""Never goes back in time. Of two values of the same time the one received first stays, and of two
received together the greater: so the order of writing makes no difference."""


LEAD = timedelta(minutes=5)
"""A reading measured later than this after its receipt is stored, but never the newest: its
device's clock is wrong, and it would hide correct readings until that time."""
_FUTURE = "time > now() + interval '1 day' OR received_at > now() + interval '1 day'"
_REMOVE = f"DELETE FROM latest WHERE {_FUTURE} RETURNING patient_id, signal"  # noqa: S608
_NEWEST = sql.SQL(
    """
    INSERT INTO latest (patient_id, signal, time, received_at, value)
    SELECT patient_id, {name}, time, received_at, {column} FROM readings
    WHERE patient_id = %s AND {column} IS NOT NULL AND NOT ({future})
      AND time <= received_at + %s
    ORDER BY time DESC, received_at, {column} DESC LIMIT 1
    ON CONFLICT DO NOTHING
    """
)


def remove_future(connection: Connection) -> int:
    """Replace values in the future by the newest valid reading (earlier versions relied on the
    sender's clock alone); return how many rows were replaced."""
    removed = connection.execute(_REMOVE).fetchall()
    for row in removed:
        _insert_newest(connection, row["patient_id"], row["signal"])
    return len(removed)


def replace_withdrawn(connection: Connection, patient_id: str, times: Sequence[datetime]) -> None:
    """Replace values of withdrawn readings by the newest that still counts."""
    removed = connection.execute(
        "DELETE FROM latest WHERE patient_id = %s AND time = ANY(%s) RETURNING signal",
        (patient_id, list(times)),
    ).fetchall()
    for row in removed:
        _insert_newest(connection, patient_id, row["signal"])


def _insert_newest(connection: Connection, patient_id: str, signal: str) -> None:
    if signal in SIGNALS:
        newest = _NEWEST.format(
            name=sql.Literal(signal), column=sql.Identifier(signal), future=sql.SQL(_FUTURE)
        )
        connection.execute(newest, (patient_id, LEAD))


class Latest:
    """The newest values of the readings that are being written."""

    def __init__(self) -> None:
        self._patients: dict[str, dict[str, Newest]] = {}

    def add(self, upload: Upload) -> None:
        """Add an upload's measurements."""
        kept = self._patients.setdefault(upload.patient_id, {})
        received, floor, several = upload.received_at, None, len(upload.measurements) > 1
        until: datetime | None = None
        for item in reversed(upload.measurements):  # newest last: most of a long upload is
            time, values = item.time, item.values  # older than every value kept so far, and skipped
            if floor is not None and time < floor and values.keys() <= kept.keys():
                continue
            if time > received:
                until = until or received + LEAD
                if time > until:
                    continue
            for signal, value in values.items():
                old = kept.get(signal)
                if old is None or time > old[0]:
                    kept[signal] = (time, received, value)
                elif time == old[0]:
                    kept[signal] = _of_same_time(old, (time, received, value))
            if several and kept:
                floor = min([newest[0] for newest in kept.values()])

    def update(self, other: Latest) -> None:
        """Merge another collection into this one."""
        for patient, noted in other._patients.items():
            kept = self._patients.setdefault(patient, {})
            for signal, newest in noted.items():
                old = kept.get(signal)
                if old is None or newest[0] > old[0]:
                    kept[signal] = newest
                elif newest[0] == old[0]:
                    kept[signal] = _of_same_time(old, newest)

    def upsert(self, connection: Connection) -> None:
        """Update the table, always in the same order, so that two writers cannot deadlock."""
        rows = [
            (patient, signal, *kept[signal])
            for patient, kept in sorted(self._patients.items())
            for signal in sorted(kept)
        ]
        if rows:
            connection.execute(_UPSERT, arrays.to_columns(_COLUMNS, rows))


def _of_same_time(one: Newest, other: Newest) -> Newest:
    """The value received first; of two received together, the greater."""
    if one[1] == other[1]:
        return max(one, other)
    return min(one, other)
