"""The one loop that every worker on the stream runs.

The order, which is what makes the result effectively-once:

    1. poll a batch
    2. decode it; what cannot be read is set aside for the dead letters
    3. handle it: make everything that it causes durable (produce and wait for acks; write and
       commit to the database). Tried again whole while a part is unavailable
    4. send what was set aside to ``vitals.deadletter`` and wait for acks
    5. commit the offsets to Kafka

A process killed anywhere between repeats from the last commit, and since every id is derived from
content and every sink upserts, the repetition changes nothing. While a handler must wait, the
partitions are paused and the consumer polled, so that the group does not take them away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
)
from kafka.structs import OffsetAndMetadata

from vigil import logs, wire
from vigil.broker import Publisher, open_consumer
from vigil.errors import UnavailableError, WireError
from vigil.health import Health

if TYPE_CHECKING:
    from vigil.settings import Settings

log = logs.get("stream")


class Received(NamedTuple):
    """A message that was read, and where it came from."""

    topic: str
    partition: int
    offset: int
    message: wire.Carried
    raw: Any
    """The Kafka record: ``key``, ``value``, ``headers``."""


class Rejected(NamedTuple):
    """A message that a handler cannot apply; it joins the dead letters."""

    received: Received
    reason: WireError


class Handler(Protocol):
    """What a worker does with a batch. Called from one thread, never concurrently."""

    name: str
    """The service's name; also the consumer group, as ``vigil-<name>``."""
    topics: tuple[str, ...]

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Partitions were given to this worker: load their state.

        Returns the offsets to go on from; a partition that is not named goes on from Kafka's
        committed offset.
        """

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions are about to go to another worker: forget their state."""

    def handle(self, batch: Sequence[Received]) -> Iterable[Rejected]:
        """Make durable everything that the batch causes; then return what could not be applied.

        Raises:
            UnavailableError: nothing is wrong with the batch; call again with the same one.
        """

    def idle(self) -> None:
        """Nothing came for a moment."""


class Stateless:
    """The parts of :class:`Handler` that a worker without state leaves empty."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Goes on from Kafka's committed offsets."""
        del partitions
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Has nothing to forget."""

    def idle(self) -> None:
        """Has nothing to do."""


class StreamLoop(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs a :class:`Handler` on its consumer group until told to stop."""

    def __init__(self, handler: Handler, settings: Settings, publisher: Publisher, health: Health):
        self._handler = handler
        self._settings = settings
        self._publisher = publisher
        self._health = health
        self._consumer: Any = None
        self._generation = 0
        self._waiting = False

    def run(self, stop: threading.Event, max_records: int = 2000) -> None:
        """Loop until ``stop``; leaves the group cleanly, so that another takes over at once."""
        self._consumer = open_consumer(self._settings, f"vigil-{self._handler.name}")
        self._consumer.subscribe(list(self._handler.topics), listener=self)
        self._health.trouble("start", None)
        self._health.trouble("partitions", "none assigned yet")
        try:
            while not stop.is_set():
                self._turn(stop, max_records)
        finally:
            self._consumer.close(autocommit=False)

    def _turn(self, stop: threading.Event, max_records: int) -> None:
        self._health.beat()
        try:
            records = self._consumer.poll(timeout_ms=200, max_records=max_records)
        except KafkaError as error:
            self._health.trouble("broker", type(error).__name__)
            log.warning("poll failed", error=type(error).__name__)
            stop.wait(0.5)
            return
        self._health.trouble("broker", None)
        if not records:
            self._handler.idle()
            return
        batch, dead = self._decode(records)
        if self._handle(batch, dead, stop):
            self._commit(records)
            self._measure_lag(records)

    def _decode(
        self, records: Mapping[TopicPartition, Sequence[Any]]
    ) -> tuple[list[Received], list[wire.Outgoing]]:
        batch, dead = [], []
        for place, messages in records.items():
            for raw in messages:
                try:
                    message = wire.decode(place.topic, raw.value, raw.headers)
                except WireError as error:
                    dead.append(self._dead_letter(place, raw, error))
                else:
                    batch.append(Received(place.topic, place.partition, raw.offset, message, raw))
        return batch, dead

    def _handle(
        self, batch: Sequence[Received], dead: list[wire.Outgoing], stop: threading.Event
    ) -> bool:
        """Steps 3 and 4. False: the batch is no longer ours, or we were told to stop first."""
        generation = self._generation
        pause = 0.1
        while True:
            try:
                rejected = self._handler.handle(batch) if batch else ()
                letters = [
                    *dead,
                    *(
                        self._dead_letter(TopicPartition(r.topic, r.partition), r.raw, reason)
                        for r, reason in rejected
                    ),
                ]
                if letters:
                    self._publisher.publish(letters)
                    self._health.count("dead_letters", len(letters))
            except UnavailableError as error:
                self._health.trouble(error.code, error.message)
                log.warning("waiting", code=error.code, mend=error.mend)
                if not self._keep_alive(pause, generation, stop):
                    return False
                pause = min(pause * 2, 5.0)
            else:
                for code in ("unavailable.broker", "unavailable.database"):
                    self._health.trouble(code, None)
                self._health.count("messages", len(batch))
                return True

    def _keep_alive(self, seconds: float, generation: int, stop: threading.Event) -> bool:
        """Wait without losing the partitions; False when they are lost or we must stop."""
        self._waiting = True
        self._consumer.pause(*self._consumer.assignment())
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if stop.is_set():
                    return False
                self._consumer.poll(timeout_ms=100)
                self._health.beat()
                if self._generation != generation:
                    return False
        except KafkaError as error:
            log.warning("poll failed", error=type(error).__name__)
            stop.wait(0.5)
        finally:
            self._waiting = False
            self._consumer.resume(*self._consumer.paused())
        return True

    def _commit(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        offsets = {
            place: OffsetAndMetadata(messages[-1].offset + 1, "", -1)
            for place, messages in records.items()
        }
        try:
            self._consumer.commit(offsets)
        except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError):
            log.warning("commit refused after a rebalance; the batch will be repeated")
        except KafkaError as error:  # the next commit covers this one
            log.warning("commit failed", error=type(error).__name__)

    def _measure_lag(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        lag = 0
        for place, messages in records.items():
            high = self._consumer.highwater(place)
            if high is not None:
                lag += max(0, high - messages[-1].offset - 1)
        self._health.gauge("lag_messages", lag)

    def _dead_letter(self, place: TopicPartition, raw: Any, reason: WireError) -> wire.Outgoing:
        log.warning(
            "dead letter", code=reason.code, topic=place.topic, partition=place.partition,
            offset=raw.offset,
        )  # fmt: skip
        original = wire.DeadOriginal(raw.key, raw.value, raw.headers, self._handler.name, reason)
        return wire.deadletter(place.topic, place.partition, raw.offset, original)

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """kafka-python calls this inside ``poll``."""
        self._generation += 1
        for place, offset in self._handler.assigned(assigned).items():
            self._consumer.seek(place, offset)
        if self._waiting:  # nothing may be fetched, and so dropped, by the poll that keeps us alive
            self._consumer.pause(*assigned)
        self._health.gauge("partitions", len(assigned))
        self._health.trouble("partitions", None)
        log.info("partitions assigned", count=len(assigned))

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """kafka-python calls this inside ``poll``, before the partitions go."""
        self._generation += 1
        self._handler.revoked(revoked)


def run_handler(
    handler: Handler, settings: Settings, stop: threading.Event, health: Health
) -> None:
    """Open a publisher, run the loop, close the publisher."""
    publisher = Publisher(settings, handler.name)
    try:
        StreamLoop(handler, settings, publisher, health).run(stop)
    finally:
        publisher.close()
