"""The one loop that every worker on the stream runs.

The order, which is what makes the result effectively-once:

    1. poll a batch
    2. decode it; what cannot be read is set aside for the dead letters
    3. handle it: apply it to the worker's state in memory, or durably in its database
    4. produce what it causes, and the dead letters, and wait for the broker's acks
    5. checkpoint, when one is due: the states that changed and the offsets that they belong to, in
       one transaction that a newer owner of a partition makes fail
    6. commit those offsets to Kafka

Steps 2 to 4 are :mod:`vigil.streaming.batch`'s, which says what becomes of a message that fails.

A step that cannot be done because a part is unavailable is tried again until it can, and nothing
after it is done before. A process killed anywhere repeats from the last checkpoint, or without one
of its own from the last commit: the same state and the same messages cause the same messages with
the same ids, and since every id is derived from content and every sink upserts, the repetition
changes nothing.

Steps 1 to 4 follow each other batch by batch, so an alarm waits for no checkpoint. Step 5 is due
every ``VIGIL_CHECKPOINT_SECONDS``, and later where saving takes more than a tenth of the time.

Back-pressure: the next batch is polled when the last one is through step 4. What kafka-python
fetches ahead is bounded by its own limits (a megabyte a partition).

A worker whose last process was killed begins with one message, makes its offset durable, and
doubles (:class:`~vigil.streaming.checkpoint_schedule.Ramp`): where a message kills the process,
each new one comes nearer to it, until it stands there (``vigil stream skip`` passes over it).

While it must wait, everything is paused and the consumer polled, so that the group does not take
the partitions away; heartbeats are sent by a thread of kafka-python's own, however long a handler
takes. The consumer's positions are not relied on: the loop says itself where each partition goes on
(a consumer keeps its position also past messages that it dropped).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil.contracts.clock_check import Clocks
from vigil.kafka import records
from vigil.kafka.clients import Publisher, open_consumer
from vigil.liveness.group_watch import GroupWatch
from vigil.liveness.last_run import Lives
from vigil.liveness.progress import Progress
from vigil.service import logs
from vigil.service.errors import StaleOwnerError, UnavailableError
from vigil.streaming.assignment import Assignment
from vigil.streaming.batch import Taking
from vigil.streaming.checkpoint_schedule import Cadence, Ramp
from vigil.streaming.handler import Handled, Handler, Received, Rejected, Stateless
from vigil.streaming.offsets import PATIENCE_MS, Offsets
from vigil.streaming.poison_messages import Records
from vigil.streaming.retry import Patience, until_open
from vigil.streaming.stuck import Stuck

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

__all__ = ["Handled", "Handler", "Received", "Rejected", "Stateless", "StreamLoop", "run_handler"]

log = logs.get("stream")

PATIENCE_SECONDS = 20.0
"""How long, at least, the group may take to share its partitions out."""
METADATA_SECONDS = 0.3
"""Wait before the first poll: a consumer that joins before it knows the topics joins twice."""
LOOK_SECONDS = 2.0
"""How often the lag is measured, and with it whether the broker answers."""
WAITING_MS = 500
"""How long that may take while something else is waited for."""


class StreamLoop:
    """Runs a :class:`~vigil.streaming.handler.Handler` on its consumer group until told to stop."""

    def __init__(self, handler: Handler, settings: Settings, publisher: Publisher, health: Health):
        self._handler = handler
        self._settings = settings
        self._publisher = publisher
        self._health = health
        self._consumer: Any = None
        self._assignment: Any = None
        self._offsets: Any = None
        self._patience: Any = None
        self._stop = threading.Event()
        self._progress = Progress(health)
        self._clocks = Clocks(health)
        self._stuck = Stuck(health)
        self._taking = Taking(handler, publisher, settings, health, self._insist, self._clocks.held)
        self._lives = Lives(settings, handler.name)
        self._ramp = Ramp()
        self._cadence = Cadence(settings.checkpoint_seconds)
        self._look_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Loop until ``stop``; leaves the group cleanly, so that another takes over at once.

        A broker that does not answer is waited for, however long; the health says so.
        """
        self._stop = stop
        if not self._join():
            return
        self._health.trouble("start", None)
        self._health.watch("progress", self._progress.look)
        watch = GroupWatch(self._settings, self._handler.name, self._handler.topics, self._health)
        watch.start()
        if self._lives.begin():
            self._ramp.start()
        try:
            while not stop.is_set():
                self._turn()
        finally:
            self._leave()
            watch.stop()
            self._health.watch("progress", None)
            self._lives.end()

    def _join(self) -> bool:
        """Open a consumer and subscribe; False: told to stop before there was a broker."""
        group = f"vigil-{self._handler.name}"
        self._consumer = until_open(
            lambda: open_consumer(
                self._settings, group, patience=0, fetch_bytes=self._handler.fetch_bytes
            ),
            self._stop,
            self._health,
        )
        if self._consumer is None:
            return False
        records.attach(self._consumer)
        self._assignment = Assignment(self._consumer, self._health)
        self._offsets = Offsets(self._consumer, self._settings, self._health, self._progress)
        self._patience = Patience(
            self._consumer,
            self._assignment,
            self._health,
            self._stop,
            self._poll_waiting,
            lambda error: self._failed(f"{error.code}: {error.message.rstrip('.')}"),
        )
        self._consumer.subscribe(list(self._handler.topics), listener=self._assignment)
        self._stop.wait(METADATA_SECONDS)
        return True

    def _join_anew(self) -> None:
        """kafka-python 3.0.12 can lose a join for good: it forgets that it joins when a ``poll``
        ends between its own assignment and the coordinator's answer. A new consumer can not."""
        log.warning("not admitted to the group; joining anew")
        self._leave()
        if not self._join():
            self._consumer = None

    def _leave(self) -> None:
        if self._consumer is None:
            return
        try:
            if self._assignment.member:
                self._save_at_last()
            self._consumer.close(autocommit=False, timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            log.warning("left without a word", error=type(error).__name__)
        self._assignment.gone |= self._offsets.places()
        self._forget()

    def _save_at_last(self) -> None:
        """One try: what cannot be saved now is done again by whoever takes over."""
        try:
            if self._offsets.undurable():
                self._handler.checkpoint()
                self._offsets.durable()
        except (UnavailableError, StaleOwnerError) as error:
            log.warning("left without a checkpoint", code=error.code)
        self._offsets.commit()

    def _turn(self) -> None:
        self._health.beat()
        records = self._poll(200, self._ramp.at_once(self._handler.max_records))
        self._forget()
        if not self._assignment.member:
            longest = max(PATIENCE_SECONDS, self._settings.session_timeout_ms * 1.5e-3)
            if time.monotonic() - self._assignment.alone_since > longest:
                self._join_anew()
            return
        if self._assignment.waiting():
            self._load()
        elif records:
            self._take(records)
        self._checkpoint()
        self._look()

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
        """While everything is paused: how far behind we are is known then too."""
        self._poll(timeout_ms, max_records)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            with suppress(KafkaError):
                self._offsets.measure(WAITING_MS)

    def _take(self, records: Records) -> None:
        """Steps 2 to 4. Where it ends early, what is left comes again."""
        self._progress.took(records)
        try:
            self._take_all(records)
        finally:
            self._progress.let_go()

    def _take_all(self, records: Records) -> None:
        self._stuck.hold(records)
        if not self._insist(lambda: self._offsets.check(records)):
            self._start_over()
            return
        for piece, suspect in self._taking.suspicion.pieces(records):
            # Should a suspect fail, only it is to be done again.
            if suspect and not self._checkpoint(now=True):
                return
            self._stuck.hold(piece)
            if why := self._taking.take(piece):
                self._failed(why)
                self._start_over()
                return
            self._passed(piece)
            # Nor is what was set aside to come again, should what follows fail.
            if suspect and not self._checkpoint(now=True):
                return
        self._stuck.hold({})
        if self._ramp.more(self._handler.max_records) and not self._checkpoint(now=True):
            return

    def _failed(self, why: str) -> None:
        """What is in hand could not be done now."""
        self._stuck.failed(why)
        self._progress.failed(why)

    def _passed(self, piece: Records) -> None:
        """Everything in it is handled or set aside."""
        ends = {place: found[-1].offset + 1 for place, found in piece.items()}
        self._handler.passed(ends)
        self._offsets.handled(ends)
        self._stuck.let_go(piece)

    def _checkpoint(self, *, now: bool = False) -> bool:
        """Steps 5 and 6, when they are due. False: what is in memory is no longer ours to go on
        with."""
        if not now and not self._cadence.due():
            return True
        if self._offsets.undurable():
            try:
                if not self._insist(lambda: self._cadence.timed(self._handler.checkpoint)):
                    return False
            except StaleOwnerError as error:
                log.warning("partitions have a newer owner", code=error.code)
                self._start_over()
                return False
            self._offsets.durable()
        self._offsets.commit()  # and what could not be committed before, though nothing new comes
        self._cadence.done()
        return True

    def _insist(self, action: Callable[[], object]) -> bool:
        """Do it, however often it must be tried; False: not done (:meth:`Patience.insist`)."""
        done: bool = self._patience.insist(action)
        return done

    def _start_over(self) -> None:
        """Forget all state, and load it again from what is durable: what is in memory may be ahead
        of what was sent."""
        self._assignment.reload()
        self._forget()

    def _forget(self) -> None:
        gone = sorted(self._assignment.gone)
        if gone:
            self._assignment.gone.clear()
            self._stuck.let_go(gone)
            self._offsets.forget(gone)
            self._handler.revoked(gone)

    def _load(self) -> None:
        """Go on with what is ours again; load the state of what is new, and go on from there."""
        kept, new = sorted(self._assignment.kept), sorted(self._assignment.new)
        offsets: dict[TopicPartition, int] = {}
        if new and not self._insist(lambda: offsets.update(self._where(new))):
            return
        self._offsets.go_on(offsets)
        self._offsets.go_on_again(kept)
        self._consumer.resume(*new, *kept)
        self._assignment.loaded(new + kept)
        self._look_at = 0.0
        log.info("partitions assigned", count=len(self._offsets.places()))

    def _where(self, new: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = self._offsets.find(new)
        return found | dict(self._handler.assigned(new))

    def _look(self) -> None:
        """Measure how far behind we are; the answer also tells that the broker is there."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        self._clocks.look()
        try:
            self._offsets.measure()
        except KafkaError as error:
            self._health.trouble("unavailable.broker", type(error).__name__)
            return
        self._health.trouble("unavailable.broker", None)
        self._health.trouble("unavailable.broker_topics", self._missing())

    def _missing(self) -> str | None:
        """Which of our topics the broker does not have: nothing would be heard of them."""
        missing = [t for t in self._handler.topics if not self._consumer.partitions_for_topic(t)]
        return (
            f"missing: {', '.join(missing)}; make them: vigil topics --create" if missing else None
        )


def run_handler(
    handler: Handler, settings: Settings, stop: threading.Event, health: Health
) -> None:
    """Open a publisher, run the loop, close the publisher."""
    publisher = until_open(lambda: Publisher(settings, handler.name, patience=0), stop, health)
    if publisher is None:
        return
    try:
        StreamLoop(handler, settings, publisher, health).run(stop)
    finally:
        publisher.close()
