"""Reads a topic of one partition into memory, from its beginning or from some time ago, and then
continues with what is new.

What was read stays available while the broker is unreachable. Every few seconds it is checked that
the log is still the one that was read: another cluster id, or an end before our position, means
that it was recreated, and it is read again from the start, into a new :class:`EntryConsumer`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil.contracts import wire
from vigil.kafka import committed_ends, records
from vigil.kafka.clients import broker_unavailable, open_admin, open_consumer, read_log_id
from vigil.kafka.partition_reader import find_offset_at
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.errors import WireError
from vigil.service.health import Look, Trouble

if TYPE_CHECKING:
    from vigil.contracts.topics import Topic
    from vigil.service.settings import Settings

log = logs.get("compacted_topic")

CHECK_SECONDS = 2.0
LONGEST_SECONDS = 120.0
"""The longest that one round may take: it may publish, read a database, or wait for either."""
UNREAD_SECONDS = 15.0
"""A topic that cannot be read for so long is a trouble; before, a broker may be starting."""
CONNECT_TIMEOUT_SECONDS = 5.0
"""How long one attempt to reach the broker may take, so that a request to stop is soon noticed."""
POLL_MS = 300


class EntryConsumer(Protocol):
    """Receives the entries of one log. Called on the reader's thread, in the log's order."""

    def apply_entry(self, entry: wire.Carried) -> None:
        """An entry: a new one, or a new version of one that was there."""

    def delete_entry(self, key: str) -> None:
        """The entry of a message key was deleted."""

    def reached_end(self) -> None:
        """Everything that the log holds now was delivered. Called each time that this is so; may
        raise :class:`~vigil.service.errors.UnavailableError`: the log is then read again from its
        start."""


class CompactedTopicReader:
    """Reads a topic on a thread of its own.

    Args:
        begin: makes what receives the entries, once for each log that is read.
        name: names the thread, the log lines and the trouble ``beside.<name>``.
        back_seconds: how long ago reading begins, by the records' timestamps; None: at the log's
            beginning.
        check_seconds: the interval at which the log's identity and end are checked.
    """

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        begin: Callable[[], EntryConsumer],
        *,
        name: str,
        back_seconds: float | None = None,
        check_seconds: float = CHECK_SECONDS,
    ):
        self._settings = settings
        self._begin = begin
        self._name = name
        self._back_seconds, self._check_seconds = back_seconds, check_seconds
        self._topic = topic.name
        self._partition = TopicPartition(topic.name, 0)
        self.position: tuple[str, int] | None = None
        """The log (the cluster's id), and the offset below which all of it was delivered at the
        last :meth:`EntryConsumer.reached_end`; None: no log was read to its end yet."""
        self._stop = threading.Event()
        self._connected = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._pulse = Pulse(name, self._thread, LONGEST_SECONDS)
        self._failing_since: float | None = None
        self._failure = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; what was read stays available.

        A thread that is only trying to reach the broker is not waited for: it delivers nothing any
        more, and ends with its attempt.
        """
        self._pulse.done()
        self._stop.set()
        if self._connected:
            self._thread.join(CONNECT_TIMEOUT_SECONDS)

    def trouble(self) -> str | None:
        """Why the topic cannot be read; None: it can."""
        since = self._failing_since
        if since is not None and time.monotonic() - since > UNREAD_SECONDS:
            why = f"{self._topic} cannot be read: {self._failure}."
            return f"{why} What is new on it is not known."
        return self._pulse.trouble()

    def look(self) -> Look:
        """The same, for :meth:`vigil.service.health.Health.watch`."""
        trouble = self.trouble()
        return Look({} if trouble is None else {f"beside.{self._name}": Trouble(trouble)})

    def _run(self) -> None:
        while not self._stop.is_set():
            self._connected = False
            self._pulse.beat()
            try:
                self._read()
            except Exception as error:  # any kind: nobody would notice a thread that ended
                if self._stop.is_set():
                    return
                kind = self._failure = type(error).__name__
                if self._failing_since is None:
                    self._failing_since = time.monotonic()
                log.warning("a topic cannot be read now", what=self._name, error=kind)
                self._stop.wait(0.5)

    def _read(self) -> None:
        """Read one log from its start for as long as it is the same log."""
        with (
            open_admin(self._settings, CONNECT_TIMEOUT_SECONDS) as admin,
            closing(open_consumer(self._settings, None, CONNECT_TIMEOUT_SECONDS)) as consumer,
        ):
            self._connected = True
            if self._stop.is_set():
                return
            records.attach(consumer)
            cluster, end = read_log_id(admin), 0
            consumer.assign([self._partition])
            self._seek_start(consumer)
            entries = self._begin()
            checked = float("-inf")
            while not self._stop.is_set():
                if time.monotonic() - checked >= self._check_seconds:
                    checked = time.monotonic()
                    before, end = end, self._read_end(consumer)
                    if read_log_id(admin) != cluster or end < before:
                        log.warning("a log was recreated; reading it again", what=self._name)
                        return
                self._pulse.beat()
                self._deliver(entries, consumer)
                position = consumer.position(self._partition)
                if position >= committed_ends.known_end(consumer, self._partition, end):
                    self.position = (cluster, int(position))
                    entries.reached_end()
                    self._failing_since = None

    def _seek_start(self, consumer: Any) -> None:
        if self._back_seconds is None:
            consumer.seek_to_beginning(self._partition)
            return
        millis = int((time.time() - self._back_seconds) * 1000)
        try:
            offset = find_offset_at(consumer, self._partition, millis)
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
        if offset is None:
            consumer.seek_to_end(self._partition)
        else:
            consumer.seek(self._partition, offset)

    def _deliver(self, entries: EntryConsumer, consumer: Any) -> None:
        for raw in consumer.poll(timeout_ms=POLL_MS).get(self._partition, ()):
            if not raw.value:
                entries.delete_entry((raw.key or b"").decode("utf-8", "replace"))
                continue
            try:
                entry = wire.decode(self._topic, raw.value, raw.headers)
            except WireError as error:
                code, offset = error.code, raw.offset
                log.warning("an entry was skipped", what=self._name, code=code, offset=offset)
                continue
            entries.apply_entry(entry)

    def _read_end(self, consumer: Any) -> int:
        try:
            return int(consumer.end_offsets([self._partition])[self._partition])
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
