"""A topic of one partition, kept in memory: read from its beginning, or from some time ago, and
then followed.

What was read stays known while the broker is away. Whether the log is still the one that was read
is asked every few seconds: another cluster id, or an end before our position, means that it was
made anew, and it is read again from the start, into a new :class:`Log` beside the old one.
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
from vigil.kafka.clients import log_id, open_admin, open_consumer, unavailable
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.errors import WireError
from vigil.service.health import Look, Trouble

if TYPE_CHECKING:
    from vigil.contracts.topics import Topic
    from vigil.service.settings import Settings

log = logs.get("following")

CHECK_SECONDS = 2.0
LONGEST_SECONDS = 120.0
"""A turn may publish, read a database, or wait for either."""
UNREAD_SECONDS = 15.0
"""A topic that cannot be read for so long is a trouble; before, a broker may be starting."""
PATIENCE_SECONDS = 5.0
"""How long one attempt to reach the broker may take, so that a request to stop is soon heard."""
POLL_MS = 300


class Log(Protocol):
    """What is made of one log. Called from the follower's thread, in the log's order."""

    def put(self, entry: wire.Carried) -> None:
        """An entry, new or of a key that was there."""

    def drop(self, key: str) -> None:
        """The entry of a message key was deleted."""

    def at_end(self) -> None:
        """Everything that the log holds now was taken. Called each time that this is so; may raise
        :class:`~vigil.service.errors.UnavailableError`: the log is then read again from its
        start."""


class Follower:
    """Follows a topic on a thread of its own.

    Args:
        begin: makes what takes the entries, once for each log that is read.
        name: what log lines and the thread call it.
        back_seconds: where reading begins: so long ago by the broker's timestamps; None: at the
            log's beginning.
        check_seconds: how often it is asked whether the log is still the same, and where it ends.
    """

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        begin: Callable[[], Log],
        name: str,
        *,
        back_seconds: float | None = None,
        check_seconds: float = CHECK_SECONDS,
    ):
        self._settings = settings
        self._begin = begin
        self._name = name
        self._back, self._check = back_seconds, check_seconds
        self._topic = topic.name
        self._place = TopicPartition(topic.name, 0)
        self.position: tuple[str, int] | None = None
        """The log (the cluster's id), and the offset up to which all of it was taken at the last
        :meth:`Log.at_end`; None: none was read to its end yet."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._pulse = Pulse(name, self._thread, LONGEST_SECONDS)
        self._failing_since: float | None = None
        self._failure = ""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading; what was known stays known."""
        self._pulse.done()
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)

    def trouble(self) -> str | None:
        """What keeps the topic from being followed; None: nothing."""
        since = self._failing_since
        if since is not None and time.monotonic() - since > UNREAD_SECONDS:
            why = f"{self._topic} cannot be followed: {self._failure}."
            return f"{why} What is new on it is not known."
        return self._pulse.trouble()

    def look(self) -> Look:
        """The same, for :meth:`vigil.service.health.Health.watch`."""
        told = self.trouble()
        return Look({} if told is None else {f"beside.{self._name}": Trouble(told)})

    def _run(self) -> None:
        while not self._stop.is_set():
            self._pulse.beat()
            try:
                self._read()
            except Exception as error:  # whatever it is: a thread that ended would go unseen
                kind = self._failure = type(error).__name__
                if self._failing_since is None:
                    self._failing_since = time.monotonic()
                log.warning("a topic cannot be read now", what=self._name, error=kind)
                self._stop.wait(0.5)

    def _read(self) -> None:
        """Read one log from its start for as long as it is the same log."""
        with (
            open_admin(self._settings, PATIENCE_SECONDS) as admin,
            closing(open_consumer(self._settings, None, PATIENCE_SECONDS)) as consumer,
        ):
            records.attach(consumer)
            cluster, end = log_id(admin), 0
            consumer.assign([self._place])
            self._seek(consumer)
            taking = self._begin()
            checked = float("-inf")
            while not self._stop.is_set():
                if time.monotonic() - checked >= self._check:
                    checked = time.monotonic()
                    before, end = end, self._end(consumer)
                    if log_id(admin) != cluster or end < before:
                        log.warning("a log was made anew; reading it again", what=self._name)
                        return
                self._pulse.beat()
                self._take(taking, consumer)
                # Tansu counts its last batch as one message in `end`; a fetch tells the true end.
                told = committed_ends.fetched(consumer, self._place)
                if consumer.position(self._place) >= max(end, told.stable if told else 0):
                    self.position = (cluster, int(consumer.position(self._place)))
                    taking.at_end()
                    self._failing_since = None

    def _seek(self, consumer: Any) -> None:
        if self._back is None:
            consumer.seek_to_beginning(self._place)
            return
        moment = int((time.time() - self._back) * 1000)
        try:
            found = consumer.offsets_for_times({self._place: moment})[self._place]
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error
        if found is None or found.timestamp < 0:  # Tansu says -1 where nothing is as new
            consumer.seek_to_end(self._place)
        else:
            consumer.seek(self._place, found.offset)

    def _take(self, taking: Log, consumer: Any) -> None:
        for raw in consumer.poll(timeout_ms=POLL_MS).get(self._place, ()):
            if not raw.value:
                taking.drop((raw.key or b"").decode("utf-8", "replace"))
                continue
            try:
                entry = wire.decode(self._topic, raw.value, raw.headers)
            except WireError as error:
                code, offset = error.code, raw.offset
                log.warning("an entry was skipped", what=self._name, code=code, offset=offset)
                continue
            taking.put(entry)

    def _end(self, consumer: Any) -> int:
        try:
            return int(consumer.end_offsets([self._place])[self._place])
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error
