"""Writes a batch of messages to the tables: in one transaction, idempotently, losing nothing.

Every table's key comes from content, so a message that is written again lands on itself. A row that
the database refuses is found by halving and left out; the rest of the batch, and the rest of its
own message, is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import sql

from store import phrase_rows, reading_keys, status_rows
from store.database import Connection, notify_board, translated
from vigil.clock import EARLIEST
from vigil.errors import WireError
from vigil.handler import Received, Rejected
from vigil.model import Action, Alert, Event, Phrase, Reading, Status, Upload, encode
from vigil.signals import NAMES

ROWS = 10_000
"""Rows a statement: each takes well under a second, whatever the size of the batch."""
AHEAD = timedelta(days=1)
"""A reading measured so long after it arrived is refused. The door is stricter; this keeps what
reaches the topic past the door from being ``latest`` for ever."""
REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,  # an operational error by class, but of one row: too long
    UnicodeError,
)
"""What the driver or the database raises because of a row's content."""

Content = Reading | Event | Alert | Action | Phrase | Status


class Row(NamedTuple):
    """A row to be, and the message that it came in."""

    received: Received
    content: Content


class Written(NamedTuple):
    """What became of a batch."""

    new: Counter[str]
    """Rows that were not there before, by table."""
    rejected: list[Rejected]
    """Messages with something that cannot be stored; whatever else they held is."""


def write(connection: Connection, batch: Sequence[Received]) -> Written:
    """Store a batch. Tells the boards once, if anything changed.

    Raises:
        UnavailableError: the database is away; nothing was written, or all was: write again.
    """
    rejected: dict[tuple[str, int, int], Rejected] = {}
    new: Counter[str] = Counter()

    def reject(received: Received, why: str) -> None:
        place = (received.topic, received.partition, received.offset)
        rejected.setdefault(place, Rejected(received, _reason(why)))

    rows = list(_rows(batch, reject))
    if rows:
        with translated(), connection.transaction():
            for start in range(0, len(rows), ROWS):
                new += _insert_or_halve(connection, rows[start : start + ROWS], reject)
            if new:
                notify_board(connection, " ".join(sorted(new)))
    return Written(new, list(rejected.values()))


Reject = Callable[[Received, str], None]


def _reason(why: str) -> WireError:
    return WireError(
        f"The store cannot keep it: {why}.",
        code="wire.rejected",
        mend="Mend the producer, then `vigil deadletter redrive`.",
    )


def _rows(batch: Iterable[Received], reject: Reject) -> Iterator[Row]:
    """The rows of a batch; what no table can hold is rejected. The clock's ticks have no row."""
    for received in batch:
        match received.message:
            case Upload():
                for reading in received.message.readings():
                    problem = _problem(reading)
                    if problem:
                        reject(received, problem)
                    else:
                        yield Row(received, reading)
            case Event() | Alert() | Action() | Phrase() | Status():
                yield Row(received, received.message)


def _problem(reading: Reading) -> str:
    """What keeps a reading out of the table; an empty string if nothing."""
    unknown = reading.values.keys() - set(NAMES)
    if unknown:  # kept whole for a newer Vigil, whose table has the column
        return f"{len(unknown)} of its signals are not in the signals table"
    if reading.time < EARLIEST:
        return "it was measured before the year 2000"
    if reading.time > reading.received_at + AHEAD:
        return "it was measured more than a day after it arrived"
    return ""


def _insert_or_halve(connection: Connection, rows: Sequence[Row], reject: Reject) -> Counter[str]:
    """Insert the rows behind a savepoint; where one is refused, each half by itself."""
    try:
        with connection.transaction():
            return _insert(connection, rows)
    except REFUSED as error:
        if len(rows) == 1:
            table = TABLES[type(rows[0].content)].name
            reject(rows[0].received, f"a row for {table} is refused ({type(error).__name__})")
            return Counter()
    middle = len(rows) // 2
    first = _insert_or_halve(connection, rows[:middle], reject)
    return first + _insert_or_halve(connection, rows[middle:], reject)


def _insert(connection: Connection, rows: Sequence[Row]) -> Counter[str]:
    new: Counter[str] = Counter()
    for kind, table in TABLES.items():
        contents = [row.content for row in rows if type(row.content) is kind]
        if contents:
            new[table.name] += table.insert(connection, contents)
    return +new  # without the zeros


_READING_COLUMNS: tuple[tuple[str, str], ...] = (
    ("patient_id", "text"),
    ("time", "timestamptz"),
    ("reading_key", "bigint"),
    ("reading_id", "text"),
    ("device_id", "text"),
    ("received_at", "timestamptz"),
    *((name, "float8") for name in NAMES),
    ("steps_per_min", "float8"),
    ("activity", "text"),
    ("contact", "boolean"),
    ("posture", "text"),
    ("synthetic", "boolean"),
)


def _unnest(columns: Iterable[tuple[str, str]]) -> sql.Composed:
    """``unnest(%s::text[], …)``: one array a column, so that a thousand rows are one statement."""
    arrays = (sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in columns)
    return sql.SQL("unnest({})").format(sql.SQL(", ").join(arrays))


_INSERT_READINGS = sql.SQL(
    "INSERT INTO readings ({}) SELECT * FROM {} ON CONFLICT DO NOTHING"
).format(
    sql.SQL(", ").join(sql.Identifier(name) for name, _ in _READING_COLUMNS),
    _unnest(_READING_COLUMNS),
)

_LATEST_COLUMNS = (
    ("patient_id", "text"), ("signal", "text"), ("value", "float8"), ("time", "timestamptz"),
    ("received_at", "timestamptz"),
)  # fmt: skip

_UPSERT_LATEST = sql.SQL(
    """
    INSERT INTO latest AS kept (patient_id, signal, value, time, received_at)
    SELECT * FROM {}
    ON CONFLICT (patient_id, signal) DO UPDATE
    SET value = EXCLUDED.value, time = EXCLUDED.time, received_at = EXCLUDED.received_at
    WHERE (EXCLUDED.time, kept.received_at, EXCLUDED.value)
        > (kept.time, EXCLUDED.received_at, kept.value)
    """
).format(_unnest(_LATEST_COLUMNS))
"""Never back in time. Of two values of one moment the one that came first stays, and of two that
came together the greater: so the order of writing makes no difference."""


def _insert_readings(connection: Connection, readings: Sequence[Any]) -> int:
    rows = (
        (
            r.patient_id, r.time, *reading_keys.split(r.reading_id), r.device_id, r.received_at,
            *(r.values.get(name) for name in NAMES),
            r.context.steps_per_min, r.context.activity, r.context.contact, r.context.posture,
            r.synthetic,
        )
        for r in readings
    )  # fmt: skip
    new = connection.execute(_INSERT_READINGS, _arrays(_READING_COLUMNS, rows)).rowcount
    _upsert_latest(connection, readings)
    return new


def _arrays(columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The rows turned into one array a column, as :func:`_unnest` takes them."""
    turned = zip(columns, zip(*rows, strict=True), strict=True)
    return [_LITERALS.get(kind, list)(values) for (_, kind), values in turned]


def _floats(values: Iterable[float | None]) -> str:
    return f"{{{','.join('NULL' if v is None else repr(float(v)) for v in values)}}}"


def _times(values: Iterable[datetime]) -> str:
    return f"{{{','.join(value.isoformat() for value in values)}}}"


_LITERALS: MappingProxyType[str, Callable[[Any], Any]] = MappingProxyType(
    {"float8": _floats, "timestamptz": _times}
)
"""PostgreSQL's array literals of what never needs quoting, written here because it takes a third of
the driver's time; texts and booleans are left to the driver."""


def _upsert_latest(connection: Connection, readings: Sequence[Reading]) -> None:
    newest: dict[tuple[str, str], tuple[datetime, timedelta, float, datetime]] = {}
    for reading in readings:
        came = EARLIEST - reading.received_at  # greater for what came earlier
        for signal, value in reading.values.items():
            key = (reading.patient_id, signal)
            candidate = (reading.time, came, float(value), reading.received_at)
            if key not in newest or candidate > newest[key]:
                newest[key] = candidate
    rows = [
        (*key, value, time, received_at)
        for key, (time, _, value, received_at) in sorted(
            newest.items()
        )  # in one order: no deadlock
    ]
    if rows:
        connection.execute(_UPSERT_LATEST, _arrays(_LATEST_COLUMNS, rows))


def _insert_structs(table: str, struct: Any) -> Callable[[Connection, Sequence[Any]], int]:
    """For structs whose fields and table columns bear the same names."""
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in struct.__struct_fields__)
    query = sql.SQL(
        "INSERT INTO {table} ({columns})"
        " SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
        " ON CONFLICT DO NOTHING"
    ).format(table=sql.Identifier(table), columns=columns)

    def insert(connection: Connection, contents: Sequence[Any]) -> int:
        rows = encode([msgspec.structs.asdict(content) for content in contents])
        return connection.execute(query, (rows.decode(),)).rowcount

    return insert


class Table(NamedTuple):
    """Where a kind of content goes."""

    name: str
    insert: Callable[[Connection, Sequence[Any]], int]
    """Returns how many rows were not there before."""


TABLES: MappingProxyType[type, Table] = MappingProxyType(
    {
        Reading: Table("readings", _insert_readings),
        Event: Table("events", _insert_structs("events", Event)),
        Alert: Table("alerts", _insert_structs("alerts", Alert)),
        Action: Table("actions", _insert_structs("actions", Action)),
        Phrase: Table("phrases", phrase_rows.insert),
        Status: Table("service_status", status_rows.insert),
    }
)
