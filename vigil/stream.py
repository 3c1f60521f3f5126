"""The one loop that every worker on the stream runs.

The order, which is what makes the result effectively-once:

    1. poll a batch
    2. decode it; what cannot be read is set aside for the dead letters
    3. handle it: make everything that it causes durable (produce and wait for acks; write and
       commit to the database). Tried again while a part is unavailable
    4. send what was set aside to ``vitals.deadletter`` and wait for acks
    5. commit the offsets to Kafka

A process killed anywhere between repeats from the last commit, and since every id is derived from
content and every sink upserts, the repetition changes nothing.

kafka-python reports a rebalance on its network thread, which must not be held up: the listener
only notes it and pauses what is new; the loop then loads state on its own thread, says itself where
each partition goes on (a consumer keeps its position in a partition that it is given again, also
past messages that it dropped), and resumes. While it must wait, everything is paused and the
consumer polled, so that the group does not take the partitions away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
)
from kafka.structs import OffsetAndMetadata

from vigil import logs, wire
from vigil.broker import Publisher, open_consumer, unavailable
from vigil.errors import StaleOwnerError, UnavailableError, WireError
from vigil.handler import Handler, Received, Rejected, Stateless
from vigil.suspicion import Suspicion

if TYPE_CHECKING:
    from vigil.health import Health
    from vigil.settings import Settings

__all__ = ["Handler", "Received", "Rejected", "Stateless", "StreamLoop", "run_handler"]

log = logs.get("stream")

PATIENCE_MS = 3000
"""How long one question to the broker may take."""
PATIENCE_SECONDS = 20.0
"""How long, at least, the group may take to share its partitions out."""
METADATA_SECONDS = 0.3
"""Wait before the first poll: a consumer that joins before it knows the topics joins twice."""
LOOK_SECONDS = 5.0
"""How often the lag is measured, and with it whether the broker answers."""
COMMIT_SECONDS = 0.5
"""How often offsets are committed while messages are handled one by one."""
Records = Mapping[TopicPartition, Sequence[Any]]


class StreamLoop(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs a :class:`~vigil.handler.Handler` on its consumer group until told to stop."""

    def __init__(self, handler: Handler, settings: Settings, publisher: Publisher, health: Health):
        self._handler = handler
        self._settings = settings
        self._publisher = publisher
        self._health = health
        self._consumer: Any = None
        self._stop = threading.Event()
        self._suspicion = Suspicion()
        self._generation = 0
        self._member = False  # the group has told us what is ours
        self._gone: set[TopicPartition] = set()  # … to forget
        self._new: set[TopicPartition] = set()  # … to load; paused until then
        self._next: dict[TopicPartition, int] = {}
        self._owed: dict[TopicPartition, OffsetAndMetadata] = {}
        self._alone_since = 0.0
        self._commit_at = 0.0
        self._look_at = 0.0

    def run(self, stop: threading.Event, max_records: int = 2000) -> None:
        """Loop until ``stop``; leaves the group cleanly, so that another takes over at once.

        A broker that does not answer is waited for, however long; the health says so.
        """
        self._stop = stop
        if not self._join():
            return
        self._health.trouble("start", None)
        try:
            while not stop.is_set():
                self._turn(max_records)
        finally:
            self._leave()

    def _join(self) -> bool:
        """Open a consumer and subscribe; False: told to stop before there was a broker."""
        group = f"vigil-{self._handler.name}"
        self._consumer = _until_open(
            lambda: open_consumer(self._settings, group, patience=0), self._stop, self._health
        )
        if self._consumer is None:
            return False
        self._consumer.subscribe(list(self._handler.topics), listener=self)
        self._stop.wait(METADATA_SECONDS)
        self._health.trouble("partitions", "none assigned yet")
        self._alone_since = time.monotonic()
        return True

    def _join_anew(self) -> None:
        """kafka-python 3.0.12 can lose a join for good: it forgets that it joins when a ``poll``
        ends between its own assignment and the coordinator's answer. A new consumer can not."""
        log.warning("not admitted to the group; joining anew")
        self._leave()
        self._new.clear()
        if not self._join():
            self._consumer = None

    def _leave(self) -> None:
        if self._consumer is None:
            return
        try:
            if self._owed:
                self._commit({})
            self._consumer.close(autocommit=False, timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            log.warning("left without a word", error=type(error).__name__)
        self._forget()

    def _turn(self, max_records: int) -> None:
        self._health.beat()
        records = self._poll(200, self._suspicion.batch_size(max_records))
        self._forget()
        if not self._member:
            longest = max(PATIENCE_SECONDS, self._settings.session_timeout_ms * 1.5e-3)
            if time.monotonic() - self._alone_since > longest:
                self._join_anew()
            return
        if self._new:
            self._load()
        elif records:
            self._take(records)
        else:
            self._insist(self._handler.idle)
            if self._owed:
                self._commit({})
        self._look()

    def _poll(self, timeout_ms: int, max_records: int) -> Records:
        try:
            records: Records = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            self._health.trouble("broker", type(error).__name__)
            log.warning("poll failed", error=type(error).__name__)
            self._stop.wait(0.5)
            return {}
        self._health.trouble("broker", None)
        return records

    def _take(self, records: Records) -> None:
        """Steps 2 to 5 for one batch. Where it returns early, the batch comes again."""
        read, dead = self._decode(records)
        batch, aside = self._suspicion.split(read)
        rejected: list[Rejected] = []
        try:
            if batch and not self._insist(lambda: rejected.extend(self._handler.handle(batch))):
                return
        except Exception as error:
            log.exception("handler failed", error=type(error).__name__, messages=len(batch))
            if not self._suspicion.failed(batch):
                raise
            self._start_over()
            return
        rejected += [Rejected(received, self._failed_alone()) for received in aside]
        dead += [self._dead_letter(_partition(r), r.raw, reason) for r, reason in rejected]
        if dead and not self._insist(lambda: self._bury(dead)):
            return
        self._suspicion.handled(batch)
        self._suspicion.buried(aside)
        self._health.count("messages", len(batch))
        self._commit({place: messages[-1].offset + 1 for place, messages in records.items()})

    def _decode(self, records: Records) -> tuple[list[Received], list[wire.Outgoing]]:
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

    def _insist(self, action: Callable[[], object]) -> bool:
        """Do it, again and again while a part is unavailable.

        False: not done, because we must stop, or the partitions are no longer ours.
        """
        generation, pause = self._generation, 0.1
        troubled = set()
        while True:
            try:
                action()
            except UnavailableError as error:
                troubled.add(error.code)
                self._health.trouble(error.code, error.message)
                log.warning("waiting", code=error.code, mend=error.mend)
                if not self._keep_alive(pause, generation):
                    return False
                pause = min(pause * 2, 5.0)
            except StaleOwnerError as error:
                log.warning("partitions have a newer owner", code=error.code)
                self._start_over()
                return False
            else:
                for code in troubled:
                    self._health.trouble(code, None)
                return True

    def _keep_alive(self, seconds: float, generation: int) -> bool:
        """Wait without losing the partitions; False when they are lost or we must stop."""
        self._consumer.pause(*self._consumer.assignment())
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if self._stop.is_set():
                    return False
                self._poll(100, 1)
                self._health.beat()
                if self._generation != generation:
                    return False
            return True
        finally:
            self._consumer.resume(*(self._consumer.paused() - self._new))

    def _start_over(self) -> None:
        """Forget all state, and load it again from what is durable."""
        if self._owed:
            self._commit({})
        places = self._consumer.assignment()
        self._consumer.pause(*places)
        self._gone |= places
        self._new |= places

    def _forget(self) -> None:
        if not self._gone:
            return
        gone = sorted(self._gone)
        self._gone.clear()
        for place in gone:
            self._next.pop(place, None)
            self._owed.pop(place, None)
        self._handler.revoked(gone)

    def _load(self) -> None:
        """Load the state of what is new, and go on from where that state stands."""
        new = sorted(self._new)
        offsets: dict[TopicPartition, int] = {}
        if not self._insist(lambda: offsets.update(self._offsets(new))):
            return
        for place in new:
            self._consumer.seek(place, offsets[place])
        self._consumer.resume(*new)
        self._next |= offsets
        self._new.clear()
        self._look_at = 0.0
        self._health.trouble("partitions", None)
        log.info("partitions assigned", count=len(self._next))

    def _offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        offsets: dict[TopicPartition, int] = {}
        try:
            for place in places:
                committed = self._consumer.committed(place, timeout_ms=PATIENCE_MS)
                if committed is not None and committed >= 0:
                    offsets[place] = committed
            fresh = [place for place in places if place not in offsets]
            if fresh:
                offsets |= self._consumer.beginning_offsets(fresh, timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error
        return offsets | dict(self._handler.assigned(places))

    def _commit(self, ends: Mapping[TopicPartition, int]) -> None:
        self._next |= ends
        self._owed |= {place: OffsetAndMetadata(end, "", -1) for place, end in ends.items()}
        if ends and self._suspicion.searching() and time.monotonic() < self._commit_at:
            return  # message by message is slow enough
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        try:
            self._consumer.commit(self._owed, timeout_ms=PATIENCE_MS)
        except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError):
            log.warning("commit refused after a rebalance; what it covered is repeated")
        except KafkaError as error:  # stays owed; the next commit covers it
            log.warning("commit failed", error=type(error).__name__)
            return
        self._owed = {}

    def _look(self) -> None:
        """Measure how far behind we are; the answer also tells that the broker is there."""
        if time.monotonic() < self._look_at or not self._next:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        try:
            ends = self._consumer.end_offsets(list(self._next), timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            self._health.trouble("unavailable.broker", type(error).__name__)
            return
        self._health.trouble("unavailable.broker", None)
        lag = sum(max(0, end - self._next[place]) for place, end in ends.items())
        self._health.gauge("lag_messages", lag)
        self._health.gauge("partitions", len(self._next))

    def _bury(self, letters: Sequence[wire.Outgoing]) -> None:
        self._publisher.publish(letters)
        self._health.count("dead_letters", len(letters))

    def _dead_letter(self, place: TopicPartition, raw: Any, reason: WireError) -> wire.Outgoing:
        log.warning(
            "dead letter", code=reason.code, topic=place.topic, partition=place.partition,
            offset=raw.offset,
        )  # fmt: skip
        original = wire.DeadOriginal(raw.key, raw.value, raw.headers, self._handler.name, reason)
        return wire.deadletter(place.topic, place.partition, raw.offset, original)

    def _failed_alone(self) -> WireError:
        return WireError(
            f"{self._handler.name} failed on this message, and on it alone.",
            code="wire.rejected",
            mend="The service's log has the error; redrive the message once it is mended.",
        )

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """kafka-python calls this on its network thread while we are inside ``poll``."""
        self._generation += 1
        self._member = True
        self._consumer.pause(*assigned)  # nothing is fetched before its state is there
        self._new |= set(assigned)
        self._health.trouble("partitions", "loading their state" if assigned else None)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Likewise; while we are inside ``poll`` or ``close``."""
        self._generation += 1
        self._member = False
        self._alone_since = time.monotonic()
        self._gone |= set(revoked)
        self._new -= set(revoked)
        self._health.trouble("partitions", "being shared out anew")


def _partition(received: Received) -> TopicPartition:
    return TopicPartition(received.topic, received.partition)


def _until_open(make: Callable[[], Any], stop: threading.Event, health: Health) -> Any:
    """A client, once there is a broker; None: told to stop before."""
    while not stop.is_set():
        health.beat()
        try:
            client = make()
        except UnavailableError as error:
            health.trouble(error.code, error.message)
            log.warning("waiting", code=error.code, mend=error.mend)
            stop.wait(1)
        else:
            health.trouble("unavailable.broker", None)
            return client
    return None


def run_handler(
    handler: Handler, settings: Settings, stop: threading.Event, health: Health
) -> None:
    """Open a publisher, run the loop, close the publisher."""
    publisher = _until_open(lambda: Publisher(settings, handler.name, patience=0), stop, health)
    if publisher is None:
        return
    try:
        StreamLoop(handler, settings, publisher, health).run(stop)
    finally:
        publisher.close()
