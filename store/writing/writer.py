"""Writes a batch of messages to the tables: in one transaction, idempotently, losing nothing.

Every table's key comes from content, so a message that is written again lands on itself. A row that
the database refuses is found by halving and left out; the rest of the batch, and the rest of its
own message, is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import psycopg
from msgspec.structs import replace
from psycopg import sql

from store.database.connections import Connection, notify_board, translated
from store.phrases import rows as phrase_rows
from store.readings.latest import Latest
from store.readings.rows import Refuse, cleaned
from store.readings.writer import ReadingWriter, copies, discreet, insert_as_arrays
from store.workers import status_rows
from store.writing import bounds
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Upload
from vigil.domain.status import Status
from vigil.service.errors import WireError
from vigil.streaming.handler import Received, Rejected

ROWS = 10_000
"""Rows a statement: each takes well under a second, whatever the size of the batch."""
REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,  # an operational error by class, but of one row: too long
    UnicodeError,
)
"""What the driver or the database raises because of a row's content."""

_DURABLE = """
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'
"""
"""Kafka's offsets are committed after our transaction: it has to outlive a crash of the server,
whatever the server does by default."""
_PATIENT = attrgetter("message.patient_id")
Content = Upload | Event | Alert | Action | Phrase | Status


class Row(NamedTuple):
    """A row to be, and the message that it came in. Of a reading: an upload of it alone."""

    received: Received
    content: Content


class Written(NamedTuple):
    """What became of a batch."""

    new: Counter[str]
    """Rows that were not there before, by table."""
    rejected: list[Rejected]
    """Messages with something that cannot be stored; whatever else they held is."""


def write(connection: Connection, batch: Sequence[Received]) -> Written:
    """Store one batch, as :meth:`Writer.write` does."""
    return Writer(connection).write(batch)


class Writer:
    """Stores batches over one connection, and learns from each how to store the next."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._readings: ReadingWriter | None = None
        self._prepared = False

    def write(self, batch: Sequence[Received]) -> Written:
        """Store a batch. Tells the boards once, if anything changed.

        Raises:
            UnavailableError: the database is away; nothing was written, or all was: write again.
        """
        rejected: dict[tuple[str, int, int], Rejected] = {}

        def refuse(received: Received, why: str) -> None:
            place = (received.topic, received.partition, received.offset)
            rejected.setdefault(place, Rejected(received, _reason(why)))

        uploads, rows = _sorted(batch, refuse)
        new: Counter[str] = Counter()
        if uploads or rows:
            with translated():
                self._prepare()
                with self._connection.transaction():
                    new = self._insert(uploads, rows, refuse)
                    if new:
                        notify_board(self._connection, " ".join(sorted(new)))
        return Written(new, list(rejected.values()))

    def _prepare(self) -> None:
        if self._prepared:
            return
        with self._connection.transaction():
            self._connection.execute(_DURABLE)
            if copies(self._connection):
                self._readings = ReadingWriter(
                    self._connection, straight=discreet(self._connection)
                )
        self._prepared = True

    def _insert(
        self, uploads: Sequence[Received], rows: Sequence[Row], refuse: Refuse
    ) -> Counter[str]:
        new: Counter[str] = Counter()
        latest = Latest()
        for piece in _pieces(uploads):
            new["readings"] += self._insert_readings(piece, refuse, latest)
        latest.upsert(self._connection)
        for start in range(0, len(rows), ROWS):
            new += _insert_or_halve(self._connection, rows[start : start + ROWS], refuse, latest)
        return +new  # without the zeros

    def _insert_readings(self, piece: Sequence[Received], refuse: Refuse, latest: Latest) -> int:
        if self._readings is not None:
            try:
                return self._readings.insert(piece, refuse, latest)
            except REFUSED:
                pass  # the rows say by themselves which it is
        rows = list(_readings(piece, refuse))
        return _insert_or_halve(self._connection, rows, refuse, latest)["readings"]


def _reason(why: str) -> WireError:
    return WireError(
        f"The store cannot keep it: {why}.",
        code="wire.rejected",
        how_to_fix="Mend the producer, then `vigil deadletter redrive`.",
    )


def _sorted(batch: Iterable[Received], refuse: Refuse) -> tuple[list[Received], list[Row]]:
    """The uploads of a batch, and the rows of everything else that can be true. The clock's ticks
    have none.

    Uploads go by patient, each patient's in order: rows that are read together lie together, and
    the table's index is gone through once.
    """
    uploads, rows = [], []
    for received in batch:
        kind = type(received.message)
        if kind is Upload:
            uploads.append(received)
        elif kind in TABLES:
            if why := bounds.problem(received.message):
                refuse(received, why)
            else:
                rows.append(Row(received, received.message))  # type: ignore[arg-type]
    uploads.sort(key=_PATIENT)
    return uploads, rows


def _pieces(uploads: Iterable[Received]) -> Iterator[list[Received]]:
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
        upload = cleaned(received, refuse)
        for item in upload.measurements:
            yield Row(received, replace(upload, measurements=(item,)))


def _insert_or_halve(
    connection: Connection, rows: Sequence[Row], refuse: Refuse, latest: Latest
) -> Counter[str]:
    """Insert the rows behind a savepoint; where one is refused, each half by itself."""
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
    first = _insert_or_halve(connection, rows[:middle], refuse, latest)
    return first + _insert_or_halve(connection, rows[middle:], refuse, latest)


def _insert(connection: Connection, rows: Sequence[Row], latest: Latest) -> Counter[str]:
    new: Counter[str] = Counter()
    for kind, table in TABLES.items():
        contents = [row.content for row in rows if type(row.content) is kind]
        if contents:
            new[table.name] += table.insert(connection, contents)
    for row in rows:
        if isinstance(row.content, Upload):
            latest.add(row.content)
    return new


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
        Upload: Table("readings", insert_as_arrays),
        Event: Table("events", _insert_structs("events", Event)),
        Alert: Table("alerts", _insert_structs("alerts", Alert)),
        Action: Table("actions", _insert_structs("actions", Action)),
        Phrase: Table("phrases", phrase_rows.insert),
        Status: Table("service_status", status_rows.insert),
    }
)
