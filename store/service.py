"""The worker ``store``: writes the public topics and the phrasebook into the tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafka import TopicPartition

from store.database.connections import Connection, connect, translated
from store.people.directory import DirectoryPublisher
from store.phrases.publisher import PhrasePublisher
from store.readings import latest as latest_rows
from store.readings.retention import Retention
from store.workers.positions import Positions
from store.writing.batching import next_size
from store.writing.writer import Writer, Written
from vigil.contracts import topics
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.health import Health
from vigil.streaming import probe_messages
from vigil.streaming.handler import Handled, Received, Stateless
from vigil.streaming.loop import run_handler
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("store")
DIRECTORY_SECONDS = 120.0
"""Longest time between two beats of the directory's publisher."""


class Store(Stateless):
    """Writes batches; reconnects after the database was unavailable."""

    name = "store"
    topics = tuple(
        topic.name
        for topic in (
            topics.READINGS,
            topics.EVENTS,
            topics.ALERTS,
            topics.ACTIONS,
            topics.PHRASES,
            topics.STATUS,
        )
    )

    fetch_bytes = 32_768
    """A store without backlog writes about ten times a second, not for each message."""

    def __init__(self, settings: Settings, health: Health):
        self._settings = settings
        self._health = health
        self._connection: Connection | None = None
        self._writer: Writer | None = None
        self._positions = Positions(settings, self.name, health=health, connect=self._open)

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Resume from the database's offset where it is lower than Kafka's.

        Raises:
            UnavailableError: broker or database are unavailable.
        """
        return self._positions.assigned(partitions)

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """Note up to which offsets the database is current."""
        self._positions.advance_offsets(ends)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget the offsets of these partitions."""
        self._positions.revoked(partitions)

    def checkpoint(self) -> None:
        """Save the offsets in the database.

        Raises:
            UnavailableError: the database is unavailable.
        """
        self._positions.save()

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Returns once the whole batch is committed.

        Raises:
            UnavailableError: the database is unavailable.
        """
        self.max_records = next_size(batch, self.max_records)
        try:
            written = self._write(batch)
        except BaseException:
            self._count(self._writer.committed if self._writer else {})
            self.close()
            raise
        self._count(written.new)
        return Handled(rejected=written.rejected)

    def _count(self, new: Mapping[str, int]) -> None:
        for table, rows in new.items():
            self._health.count(f"{table}_stored", rows)

    def probe(self) -> None:
        """Write one valid message of each kind, and roll back.

        Raises:
            UnavailableError: the database is unavailable, or lacks a table.
        """
        now = utc_now()
        make = (
            probe_messages.build_upload,
            probe_messages.build_withdrawal,
            probe_messages.build_event,
            probe_messages.build_alert,
            probe_messages.build_action,
            probe_messages.build_phrase,
            probe_messages.build_status,
        )
        batch = probe_messages.as_received(*(sample(now) for sample in make))
        with connect(self._settings) as connection, connection.transaction(force_rollback=True):
            Writer(connection).write(batch)

    def _write(self, batch: Sequence[Received]) -> Written:
        connection = self._opened()
        if self._writer is None:
            with translated(), connection.transaction():
                if removed := latest_rows.remove_future(connection):
                    log.error("latest values were in the future", rows=removed)
            self._writer = Writer(connection)
        return self._writer.write(batch)

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._settings)
        return self._connection

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        """A transaction on the connection, which is closed after an error."""
        try:
            with self._opened().transaction():
                yield self._opened()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._writer = None


class StoreWorker:
    """The writer; publishers of directory and phrases, and retention, in the background."""

    name = "store"

    def __init__(self, settings: Settings):
        self._settings = settings

    def run(self, stop: threading.Event, health: Health) -> None:
        """Work until ``stop``. If writer or directory publisher fails, both end: a process doing
        half of its work must not look healthy."""
        directory = DirectoryPublisher(self._settings, health)
        failures: list[Exception] = []

        def publish() -> None:
            try:
                directory.run(stop)
            except Exception as error:  # raised again below, in the main thread
                failures.append(error)
            finally:
                stop.set()

        thread = threading.Thread(target=publish, name="directory")
        pulse = Pulse("directory", thread, DIRECTORY_SECONDS)
        directory.beat = pulse.beat
        health.watch("directory", pulse.look)
        thread.start()
        phrases = PhrasePublisher(self._settings, health)
        phrases.start()
        retention = Retention(self._settings, health)
        retention.start()
        store = Store(self._settings, health)
        try:
            run_handler(store, self._settings, stop=stop, health=health)
        finally:
            stop.set()
            pulse.done()
            phrases.stop()
            retention.stop()
            thread.join()
            store.close()
        if failures:
            raise failures[0]


def build(settings: Settings) -> StoreWorker:
    """The worker ``store``."""
    return StoreWorker(settings)
