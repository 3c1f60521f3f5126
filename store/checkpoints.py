"""Detectors' state and the offset it belongs to, saved in one transaction and fenced by an epoch.

A worker that is given a partition *claims* it: the claim raises the partition's epoch. From then on
a save by any earlier owner finds an epoch that is not its own and raises
:class:`~vigil.errors.StaleOwnerError` without writing anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from store.database import Connection, connect, translated
from vigil.errors import StaleOwnerError, UnavailableError

if TYPE_CHECKING:
    from vigil.settings import Settings


class Checkpoint(NamedTuple):
    """Where a partition's worker stands."""

    epoch: int
    next_offset: int | None
    """None: nothing was saved yet, or for another log."""
    watermark: datetime | None
    """Receive time up to which silence was judged."""


class Place(NamedTuple):
    """Whose checkpoint: a consumer group on one partition of a topic."""

    group: str
    topic: str
    partition: int


def claim(connection: Connection, place: Place, log_id: str) -> Checkpoint:
    """Become the owner of a partition; every earlier owner is fenced out.

    Args:
        log_id: which log offsets count in (the cluster's id). A broker that lost its log, as the
            in-memory one does when it ends, comes back with another: then the states are kept
            and the offset is not.
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
            {**place._asdict(), "log": log_id},
        ).fetchone()
    assert row is not None  # noqa: S101  (RETURNING after an upsert always has a row)
    offset = row["next_offset"]
    return Checkpoint(row["epoch"], offset if offset >= 0 else None, row["watermark"])


def load_states(connection: Connection, place: Place) -> Iterator[tuple[str, bytes]]:
    """Each patient of the partition, with the state last saved."""
    with translated(), connection.transaction(), connection.cursor(name="states") as cursor:
        cursor.itersize = 2000
        cursor.execute(
            "SELECT patient_id, state FROM detector_states"
            " WHERE worker_group = %s AND partition = %s",
            (place.group, place.partition),
        )
        for row in cursor:
            yield row["patient_id"], row["state"]


class Saving(NamedTuple):
    """What to save of one partition."""

    place: Place
    checkpoint: Checkpoint
    states: Mapping[str, bytes]
    """Patient → state, of those that changed."""


def save(connection: Connection, savings: Sequence[Saving]) -> None:
    """Save offsets with the states of the patients that changed: all of it, or nothing.

    Raises:
        StaleOwnerError: a partition has a newer owner; nothing was written.
        UnavailableError: the database is away; nothing was written, or all was: save again.
    """
    with translated(), connection.transaction():
        for place, checkpoint, states in savings:
            updated = connection.execute(
                "UPDATE checkpoints SET next_offset = %s, watermark = %s, saved_at = now()"
                " WHERE worker_group = %s AND topic = %s AND partition = %s AND epoch = %s",
                (checkpoint.next_offset, checkpoint.watermark, *place, checkpoint.epoch),
            )
            if updated.rowcount != 1:
                raise StaleOwnerError(
                    f"Partition {place.partition} of {place.topic} has a new owner."
                )
            if states:
                connection.execute(
                    """
                    INSERT INTO detector_states (worker_group, partition, patient_id, state)
                    SELECT %s, %s, * FROM unnest(%s::text[], %s::bytea[])
                    ON CONFLICT (worker_group, partition, patient_id)
                    DO UPDATE SET state = EXCLUDED.state
                    """,
                    (place.group, place.partition, list(states), list(states.values())),
                )


class Checkpoints:
    """The same on a connection of its own, which is opened again after the database was away."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._connection: Connection | None = None

    def claim(self, place: Place, log_id: str) -> tuple[Checkpoint, dict[str, bytes]]:
        """Become a partition's owner; return where it stands, and the state of its patients.

        Raises:
            UnavailableError: the database is away; claim again.
        """
        with self._reconnecting() as connection:
            checkpoint = claim(connection, place, log_id)
            return checkpoint, dict(load_states(connection, place))

    def save(self, savings: Sequence[Saving]) -> None:
        """See :func:`save`."""
        with self._reconnecting() as connection:
            save(connection, savings)

    def close(self) -> None:
        """Let the connection go."""
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
