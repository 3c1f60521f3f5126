"""Publishes who is enrolled to ``vitals.directory``: everything at the start, then every change.

Ingest keeps that topic in memory, so it accepts readings while the database is unavailable. The
published entries are kept and compared with the tables each time they are read: a change that
``NOTIFY vigil_directory`` announced, one whose notification was lost, and a broker that came back
empty are handled the same way.
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
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_when_event_set,
    wait_exponential,
)
from tenacity.nap import sleep_using_event

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
from vigil.service.errors import UnavailableError, WireError
from vigil.service.health import Health

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("directory")

REREAD_SECONDS = 60.0
"""The longest delay of a change whose notification was lost."""
CHECK_SECONDS = 2.0
"""How often the broker is asked whether it still has the topic's log."""
BROKER_TIMEOUT_SECONDS = 5.0
"""Timeout of one attempt to reach the broker; short, so that a stop takes effect soon."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
"""Between two attempts to connect; each pause is twice the one before."""


LOCK = 0x56696771
"""Key of the advisory lock under which the tables are read and published: of several stores the one
that reads later also publishes later, so that an older entry never follows a newer one."""


def read_tables(connection: Connection) -> list[Published]:
    """The whole directory, from the tables."""
    with translated():
        patients = connection.execute(
            "SELECT patient_id, ward, locale, active, synthetic, changed_at FROM patients"
            " ORDER BY patient_id"
        ).fetchall()
        devices = connection.execute(
            "SELECT device_id, key_sha256, patient_id, active, assigned_at,"
            " clock_correction_seconds, changed_at FROM devices"
            " ORDER BY device_id"
        ).fetchall()
    return [
        *(Published(PatientEntry(**row), changed) for row, changed in map(_split_row, patients)),
        *(Published(DeviceEntry(**row), changed) for row, changed in map(_split_row, devices)),
    ]


def _split_row(row: dict[str, Any]) -> tuple[dict[str, Any], datetime]:
    """An entry's fields, and the time at which it was changed."""
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
        """Message key → entry: the topic when it was read, and everything published since."""
        self._log_id = ""
        self._next = 0
        self.beat: Callable[[], None] = lambda: None
        """Called regularly while it runs."""
        health.trouble("directory", "not published yet")

    def run(self, stop: threading.Event) -> None:
        """Publish until ``stop``; reconnects while database or broker are unavailable.

        A broker that refuses an entry is retried too: it refuses timestamps of a clock that is
        wrong, and a clock is put right.
        """
        retrying = Retrying(
            retry=retry_if_exception_type((UnavailableError, WireError)),
            wait=wait_exponential(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS),
            stop=stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            before_sleep=self._report_waiting,
            retry_error_callback=lambda _state: None,  # stopped
        )
        retrying(self._serve, stop)

    def _report_waiting(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if isinstance(error, UnavailableError | WireError):
            self._health.trouble("directory", error.message)
            log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)

    def _serve(self, stop: threading.Event) -> None:
        """Publish on one set of connections until ``stop``, or until one of them fails."""
        if stop.is_set():
            return
        self.beat()
        publisher = Publisher(self._settings, "store", BROKER_TIMEOUT_SECONDS)
        try:
            reader = open_consumer(self._settings, None, BROKER_TIMEOUT_SECONDS)
            try:
                with connect(self._settings, autocommit=True) as connection:
                    self._watch(
                        connection=connection, publisher=publisher, reader=reader, stop=stop
                    )
            finally:
                reader.close(autocommit=False)
        finally:
            publisher.close()

    def _watch(
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
                    log.warning("the broker lost the topic; publishing everything")
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
        """Read the topic, which may have entries that this database lacks."""
        try:
            with open_admin(self._settings, BROKER_TIMEOUT_SECONDS) as admin:
                self._log_id = read_log_id(admin)
            self._topic = directory_topic.read_topic(reader)
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
        tables = {directory_topic.entry_key(one.entry): one for one in read_tables(connection)}
        found = directory_topic.find_conflicts(self._topic, tables)
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
        directory_topic.store_conflicts(connection, found)
        self._report_conflicts(len(found))
        connection.execute(_AS_OF, (self._log_id, self._next, row["now"] if row else None))

    def _report_conflicts(self, conflicts: int) -> None:
        """Report entries that are newer on the topic than here; a person resolves them."""
        if conflicts:
            log.error("the directory is newer than the database", entries=conflicts)
        self._health.trouble(
            "directory_conflicts",
            f"{conflicts} patients or devices are newer on the directory topic than in the"
            " database, which was restored: `vigil device reconcile` shows them."
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
    """Wait so long for a notification; several at once count as one."""
    with translated():
        return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
