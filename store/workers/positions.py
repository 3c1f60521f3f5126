"""Where a worker stands on the topics, kept beside the rows that it has written.

Kafka's committed offsets outlive the database: one that was restored from a backup, or made anew,
lacks what was stored since, and nobody would read it again. So a worker saves its place here too,
before it commits to Kafka. On a partition that is given to it, the place that is further back
counts: where this one is, the database is older than the log, which is said, and what it lacks is
read again, as far as the log still has it. What it has already changes nothing. A database that is
restored while the worker runs is noticed when the place is saved: it has gone back.
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
_LIFE = """
    SELECT pg_postmaster_start_time()::text || (
        SELECT oid FROM pg_database WHERE datname = current_database()
    )::text AS life
"""
"""Another after every start of the server and for every database: only then may rows be gone of
which it was said that they are durable."""
Connect = Callable[[], AbstractContextManager[Connection]]


class Positions:
    """One worker's places. The parts of :class:`vigil.streaming.handler.Handler` bear its names."""

    def __init__(self, settings: Settings, service: str, health: Health, connect: Connect):
        self._settings, self._service = settings, service
        self._health, self._connect = health, connect
        self._log_id = self._life = ""
        self._unsaved: dict[TopicPartition, int] = {}
        self._saved: dict[TopicPartition, int] = {}

    def assigned(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where to go on, on those of the partitions for which Kafka's offset does not count.

        Raises:
            UnavailableError: broker or database are away.
        """
        stands = group_offsets.read_group_offsets(self._settings, self._service, places)
        self._log_id = stands.log_id
        with translated(), self._connect() as connection:
            own, self._life = self._load(connection), _life(connection)
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

    def passed(self, ends: Mapping[TopicPartition, int]) -> None:
        """Everything below these offsets is in the database, or set aside."""
        self._unsaved |= ends

    def save(self) -> None:
        """Make durable what was passed.

        Raises:
            UnavailableError: the database is away; save again.
            StaleOwnerError: the database has gone back: what it has must be asked again.
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
            if gone_back or _life(connection) != self._life:
                raise StaleOwnerError("The database is another than it was, or was started anew.")
            connection.execute(_SAVE, (self._service, self._log_id, *columns))
        self._saved |= self._unsaved
        self._unsaved.clear()

    def _load(self, connection: Connection) -> dict[TopicPartition, int]:
        found = connection.execute(_LOAD, (self._service, self._log_id)).fetchall()
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in found}

    def revoked(self, places: Collection[TopicPartition]) -> None:
        """These are another's."""
        for place in places:
            self._unsaved.pop(place, None)
            self._saved.pop(place, None)


def skip(
    connection: Connection, service: str, place: TopicPartition, log_id: str, ends: tuple[int, int]
) -> None:
    """Move a worker's place over a message; to be done before Kafka's offset is moved.

    Args:
        ends: where it stands, and where it is to go on. Where it stands elsewhere nothing changes.
    """
    before, after = ends
    with translated(), connection.transaction():
        connection.execute(
            "INSERT INTO stream_positions AS p"
            " (worker_group, topic, partition, log_id, next_offset) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (worker_group, topic, partition) DO UPDATE"
            " SET log_id = EXCLUDED.log_id, next_offset = EXCLUDED.next_offset, saved_at = now()"
            " WHERE p.log_id <> EXCLUDED.log_id OR p.next_offset = %s",
            (service, place.topic, place.partition, log_id, after, before),
        )


def position(
    connection: Connection, service: str, place: TopicPartition, log_id: str
) -> int | None:
    """Where a worker stands in the database; None: nothing was saved yet, or for another log."""
    with translated():
        row = connection.execute(
            "SELECT next_offset FROM stream_positions WHERE worker_group = %s AND topic = %s"
            " AND partition = %s AND log_id = %s",
            (service, place.topic, place.partition, log_id),
        ).fetchone()
    return None if row is None else int(row["next_offset"])


def _life(connection: Connection) -> str:
    row = connection.execute(_LIFE).fetchone()
    return str(row["life"]) if row else ""
