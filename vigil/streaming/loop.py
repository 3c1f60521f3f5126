"""The one loop that every worker on the stream runs.

The order of its steps makes the result effectively-once:

    1. poll a batch
    2. decode it; what cannot be decoded becomes a dead letter
    3. handle it: apply it to the worker's state in memory, or durably in its database
    4. produce what it causes, and the dead letters, and wait for the broker's acknowledgements
    5. checkpoint, when one is due: the changed states and the offsets that they belong to, in one
       transaction, which fails if the partition has a newer owner
    6. commit those offsets to Kafka

Steps 2 to 4 are in :mod:`vigil.streaming.batch`, which documents what happens when a message fails.

A step that fails because a part is unavailable is retried until it succeeds, and no later step is
taken before. A process that is killed anywhere repeats from the last checkpoint, or, if it keeps
none, from the last commit: the same state and the same messages cause the same messages with the
same ids, and since every id is derived from content and every sink upserts, the repetition changes
nothing.

Steps 1 to 4 follow each other batch by batch, so an alarm waits for no checkpoint. Step 5 is due
every ``VIGIL_CHECKPOINT_SECONDS``, and later if saving takes more than a tenth of the time.

Back-pressure: the next batch is polled when the last one has completed step 4. What kafka-python
fetches ahead is limited by its own settings (a megabyte a partition).

A worker whose last process was killed begins with one message, makes its offset durable, and
doubles the batch size (:class:`~vigil.streaming.checkpoint_schedule.BatchSizeRamp`): if a message
kills the process, each new one comes nearer to it, until that message is the next one
(``vigil stream skip`` skips it).

While the loop waits, all partitions are paused and the consumer is polled, so that the group does
not reassign them; kafka-python sends heartbeats on a thread of its own, however long a handler
takes. The consumer's positions are not relied on: the loop sets where each partition continues (a
consumer's position also advances past messages that it dropped).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil.contracts.clock_check import WorkerClockCheck
from vigil.kafka import records
from vigil.kafka.clients import Publisher, open_consumer
from vigil.liveness.group_watch import GroupWatch
from vigil.liveness.last_run import LastRun
from vigil.liveness.progress import Progress
from vigil.service import logs
from vigil.service.errors import StaleOwnerError, UnavailableError
from vigil.streaming.assignment import Assignment
from vigil.streaming.batch import BatchProcessor
from vigil.streaming.checkpoint_schedule import BatchSizeRamp, CheckpointSchedule
from vigil.streaming.handler import Handled, Handler, Received, Rejected, Stateless
from vigil.streaming.offsets import REQUEST_TIMEOUT_MS, Offsets
from vigil.streaming.poison_messages import Records
from vigil.streaming.repeated_failures import RepeatedFailures
from vigil.streaming.retry import Retrier, open_with_retry

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

__all__ = ["Handled", "Handler", "Received", "Rejected", "Stateless", "StreamLoop", "run_handler"]

log = logs.get("stream")

JOIN_TIMEOUT_SECONDS = 20.0
"""How long, at least, the group may take to assign partitions."""
METADATA_SECONDS = 0.3
"""Wait before the first poll: a consumer that joins before it knows the topics joins twice."""
LAG_SECONDS = 2.0
"""Interval at which the lag is measured, and with it whether the broker answers."""
WAITING_TIMEOUT_MS = 500
"""How long measuring the lag may take while something else is waited for."""


class StreamLoop:
    """Runs a :class:`~vigil.streaming.handler.Handler` on its consumer group until stopped."""

    def __init__(self, handler: Handler, settings: Settings, publisher: Publisher, health: Health):
        self._handler = handler
        self._settings = settings
        self._health = health
        self._consumer: Any = None
        self._assignment: Any = None
        self._offsets: Any = None
        self._retrier: Any = None
        self._stop = threading.Event()
        self._progress = Progress(health)
        self._clock_check = WorkerClockCheck(health)
        self._repeated_failures = RepeatedFailures(health)
        self._processor = BatchProcessor(
            handler,
            publisher,
            settings,
            health=health,
            retry=self._retry,
            correct_time=self._clock_check.correct_time,
        )
        self._last_run = LastRun(settings, handler.name)
        self._ramp = BatchSizeRamp()
        self._checkpoints = CheckpointSchedule(settings.checkpoint_seconds)
        self._measure_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Loop until ``stop`` is set; leaves the group, so that another worker takes over at once.

        A broker that does not answer is retried, however long; the health reports it.
        """
        self._stop = stop
        if not self._join():
            return
        self._health.trouble("start", None)
        self._health.watch("progress", self._progress.look)
        watch = GroupWatch(
            self._settings, self._handler.name, topics=self._handler.topics, health=self._health
        )
        watch.start()
        if self._last_run.record_start():
            self._ramp.start()
        try:
            while not stop.is_set():
                self._run_once()
        finally:
            self._leave()
            watch.stop()
            self._health.watch("progress", None)
            self._last_run.record_end()

    def _join(self) -> bool:
        """Open a consumer and subscribe; False: stopped before there was a broker."""
        group = f"vigil-{self._handler.name}"
        self._consumer = open_with_retry(
            lambda: open_consumer(
                self._settings,
                group,
                connect_timeout_seconds=0,
                fetch_bytes=self._handler.fetch_bytes,
            ),
            self._stop,
            self._health,
        )
        if self._consumer is None:
            return False
        records.attach(self._consumer)
        self._assignment = Assignment(self._consumer, self._health)
        self._offsets = Offsets(
            self._consumer, self._settings, self._health, progress=self._progress
        )
        self._retrier = Retrier(
            self._consumer,
            self._assignment,
            self._health,
            stop=self._stop,
            poll=self._poll_waiting,
            record_failure=lambda error: self._record_failure(
                f"{error.code}: {error.message.rstrip('.')}"
            ),
        )
        self._consumer.subscribe(list(self._handler.topics), listener=self._assignment)
        self._stop.wait(METADATA_SECONDS)
        return True

    def _rejoin(self) -> None:
        """kafka-python 3.0.12 can lose a join for good: it forgets that it is joining when a
        ``poll`` ends between its own assignment and the coordinator's answer. A new consumer
        recovers."""
        log.warning("group join timed out; rejoining")
        self._leave()
        if not self._join():
            self._consumer = None

    def _leave(self) -> None:
        if self._consumer is None:
            return
        try:
            if self._assignment.is_member:
                self._save_before_leaving()
            self._consumer.close(autocommit=False, timeout_ms=REQUEST_TIMEOUT_MS)
        except KafkaError as error:
            log.warning("consumer close failed", error=type(error).__name__)
        self._assignment.to_forget |= self._offsets.partitions()
        self._forget()

    def _save_before_leaving(self) -> None:
        """A single attempt: whoever takes over repeats what cannot be saved now."""
        try:
            if self._offsets.needs_checkpoint():
                self._handler.checkpoint()
                self._offsets.mark_durable()
        except (UnavailableError, StaleOwnerError) as error:
            log.warning("final checkpoint failed", code=error.code)
        self._offsets.commit()

    def _run_once(self) -> None:
        self._health.beat()
        records = self._poll(200, self._ramp.next_size(self._handler.max_records))
        self._forget()
        if not self._assignment.is_member:
            timeout = max(JOIN_TIMEOUT_SECONDS, self._settings.session_timeout_ms * 1.5e-3)
            if time.monotonic() - self._assignment.not_member_since > timeout:
                self._rejoin()
            return
        if self._assignment.held_back():
            self._load()
        elif records:
            self._process(records)
        self._checkpoint()
        self._measure()

    def _poll(self, timeout_ms: int, max_records: int) -> Records:
        """Step 1."""
        try:
            records: Records = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            self._health.trouble("broker", type(error).__name__)
            log.warning("poll failed", error=type(error).__name__)
            self._stop.wait(0.5)
            return {}
        self._health.trouble("broker", None)
        return records

    def _poll_waiting(self, timeout_ms: int, max_records: int) -> None:
        """Poll while everything is paused; the lag is measured then too."""
        self._poll(timeout_ms, max_records)
        if time.monotonic() >= self._measure_at:
            self._measure_at = time.monotonic() + LAG_SECONDS
            with suppress(KafkaError):
                self._offsets.measure_lag(WAITING_TIMEOUT_MS)

    def _process(self, records: Records) -> None:
        """Steps 2 to 4. If it ends early, the rest is delivered again."""
        self._progress.begin_batch(records)
        try:
            self._process_pieces(records)
        finally:
            self._progress.end_batch()

    def _process_pieces(self, records: Records) -> None:
        self._repeated_failures.set_in_progress(records)
        if not self._retry(lambda: self._offsets.detect_loss(records)):
            self._start_over()
            return
        for piece in self._processor.poison.divide(records):
            # Should an isolated piece fail, only that piece is to be repeated.
            if piece.isolated and not self._checkpoint(now=True):
                return
            self._repeated_failures.set_in_progress(piece.records)
            if why := self._processor.process(piece.records):
                self._record_failure(why)
                self._start_over()
                return
            self._mark_processed(piece.records)
            # Nor is a dead letter to be repeated, should a later piece fail.
            if piece.isolated and not self._checkpoint(now=True):
                return
        self._repeated_failures.set_in_progress({})
        if self._ramp.grow(self._handler.max_records):
            self._checkpoint(now=True)

    def _record_failure(self, why: str) -> None:
        """The batch in progress could not be processed now."""
        self._repeated_failures.record_failure(why)
        self._progress.record_failure(why)

    def _mark_processed(self, piece: Records) -> None:
        """Everything in it is handled or a dead letter."""
        ends = {partition: found[-1].offset + 1 for partition, found in piece.items()}
        self._handler.advance_offsets(ends)
        self._offsets.mark_handled(ends)
        self._repeated_failures.clear(piece)

    def _checkpoint(self, *, now: bool = False) -> bool:
        """Steps 5 and 6, when they are due. False: the state in memory must not be used further."""
        if not now and not self._checkpoints.is_due():
            return True
        if self._offsets.needs_checkpoint():
            try:
                if not self._retry(lambda: self._checkpoints.run_timed(self._handler.checkpoint)):
                    return False
            except StaleOwnerError as error:
                log.warning("partitions have a newer owner", code=error.code)
                self._start_over()
                return False
            self._offsets.mark_durable()
        self._offsets.commit()  # also what could not be committed before
        self._checkpoints.schedule_next()
        return True

    def _retry(self, action: Callable[[], object]) -> bool:
        """Call ``action`` until it succeeds; False if it did not (:meth:`Retrier.retry`)."""
        done: bool = self._retrier.retry(action)
        return done

    def _start_over(self) -> None:
        """Drop all state, and load what is durable: what is in memory may be ahead of what was
        sent."""
        self._assignment.reload()
        self._forget()

    def _forget(self) -> None:
        gone = sorted(self._assignment.to_forget)
        if gone:
            self._assignment.to_forget.clear()
            self._repeated_failures.clear(gone)
            self._offsets.forget(gone)
            self._handler.revoked(gone)

    def _load(self) -> None:
        """Load the state of new partitions and consume them; resume those whose state is still in
        memory."""
        to_resume, new = sorted(self._assignment.to_resume), sorted(self._assignment.to_load)
        offsets: dict[TopicPartition, int] = {}
        if new and not self._retry(lambda: offsets.update(self._find_offsets(new))):
            return
        self._offsets.start_at(offsets)
        self._offsets.resume(to_resume)
        self._consumer.resume(*new, *to_resume)
        self._assignment.mark_loaded(new + to_resume)
        self._measure_at = 0.0
        log.info("partitions assigned", count=len(self._offsets.partitions()))

    def _find_offsets(self, new: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = self._offsets.find_committed(new)
        return found | dict(self._handler.assigned(new))

    def _measure(self) -> None:
        """Measure the lag; the answer also shows that the broker is reachable."""
        if time.monotonic() < self._measure_at:
            return
        self._measure_at = time.monotonic() + LAG_SECONDS
        self._clock_check.clear_if_settled()
        try:
            self._offsets.measure_lag()
        except KafkaError as error:
            self._health.trouble("unavailable.broker", type(error).__name__)
            return
        self._health.trouble("unavailable.broker", None)
        self._health.trouble("unavailable.broker_topics", self._missing_topics())

    def _missing_topics(self) -> str | None:
        """The worker's topics that the broker does not have: it would receive nothing of them."""
        missing = [t for t in self._handler.topics if not self._consumer.partitions_for_topic(t)]
        if not missing:
            return None
        return f"missing: {', '.join(missing)}; make them: vigil topics --create"


def run_handler(
    handler: Handler, settings: Settings, stop: threading.Event, health: Health
) -> None:
    """Open a publisher, run the loop, close the publisher."""
    publisher = open_with_retry(
        lambda: Publisher(settings, handler.name, connect_timeout_seconds=0), stop, health
    )
    if publisher is None:
        return
    try:
        StreamLoop(handler, settings, publisher, health=health).run(stop)
    finally:
        publisher.close()
