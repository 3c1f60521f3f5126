"""Writes a batch of messages to the tables: idempotently, losing nothing.

Every table's key is derived from content, so writing a message again changes nothing. A row that
the database refuses is found by halving and left out; the rest of the batch, and the rest of its
own message, is stored.

A batch is one transaction, unless it has late readings or withdrawals: readings far older than the
newest, and each withdrawal, are transactions of their own (:mod:`store.writing.time_ranges` has the
reason). A process killed between two of them writes the batch again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import msgspec
import psycopg
from msgspec.structs import replace
from psycopg import sql

from store.database.columns import columns as columns_of
from store.database.connections import Connection, notify_board, translated
from store.phrases import rows as phrase_rows
from store.readings import withdrawn
from store.readings.latest import Latest
from store.readings.rows import Refuse, clean_upload
from store.readings.writer import ReadingWriter, hides_error_details, insert_as_arrays
from store.workers import status_rows
from store.writing import bounds
from store.writing.time_ranges import split_by_time
from vigil.contracts import clock_check
from vigil.domain.action import Action
from vigil.domain.alert import Alert, is_history
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Upload, Withdrawal
from vigil.domain.status import Status
from vigil.service.errors import WireError
from vigil.streaming.handler import Received, Rejected
from vigil.values.clock import utc_now

ROWS = 10_000
"""Most rows in a statement: each takes well under a second, whatever the size of the batch."""
REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,  # operational by class, but it concerns one row: too long
    UnicodeError,
)
"""Errors of the driver or the database caused by a row's content."""

_DURABLE = """
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'
"""
"""Kafka's offsets are committed after our transaction, so it must survive a crash of the server,
whatever the server's default is."""
_PATIENT = attrgetter("message.patient_id")
Content = Upload | Withdrawal | Event | Alert | Action | Phrase | Status


@dataclass(frozen=True, slots=True)
class Row:
    """A row to insert, and its message. A reading is an upload of one measurement."""

    received: Received
    content: Content


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a batch."""

    new: Counter[str]
    """Number of new rows, by table."""
    rejected: list[Rejected]
    """Messages with a part that cannot be stored; the rest of them is stored."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is written together."""

    uploads: Sequence[Received] = ()
    rows: Sequence[Row] = ()


def write(connection: Connection, batch: Sequence[Received]) -> Written:
    """Store one batch, as :meth:`Writer.write` does."""
    return Writer(connection).write(batch)


class Writer:
    """Stores batches over one connection, and adapts its method to the duplicates it meets."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._readings: ReadingWriter | None = None
        self.committed: Counter[str] = Counter()
        """Number of new rows, by table, in the transactions of the last batch that were committed:
        of a batch that failed, too."""

    def write(self, batch: Sequence[Received]) -> Written:
        """Store a batch. Notifies the boards once a transaction, if anything changed.

        Raises:
            UnavailableError: the database is unavailable; some of its transactions were committed,
                or none: write again.
        """
        self.committed = Counter()
        rejected: dict[tuple[str, int, int], Rejected] = {}

        def refuse(received: Received, why: str) -> None:
            place = (received.topic, received.partition, received.offset)
            rejected.setdefault(place, Rejected(received, _reason(why)))

        for part in _transactions(*_sort_batch(batch, refuse)):
            with translated():
                readings = self._readings or self._prepare()
                with self._connection.transaction():
                    new = self._insert(readings=readings, part=part, refuse=refuse)
                    if new:
                        notify_board(self._connection, " ".join(sorted(new)))
                self.committed += new
        return Written(self.committed, list(rejected.values()))

    def _prepare(self) -> ReadingWriter:
        with self._connection.transaction():
            self._connection.execute(_DURABLE)
            direct = hides_error_details(self._connection)
        self._readings = ReadingWriter(self._connection, direct=direct)
        return self._readings

    def _insert(self, readings: ReadingWriter, part: Transaction, refuse: Refuse) -> Counter[str]:
        new: Counter[str] = Counter()
        latest, rows = Latest(), part.rows
        for piece in _split_uploads(withdrawn.leave_out(self._connection, part.uploads)):
            try:
                new["readings"] += readings.insert(piece, refuse, latest)
            except REFUSED:  # row by row, to find which
                single = list(_readings(piece, refuse))
                new += _insert_or_halve(self._connection, single, refuse=refuse, latest=latest)
        latest.upsert(self._connection)
        for start in range(0, len(rows), ROWS):
            new += _insert_or_halve(
                self._connection, rows[start : start + ROWS], refuse=refuse, latest=latest
            )
        return +new  # without the zeros


def _reason(why: str) -> WireError:
    return WireError(
        f"The store cannot keep it: {why}.",
        code="wire.rejected",
        how_to_fix="Fix the producer, then `vigil deadletter redrive`.",
    )


def _sort_batch(batch: Iterable[Received], refuse: Refuse) -> tuple[list[Received], list[Row]]:
    """The uploads of a batch, and the valid rows of everything else. Clock ticks have no rows.

    Uploads are sorted by patient, each patient's in order: rows that are read together are stored
    together, and the table's index is traversed once.
    """
    uploads, rows = [], []
    for received in batch:
        kind = type(received.message)
        if kind is Upload:
            uploads.append(received)
        elif kind in TABLES:
            if why := bounds.find_problem(received.message):
                refuse(received, why)
            else:
                rows.append(Row(received, received.message))  # type: ignore[arg-type]
    uploads.sort(key=_PATIENT)
    return uploads, rows


def _transactions(uploads: Sequence[Received], rows: Sequence[Row]) -> Iterator[Transaction]:
    """A batch's transactions: the newest readings and every row but withdrawals, then older
    readings by range, then each withdrawal, which takes readings out and may name any of them."""
    ranges = split_by_time(uploads) or [[]]
    rest = [row for row in rows if type(row.content) is not Withdrawal]
    if ranges[0] or rest:
        yield Transaction(ranges[0], rest)
    for late in ranges[1:]:
        yield Transaction(late)
    for row in rows:
        if type(row.content) is Withdrawal:
            yield Transaction(rows=[row])


def _split_uploads(uploads: Iterable[Received]) -> Iterator[list[Received]]:
    """The uploads in order, in pieces of about :data:`ROWS` readings."""
    piece: list[Received] = []
    size = 0
    for received in uploads:
        piece.append(received)
        size += len(received.message.measurements)  # type: ignore[union-attr]  # all are uploads
        if size >= ROWS:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _readings(piece: Iterable[Received], refuse: Refuse) -> Iterator[Row]:
    for received in piece:
        upload = clean_upload(received, refuse)
        for item in upload.measurements:
            yield Row(received, replace(upload, measurements=(item,)))


def _insert_or_halve(
    connection: Connection, rows: Sequence[Row], refuse: Refuse, latest: Latest
) -> Counter[str]:
    """Insert the rows within a savepoint; if one is refused, each half by itself."""
    if not rows:
        return Counter()
    try:
        with connection.transaction():
            return _insert(connection, rows, latest)
    except REFUSED as error:
        if len(rows) == 1:
            table = TABLES[type(rows[0].content)].name
            refuse(rows[0].received, f"a row for {table} is refused ({type(error).__name__})")
            return Counter()
    middle = len(rows) // 2
    first = _insert_or_halve(connection, rows[:middle], refuse=refuse, latest=latest)
    return first + _insert_or_halve(connection, rows[middle:], refuse=refuse, latest=latest)


def _insert(connection: Connection, rows: Sequence[Row], latest: Latest) -> Counter[str]:
    new: Counter[str] = Counter()
    for kind, table in TABLES.items():
        chosen = [row for row in rows if type(row.content) is kind]
        if chosen:
            new[table.name] += table.insert(connection, chosen)
    for row in rows:
        if isinstance(row.content, Upload):
            latest.add(row.content)
    return new


Insert = Callable[[Connection, Sequence[Row]], int]


def _is_history(row: Row) -> bool:
    """Whether an event or an alert was past its useful time when it was put on its topic. Where
    the broker keeps no such time, it was prompt."""
    step = row.content
    published = clock_check.published_at(row.received.raw.timestamp, utc_now())
    return isinstance(step, Event | Alert) and is_history(step, published)


def _insert_contents(insert: Callable[[Connection, Sequence[Any]], int]) -> Insert:
    """For rows that are their content alone."""

    def insert_rows(connection: Connection, rows: Sequence[Row]) -> int:
        return insert(connection, [row.content for row in rows])

    return insert_rows


def _insert_structs(table: str, struct: Any, *, marks_history: bool = False) -> Insert:
    """For structs whose fields have the same names as the table's columns.

    Args:
        marks_history: whether there is a column ``history`` too.
    """
    names = (*columns_of(struct), *(("history",) if marks_history else ()))
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in names)
    query = sql.SQL(
        "INSERT INTO {table} ({columns})"
        " SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
        " ON CONFLICT DO NOTHING"
    ).format(table=sql.Identifier(table), columns=columns)

    def insert(connection: Connection, rows: Sequence[Row]) -> int:
        found = [msgspec.structs.asdict(row.content) for row in rows]
        if marks_history:
            found = [
                one | {"history": _is_history(row)} for one, row in zip(found, rows, strict=True)
            ]
        return connection.execute(query, (encode(found).decode(),)).rowcount

    return insert


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a kind of content."""

    name: str
    insert: Insert
    """Returns how many rows were new."""


TABLES: MappingProxyType[type, Table] = MappingProxyType(
    {
        Upload: Table("readings", _insert_contents(insert_as_arrays)),
        Withdrawal: Table("withdrawals", _insert_contents(withdrawn.insert)),
        Event: Table("events", _insert_structs("events", Event, marks_history=True)),
        Alert: Table("alerts", _insert_structs("alerts", Alert, marks_history=True)),
        Action: Table("actions", _insert_structs("actions", Action)),
        Phrase: Table("phrases", _insert_contents(phrase_rows.insert)),
        Status: Table("service_status", _insert_contents(status_rows.insert)),
    }
)
