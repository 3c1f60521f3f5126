"""The table ``latest``: the newest value of each signal of each patient, for the ward board."""

from __future__ import annotations

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
).format(arrays.names(_COLUMNS), arrays.unnest(_COLUMNS))
"""Never back in time. Of two values of one moment the one that came first stays, and of two that
came together the greater: so the order of writing makes no difference."""


LEAD = timedelta(minutes=5)
"""A reading measured so long after it arrived is kept, but is the newest of nothing: its device's
clock is wrong, and the true readings would stand behind it until that time has come."""
_UNBELIEVED = "time > now() + interval '1 day' OR received_at > now() + interval '1 day'"
_REMOVE = f"DELETE FROM latest WHERE {_UNBELIEVED} RETURNING patient_id, signal"  # noqa: S608
_NEWEST = sql.SQL(
    """
    INSERT INTO latest (patient_id, signal, time, received_at, value)
    SELECT patient_id, {name}, time, received_at, {column} FROM readings
    WHERE patient_id = %s AND {column} IS NOT NULL AND NOT ({unbelieved})
      AND time <= received_at + %s
    ORDER BY time DESC, received_at, {column} DESC LIMIT 1
    ON CONFLICT DO NOTHING
    """
)


def remove_future(connection: Connection) -> int:
    """Find again what is newest where the table holds what has not come yet (a Vigil before this
    one believed the sender's clock alone); return how many rows were so."""
    removed = connection.execute(_REMOVE).fetchall()
    for row in removed:
        if row["signal"] in SIGNALS:
            newest = _NEWEST.format(
                name=sql.Literal(row["signal"]),
                column=sql.Identifier(row["signal"]),
                unbelieved=sql.SQL(_UNBELIEVED),
            )
            connection.execute(newest, (row["patient_id"], LEAD))
    return len(removed)


class Latest:
    """The newest values among those that are being written."""

    def __init__(self) -> None:
        self._patients: dict[str, dict[str, Newest]] = {}

    def add(self, upload: Upload) -> None:
        """Take note of an upload's measurements."""
        kept = self._patients.setdefault(upload.patient_id, {})
        received, floor, several = upload.received_at, None, len(upload.measurements) > 1
        until: datetime | None = None
        for item in reversed(upload.measurements):  # the newest stand last: of a long upload most
            time, values = item.time, item.values  # are older than all that is kept, and passed by
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
                    kept[signal] = _of_one_moment(old, (time, received, value))
            if several and kept:
                floor = min([newest[0] for newest in kept.values()])

    def update(self, other: Latest) -> None:
        """Take over what another has noted."""
        for patient, noted in other._patients.items():
            kept = self._patients.setdefault(patient, {})
            for signal, newest in noted.items():
                old = kept.get(signal)
                if old is None or newest[0] > old[0]:
                    kept[signal] = newest
                elif newest[0] == old[0]:
                    kept[signal] = _of_one_moment(old, newest)

    def upsert(self, connection: Connection) -> None:
        """Bring the table up to date; in one order, so that two writers do not wait for each other
        in a circle."""
        rows = [
            (patient, signal, *kept[signal])
            for patient, kept in sorted(self._patients.items())
            for signal in sorted(kept)
        ]
        if rows:
            connection.execute(_UPSERT, arrays.turned(_COLUMNS, rows))


def _of_one_moment(one: Newest, other: Newest) -> Newest:
    """That of two values which came first; of two that came together, the greater."""
    if one[1] == other[1]:
        return max(one, other)
    return min(one, other)
