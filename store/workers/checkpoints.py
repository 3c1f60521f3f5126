"""Detectors' state and the offset it belongs to, saved in one transaction and fenced by an epoch.

A worker that is assigned a partition *claims* it: the claim increments the partition's epoch. From
then on a save by any earlier owner finds another epoch than its own and raises
:class:`~vigil.service.errors.StaleOwnerError` without writing anything.

The state of a patient without readings for long may leave memory (*idle*): a claim does not load
it, and :meth:`Checkpoints.load` does when readings of the patient arrive again. A state that cannot
be read is *set aside*, byte for byte, before it is overwritten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.rows import tuple_row

from store.database.connections import Connection, connect, translated
from vigil.service.errors import StaleOwnerError, UnavailableError

if TYPE_CHECKING:
    from vigil.service.settings import Settings


TABLES = ("checkpoints", "detector_states", "states_set_aside")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The offset and watermark of a partition's worker."""

    epoch: int
    next_offset: int | None
    """None: nothing was saved yet, or only for another log."""
    watermark: datetime | None
    """Receive time up to which missing data were evaluated."""


@dataclass(frozen=True, slots=True)
class GroupPartition:
    """A consumer group on one partition of a topic: the key of a checkpoint."""

    group: str
    topic: str
    partition: int


def claim(connection: Connection, place: GroupPartition, log_id: str) -> Checkpoint:
    """Become the owner of a partition; every earlier owner is fenced out.

    Args:
        log_id: the log that offsets count in (the cluster's id). A broker that lost its log, as
            an in-memory one does when it ends, has another id: the states are kept then and the
            offset is not.
    """
    with translated(), connection.transaction():
        row = connection.execute(
            """
            INSERT INTO checkpoints AS c
                (worker_group, topic, partition, next_offset, log_id, epoch)
            VALUES (%(group)s, %(topic)s, %(partition)s, -1, %(log)s, 1)
            ON CONFLICT (worker_group, topic, partition) DO UPDATE
            SET epoch = c.epoch + 1, log_id = EXCLUDED.log_id, saved_at = now(),
                next_offset = CASE WHEN c.log_id = EXCLUDED.log_id THEN c.next_offset ELSE -1 END
            RETURNING epoch, next_offset, watermark
            """,
            {**asdict(place), "log": log_id},
        ).fetchone()
    assert row is not None  # noqa: S101  (RETURNING after an upsert always has a row)
    offset = row["next_offset"]
    return Checkpoint(row["epoch"], offset if offset >= 0 else None, row["watermark"])


_PATIENTS = (
    "SELECT patient_id, state FROM detector_states WHERE worker_group = %s AND partition = %s"
)


def load_states(connection: Connection, place: GroupPartition) -> Iterator[tuple[str, bytes]]:
    """Patient id and last saved state of each patient of the partition who is not idle."""
    with (
        translated(),
        connection.transaction(),
        connection.cursor("states", row_factory=tuple_row) as cursor,
    ):
        cursor.itersize = 2000
        cursor.execute(f"{_PATIENTS} AND NOT idle", (place.group, place.partition), binary=True)
        yield from cursor


def load_states_of(
    connection: Connection, place: GroupPartition, patient_ids: Collection[str]
) -> dict[str, bytes]:
    """Patient id → last saved state, idle or not, of the patients who have one."""
    with translated(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            f"{_PATIENTS} AND patient_id = ANY(%s)",
            (place.group, place.partition, list(patient_ids)),
            binary=True,
        )
        return dict(cursor)


@dataclass(frozen=True, slots=True)
class Saving:
    """What to save for one partition."""

    place: GroupPartition
    checkpoint: Checkpoint
    states: Mapping[str, bytes]
    """Patient id → state, of the patients whose state changed."""
    idle: Collection[str] = ()
    """Patients who have left memory, whether or not their state changed since the last save. They
    stay idle until a state of theirs is saved in a saving that does not list them here."""
    saved_offset: int | None = None
    """The offset that this owner last saved or read: a database with a lower one was restored from
    a backup."""


def save(connection: Connection, savings: Sequence[Saving]) -> None:
    """Save offsets with the states of the patients that changed: all of it, or nothing.

    Raises:
        StaleOwnerError: a partition has a newer owner, or the database lost what this one saved;
            nothing was written.
        UnavailableError: the database is unavailable; nothing was written, or everything:
            save again.
    """
    with translated(), connection.transaction():
        for saving in savings:
            _save_offset(
                connection, saving.place, saving.checkpoint, saved_offset=saving.saved_offset
            )
            _save_states(connection, saving)


def _save_offset(
    connection: Connection,
    place: GroupPartition,
    checkpoint: Checkpoint,
    saved_offset: int | None = None,
) -> None:
    updated = connection.execute(
        "UPDATE checkpoints SET next_offset = COALESCE(%s, -1), watermark = %s, saved_at = now()"
        " WHERE worker_group = %s AND topic = %s AND partition = %s AND epoch = %s"
        " AND next_offset >= COALESCE(%s, -1)",
        (
            checkpoint.next_offset,
            checkpoint.watermark,
            *astuple(place),
            checkpoint.epoch,
            saved_offset,
        ),
    )
    if updated.rowcount != 1:
        raise _stale(place)


def _save_states(connection: Connection, saving: Saving) -> None:
    place, states, idle = saving.place, saving.states, frozenset(saving.idle)
    if states:
        connection.execute(
            """
            INSERT INTO detector_states (worker_group, partition, patient_id, state, idle)
            SELECT %s, %s, * FROM unnest(%s::text[], %b::bytea[], %s::boolean[])
            ON CONFLICT (worker_group, partition, patient_id)
            DO UPDATE SET state = EXCLUDED.state, idle = EXCLUDED.idle
            """,
            (
                place.group,
                place.partition,
                list(states),
                list(states.values()),
                [patient in idle for patient in states],
            ),
        )
    if unchanged := idle - states.keys():
        connection.execute(
            "UPDATE detector_states SET idle = true"
            " WHERE worker_group = %s AND partition = %s AND patient_id = ANY(%s) AND NOT idle",
            (place.group, place.partition, list(unchanged)),
        )


def set_aside(
    connection: Connection,
    place: GroupPartition,
    epoch: int,
    *,
    patient_id: str,
    state: bytes,
    why: str,
) -> None:
    """Keep a state that cannot be read, and why; the patient's row stays until it is overwritten.

    Safe to repeat: the same bytes are kept once.

    Raises:
        StaleOwnerError: the partition has a newer owner; nothing was written.
    """
    with translated(), connection.transaction():
        owned = connection.execute(
            "SELECT FROM checkpoints WHERE worker_group = %s AND topic = %s AND partition = %s"
            " AND epoch = %s FOR SHARE",
            (*astuple(place), epoch),
        )
        if owned.rowcount != 1:
            raise _stale(place)
        connection.execute(
            "INSERT INTO states_set_aside (worker_group, partition, patient_id, state, why)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (place.group, place.partition, patient_id, state, why),
        )


def move_offset(
    connection: Connection, place: GroupPartition, log_id: str, *, before: int, after: int
) -> None:
    """Move a partition's saved offset; the present owner is fenced out.

    Args:
        before: the offset that the caller found.
        after: the offset to continue from.

    Raises:
        LookupError: with the saved offset, where it is not ``before``; nothing changed.
    """
    with translated(), connection.transaction():
        checkpoint = claim(connection, place, log_id)
        if checkpoint.next_offset not in {None, before}:
            raise LookupError(checkpoint.next_offset)
        _save_offset(connection, place, replace(checkpoint, next_offset=after))


def read_offset(connection: Connection, place: GroupPartition, log_id: str) -> int | None:
    """The offset that a partition's worker continues from; None: none was saved for this log."""
    with translated():
        row = connection.execute(
            "SELECT next_offset FROM checkpoints WHERE worker_group = %s AND topic = %s"
            " AND partition = %s AND log_id = %s AND next_offset >= 0",
            (*astuple(place), log_id),
        ).fetchone()
    return None if row is None else int(row["next_offset"])


def _stale(place: GroupPartition) -> StaleOwnerError:
    return StaleOwnerError(f"Partition {place.partition} of {place.topic} has a new owner.")


class Checkpoints:
    """The same on a connection of its own, reopened after the database was unavailable."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._connection: Connection | None = None
        self._epochs: dict[GroupPartition, int] = {}
        """Partition → epoch of our last claim."""

    def claim(self, place: GroupPartition, log_id: str) -> tuple[Checkpoint, dict[str, bytes]]:
        """Become a partition's owner; return its checkpoint, and its patients' states.

        Patients who are idle are left out: see :meth:`load`.

        Raises:
            UnavailableError: the database is unavailable; claim again.
        """
        with self._reconnecting() as connection:
            checkpoint = claim(connection, place, log_id)
            self._epochs[place] = checkpoint.epoch
            return checkpoint, dict(load_states(connection, place))

    def load(self, place: GroupPartition, patient_ids: Collection[str]) -> dict[str, bytes]:
        """Patient id → last saved state, for patients who were idle.

        Raises:
            UnavailableError: the database is unavailable; load again.
        """
        with self._reconnecting() as connection:
            return load_states_of(connection, place, patient_ids)

    def set_aside(self, place: GroupPartition, patient_id: str, state: bytes, why: str) -> None:
        """Keep a state that cannot be read, of a claimed partition: see :func:`set_aside`.

        Raises:
            StaleOwnerError: the partition has a newer owner; nothing was written.
            UnavailableError: the database is unavailable; nothing was written, or everything:
                repeat.
        """
        with self._reconnecting() as connection:
            set_aside(
                connection, place, self._epochs[place], patient_id=patient_id, state=state, why=why
            )

    def now(self) -> datetime:
        """The database's clock: nothing saved is later.

        Raises:
            UnavailableError: the database is unavailable; repeat.
        """
        with self._reconnecting() as connection, translated():
            row = connection.execute("SELECT now() AS it").fetchone()
        assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
        time: datetime = row["it"]
        return time

    def probe(self) -> None:
        """Check that the tables exist.

        Raises:
            UnavailableError: the database is unavailable, or lacks one of them.
        """
        with self._reconnecting() as connection, translated():
            for table in TABLES:
                connection.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(sql.Identifier(table)))

    def save(self, savings: Sequence[Saving]) -> None:
        """See :func:`save`."""
        with self._reconnecting() as connection:
            save(connection, savings)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _reconnecting(self) -> Iterator[Connection]:
        try:
            if self._connection is None:
                self._connection = connect(self._settings, autocommit=True)
            yield self._connection
        except UnavailableError:
            self.close()
            raise
