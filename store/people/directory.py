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
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from psycopg import sql

from store.database.connections import DIRECTORY_CHANNEL, Connection, connect, translated
from store.people import directory_topic
from store.people.directory_topic import Published
from vigil.contracts.topics import DIRECTORY
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.kafka.clients import (
    Publisher,
    broker_unavailable,
    open_admin,
    open_consumer,
    read_log_id,
)
from vigil.service import logs
from vigil.service.errors import UnavailableError
from vigil.service.health import Health

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("directory")

REREAD_SECONDS = 60.0
"""How long a change can go unseen whose announcement was lost."""
CHECK_SECONDS = 2.0
"""How often it is asked whether the broker still has the topic's log."""
PATIENCE_SECONDS = 5.0
"""How long one attempt to reach the broker may take, so that a request to stop is soon heard."""


LOCK = 0x56696771
"""Key of the advisory lock under which the tables are read and published: of several stores the one
that reads later also publishes later, so that nothing older ever stands behind something newer."""


def entries(connection: Connection) -> list[Published]:
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
        *(Published(PatientEntry(**row), changed) for row, changed in map(_apart, patients)),
        *(Published(DeviceEntry(**row), changed) for row, changed in map(_apart, devices)),
    ]


def _apart(row: dict[str, Any]) -> tuple[dict[str, Any], datetime]:
    """An entry's fields, and its time."""
    changed: datetime = row.pop("changed_at")
    return row, changed


_PLACE = TopicPartition(DIRECTORY.name, 0)
_AS_OF = """
    INSERT INTO directory_published (log_id, next_offset, as_of) VALUES (%s, %s, %s)
    ON CONFLICT (single) DO UPDATE
    SET log_id = EXCLUDED.log_id, next_offset = EXCLUDED.next_offset, as_of = EXCLUDED.as_of
"""


class DirectoryPublisher:
    """Keeps the topic equal to the tables. :meth:`run` on a thread of its own."""

    def __init__(self, settings: Settings, health: Health):
        self._settings = settings
        self._health = health
        self._published: dict[bytes | None, bytes] = {}
        self._end = 0
        self._topic: dict[str, Published] = {}
        """What the topic had when it was read, and what was published since."""
        self._log_id = ""
        self._next = 0
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
                log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
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
        self._read(reader)
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
                    self._read(reader)
                    due = 0.0
            if now >= due:
                due = now + REREAD_SECONDS
                self._publish_changes(connection, publisher)
                self._end = self._log_end(reader)
            if _notified(connection):
                due = 0.0

    def _read(self, reader: Any) -> None:
        """Take in what the topic holds: what this database may lack."""
        try:
            with open_admin(self._settings, PATIENCE_SECONDS) as admin:
                self._log_id = read_log_id(admin)
            self._topic = directory_topic.read(reader)
            self._next = int(reader.position(_PLACE)) if reader.assignment() else 0
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error

    def _publish_changes(self, connection: Connection, publisher: Publisher) -> None:
        with translated():
            connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            try:
                self._publish_under_lock(connection, publisher)
            finally:
                if not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        self._health.trouble("directory", None)

    def _publish_under_lock(self, connection: Connection, publisher: Publisher) -> None:
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        tables = {directory_topic.key_of(one.entry): one for one in entries(connection)}
        found = directory_topic.conflicts(self._topic, tables)
        messages = {
            key: directory_topic.message(one, publisher.source)
            for key, one in tables.items()
            if key not in found
        }
        changed = {k: m for k, m in messages.items() if self._published.get(m.key) != m.value}
        if changed:
            self._next = max(self._next, publisher.publish_upto(list(changed.values())))
            self._published |= {message.key: message.value for message in changed.values()}
            self._topic |= {key: tables[key] for key in changed}
            self._health.count("directory_entries_published", len(changed))
            log.info("directory published", entries=len(changed))
        directory_topic.keep(connection, found)
        self._say(len(found))
        connection.execute(_AS_OF, (self._log_id, self._next, row["now"] if row else None))

    def _say(self, conflicts: int) -> None:
        """Where the topic knows what this database does not: nothing is done of itself."""
        if conflicts:
            log.error("the directory is newer than the database", entries=conflicts)
        self._health.trouble(
            "directory_conflicts",
            f"{conflicts} patients or devices are newer at the doors than in the database, which"
            " was restored: `vigil device reconcile` shows them."
            if conflicts
            else None,
        )

    def _log_was_lost(self, reader: Any) -> bool:
        """A compacted topic's end never goes back, unless the broker lost what it had."""
        return self._log_end(reader) < self._end

    def _log_end(self, reader: Any) -> int:
        try:
            return int(reader.end_offsets([_PLACE], timeout_ms=5000)[_PLACE])
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error


def _notified(connection: Connection, seconds: float = 0.5) -> bool:
    """Wait a moment for an announcement; several at once count as one."""
    with translated():
        return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
