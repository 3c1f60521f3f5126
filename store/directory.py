"""Publishes who is enrolled to ``vitals.directory``: everything at the start, then what changes.

Ingest keeps that topic in memory, so the door stays open while the database is away. What was
published is remembered and compared with the tables each time they are read: a change that
``NOTIFY vigil_directory`` announced, one whose announcement was lost, and a broker that came back
empty are mended the same way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaError
from psycopg import sql

from store.database import DIRECTORY_CHANNEL, Connection, connect, translated
from vigil import broker, logs, wire
from vigil.broker import Publisher, open_consumer
from vigil.errors import UnavailableError
from vigil.health import Health
from vigil.model import DeviceEntry, PatientEntry
from vigil.topics import DIRECTORY

if TYPE_CHECKING:
    from vigil.settings import Settings

log = logs.get("directory")

REREAD_SECONDS = 60.0
"""How long a change can go unseen whose announcement was lost."""
CHECK_SECONDS = 2.0
"""How often it is asked whether the broker still has the topic's log."""
PATIENCE_SECONDS = 5.0
"""How long one attempt to reach the broker may take, so that a request to stop is soon heard."""


class Dated(NamedTuple):
    """An entry, and when its row was changed last."""

    entry: PatientEntry | DeviceEntry
    changed_at: datetime


def entries(connection: Connection) -> list[Dated]:
    """The whole directory, as the tables have it."""
    with translated():
        patients = connection.execute(
            "SELECT patient_id, ward, locale, active, synthetic, changed_at FROM patients"
            " ORDER BY patient_id"
        ).fetchall()
        devices = connection.execute(
            "SELECT device_id, key_sha256, patient_id, active, changed_at FROM devices"
            " ORDER BY device_id"
        ).fetchall()
    return [
        *(Dated(PatientEntry(**row), changed) for row, changed in map(_apart, patients)),
        *(Dated(DeviceEntry(**row), changed) for row, changed in map(_apart, devices)),
    ]


def _apart(row: dict[str, Any]) -> tuple[dict[str, Any], datetime]:
    """An entry's fields, and its time."""
    changed: datetime = row.pop("changed_at")
    return row, changed


class DirectoryPublisher:
    """Keeps the topic equal to the tables. :meth:`run` on a thread of its own."""

    def __init__(self, settings: Settings, health: Health):
        self._settings = settings
        self._health = health
        self._published: dict[bytes | None, bytes] = {}
        self._end = 0
        self.beat: Callable[[], None] = lambda: None
        """Called with each turn."""
        health.trouble("directory", "not published yet")

    def run(self, stop: threading.Event) -> None:
        """Publish until ``stop``; waits for whichever of database and broker is away."""
        pause = 0.1
        while not stop.is_set():
            self.beat()
            try:
                self._serve(stop)
            except UnavailableError as error:
                self._health.trouble("directory", error.message)
                log.warning("waiting", code=error.code, mend=error.mend)
                stop.wait(pause)
                pause = min(pause * 2, 5.0)
            else:
                pause = 0.1

    def _serve(self, stop: threading.Event) -> None:
        """One life of the connections: ends with ``stop``, or raises when one of them does."""
        publisher = Publisher(self._settings, "store", PATIENCE_SECONDS)
        try:
            reader = open_consumer(self._settings, None, PATIENCE_SECONDS)
            try:
                with connect(self._settings, autocommit=True) as connection:
                    self._follow(connection, publisher, reader, stop)
            finally:
                reader.close(autocommit=False)
        finally:
            publisher.close()

    def _follow(
        self, connection: Connection, publisher: Publisher, reader: Any, stop: threading.Event
    ) -> None:
        with translated():
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(DIRECTORY_CHANNEL)))
        due = 0.0  # at once
        checked = 0.0
        while not stop.is_set():
            self.beat()
            now = time.monotonic()
            if now >= checked + CHECK_SECONDS:
                checked = now
                if self._log_was_lost(reader):
                    log.warning("the broker came back empty; publishing all")
                    self._published.clear()
                    due = 0.0
            if now >= due:
                due = now + REREAD_SECONDS
                self._publish_changes(connection, publisher)
                self._end = self._log_end(reader)
            if _notified(connection):
                due = 0.0

    def _publish_changes(self, connection: Connection, publisher: Publisher) -> None:
        messages = [
            wire.directory_entry(entry, changed_at, publisher.source)
            for entry, changed_at in entries(connection)
        ]
        changed = [m for m in messages if self._published.get(m.key) != m.value]
        if changed:
            publisher.publish(changed)
            self._published |= {message.key: message.value for message in changed}
            self._health.count("directory_entries_published", len(changed))
            log.info("directory published", entries=len(changed))
        self._health.trouble("directory", None)

    def _log_was_lost(self, reader: Any) -> bool:
        """A compacted topic's end never goes back, unless the broker lost what it had."""
        return self._log_end(reader) < self._end

    def _log_end(self, reader: Any) -> int:
        place = TopicPartition(DIRECTORY.name, 0)
        try:
            return int(reader.end_offsets([place], timeout_ms=5000)[place])
        except KafkaError as error:
            raise broker.unavailable(self._settings, type(error).__name__) from error


def _notified(connection: Connection, seconds: float = 0.5) -> bool:
    """Wait a moment for an announcement; several at once count as one."""
    with translated():
        return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
