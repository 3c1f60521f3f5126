"""A worker's offsets on the topics, stored together with the rows that it has written.

Kafka's committed offsets outlive the database: a database restored from a backup, or created anew,
lacks the rows stored since, and nobody would read them again. So a worker saves its offsets here
too, before it commits them to Kafka. On an assigned partition the lower of the two counts. If it is
the database's, the database is older than the log: this is reported, and the missing messages are
read again, as far as the log still has them. Messages stored already change nothing. A database
that is restored while the worker runs is noticed when offsets are saved: they have gone back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from kafka import TopicPartition

from store.database.connections import Connection, translated
from vigil.kafka import group_offsets
from vigil.service.errors import StaleOwnerError

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

_SAVE = """
    INSERT INTO stream_positions AS p (worker_group, topic, partition, log_id, next_offset)
    SELECT %s, topic, partition, %s, next_offset
    FROM unnest(%s::text[], %s::integer[], %s::bigint[]) AS r (topic, partition, next_offset)
    ON CONFLICT (worker_group, topic, partition) DO UPDATE
    SET log_id = EXCLUDED.log_id, next_offset = EXCLUDED.next_offset, saved_at = now()
"""
_LOAD = """
    SELECT topic, partition, next_offset FROM stream_positions
    WHERE worker_group = %s AND log_id = %s
"""
_INCARNATION = """
    SELECT pg_postmaster_start_time()::text || (
        SELECT oid FROM pg_database WHERE datname = current_database()
    )::text AS incarnation
"""
"""Differs after every start of the server and for every database: only then can rows be lost that
were reported as durable."""
Connect = Callable[[], AbstractContextManager[Connection]]


class Positions:
    """One worker's offsets. Methods are named as in :class:`vigil.streaming.handler.Handler`."""

    def __init__(self, settings: Settings, service: str, health: Health, connect: Connect):
        self._settings, self._service = settings, service
        self._health, self._connect = health, connect
        self._log_id = self._incarnation = ""
        self._unsaved: dict[TopicPartition, int] = {}
        self._saved: dict[TopicPartition, int] = {}

    def assigned(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Partition → the offset to continue from, where it is not the one committed to Kafka.

        Raises:
            UnavailableError: broker or database are unavailable.
        """
        stands = group_offsets.read_group_offsets(self._settings, self._service, places)
        self._log_id = stands.log_id
        with translated(), self._connect() as connection:
            own, self._incarnation = self._load(connection), _incarnation(connection)
        self._saved |= {place: own[place] for place in places if place in own}
        return {
            place: where
            for place in places
            if (where := self._where(place, own.get(place), stands)) is not None
        }

    def _where(
        self, place: TopicPartition, own: int | None, stands: group_offsets.GroupOffsets
    ) -> int | None:
        committed = stands.committed.get(place)
        if committed is None:
            return own
        where = stands.first[place] if own is None else own
        if where >= committed:
            return None
        group_offsets.report_reading_again(self._health, place, stored=where, committed=committed)
        return where

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """Note that everything below these offsets is in the database, or a dead letter."""
        self._unsaved |= ends

    def save(self) -> None:
        """Save the offsets noted by :meth:`advance_offsets`.

        Raises:
            UnavailableError: the database is unavailable; save again.
            StaleOwnerError: the database's offsets have gone back, and must be read again.
        """
        if not self._unsaved:
            return
        places = sorted(self._unsaved)
        columns = (
            [place.topic for place in places],
            [place.partition for place in places],
            [self._unsaved[place] for place in places],
        )
        with translated(), self._connect() as connection:
            there = self._load(connection)
            gone_back = any(there.get(p, -1) < self._saved.get(p, -1) for p in places)
            if gone_back or _incarnation(connection) != self._incarnation:
                raise StaleOwnerError("The database was replaced or restarted.")
            connection.execute(_SAVE, (self._service, self._log_id, *columns))
        self._saved |= self._unsaved
        self._unsaved.clear()

    def _load(self, connection: Connection) -> dict[TopicPartition, int]:
        found = connection.execute(_LOAD, (self._service, self._log_id)).fetchall()
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in found}

    def revoked(self, places: Collection[TopicPartition]) -> None:
        """Forget partitions that are assigned to another member."""
        for place in places:
            self._unsaved.pop(place, None)
            self._saved.pop(place, None)


def skip_message(
    connection: Connection,
    service: str,
    place: TopicPartition,
    log_id: str,
    *,
    before: int,
    after: int,
) -> None:
    """Move a worker's saved offset past a message; to be done before Kafka's offset is moved.

    Args:
        before: the offset that the caller found; if another is saved, nothing changes.
        after: the offset to continue from.
    """
    with translated(), connection.transaction():
        connection.execute(
            "INSERT INTO stream_positions AS p"
            " (worker_group, topic, partition, log_id, next_offset) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (worker_group, topic, partition) DO UPDATE"
            " SET log_id = EXCLUDED.log_id, next_offset = EXCLUDED.next_offset, saved_at = now()"
            " WHERE p.log_id <> EXCLUDED.log_id OR p.next_offset = %s",
            (service, place.topic, place.partition, log_id, after, before),
        )


def read_position(
    connection: Connection, service: str, place: TopicPartition, log_id: str
) -> int | None:
    """A worker's offset in the database; None: none was saved for this log."""
    with translated():
        row = connection.execute(
            "SELECT next_offset FROM stream_positions WHERE worker_group = %s AND topic = %s"
            " AND partition = %s AND log_id = %s",
            (service, place.topic, place.partition, log_id),
        ).fetchone()
    return None if row is None else int(row["next_offset"])


def _incarnation(connection: Connection) -> str:
    row = connection.execute(_INCARNATION).fetchone()
    return str(row["incarnation"]) if row else ""
