"""The engine on the stream: a partition's state is kept with the offset that it belongs to.

:mod:`vigil.streaming.loop` keeps the order that makes the result effectively-once. Here are its
steps 3 and 5: a batch is applied to the engines, in memory, and what it causes is given to the loop
to produce; a checkpoint saves the states that changed and the next offset of each partition, in one
transaction that a newer owner of a partition makes fail.

A crash between the two repeats the messages since the last checkpoint: the same state and the same
messages make the same events with the same ids, and every sink upserts on them. On a newer owner
(:class:`~vigil.service.errors.StaleOwnerError`) the loop forgets all state and loads it again.

Kafka's own committed offset is informational, not used for recovery: on assignment the checkpoint
decides where to go on.

Each partition has an engine of its own, so that its ticks judge its own patients, and no others.
Who has been silent for so long that nothing waits for them any more leaves memory with the next
checkpoint, and comes back with their next reading.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from detectors.build import is_compiled
from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine
from detectors.engine.future_state import AHEAD_SECONDS
from store.workers.checkpoints import Checkpoint, Checkpoints, GroupPartition, Saving
from vigil.composition.stage import filling_memory
from vigil.contracts import topics, wire
from vigil.domain.ids import timestamp
from vigil.domain.reading import Upload, Withdrawal
from vigil.kafka import group_offsets
from vigil.service import logs
from vigil.service.errors import UnavailableError, WireError
from vigil.streaming import probe_messages
from vigil.streaming.handler import FailedOn, Handled, Received
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("detectors")

NAME = "detectors"
BATCH = 5000
"""Messages at once: what the loop does for each batch then costs little beside detection."""
_PARTITION = attrgetter("topic", "partition")


class Shard:
    """One partition: its engine, and what of it is not durable yet."""

    def __init__(
        self,
        place: GroupPartition,
        config: DetectionConfig,
        checkpoint: Checkpoint,
        begun: datetime,
    ):
        self.place = place
        self._begun = begun
        self.epoch = checkpoint.epoch
        self.next_offset = checkpoint.next_offset
        self.engine = Engine(config)
        self.engine.watermark = _without_future(checkpoint.watermark, begun)
        self.unsaved: set[str] = set()
        """Patients whose state changed since the last checkpoint."""
        self.saved_offset = checkpoint.next_offset

    @property
    def now(self) -> datetime:
        """How late it is at least, by the database's clock and the log's."""
        ticked = self.engine.watermark
        return self._begun if ticked is None else max(self._begun, ticked)

    def unknown(self, batch: Sequence[Received]) -> set[str]:
        """Patients of these messages who are not in memory: new, or back after a long time."""
        named = {r.message.patient_id for r in batch if isinstance(r.message, Upload | Withdrawal)}
        return named - self.engine.known

    def apply(self, batch: Sequence[Received]) -> Iterator[wire.Outgoing]:
        """Apply messages in order; the events they cause."""
        for received in batch:
            try:
                found = self.engine.take(received.message)
            except Exception as error:
                raise FailedOn(received) from error
            for event in found:
                yield wire.to_message(event, NAME)
        self.unsaved |= self.engine.take_changed()
        self.next_offset = batch[-1].offset + 1

    def advance_offset(self, end: int) -> None:
        """Everything below ``end`` is applied or set aside: the checkpoint moves past it."""
        self.next_offset = end

    def saving(self) -> Saving:
        """What to save now. Whoever is idle leaves memory once it is saved."""
        idle = self._idle()
        states = {patient: self.engine.state_of(patient) for patient in self.unsaved}
        checkpoint = Checkpoint(self.epoch, self.next_offset, self.engine.watermark)
        return Saving(self.place, checkpoint, states, idle, self.saved_offset)

    def saved(self, saving: Saving) -> None:
        """It was saved."""
        self.unsaved.clear()
        self.saved_offset = self.next_offset
        self.engine.forget(saving.idle)

    def _idle(self) -> Collection[str]:
        now = self.engine.watermark
        return self.engine.idle(now.timestamp()) if now is not None else ()


class Detectors:
    """The stream loop's handler."""

    name = NAME
    topics: tuple[str, ...] = (topics.READINGS.name,)
    max_records = BATCH
    fetch_bytes = 1

    def __init__(self, settings: Settings, config: DetectionConfig, health: Health):
        self._settings = settings
        self._config = config
        self._health = health
        self._checkpoints = Checkpoints(settings)
        self._shards: dict[TopicPartition, Shard] = {}

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Claim each partition, load its patients' states, and go on from its checkpoint.

        Raises:
            UnavailableError: broker or database are unavailable.
        """
        stands = group_offsets.read_group_offsets(self._settings, self.name, partitions)
        offsets = {}
        for partition in partitions:
            place = GroupPartition(NAME, partition.topic, partition.partition)
            checkpoint, states = self._checkpoints.claim(place, stands.log_id)
            shard = Shard(place, self._config, checkpoint, self._checkpoints.now())
            with filling_memory():
                for patient_id, saved in states.items():
                    self._load(shard, patient_id, saved)
            self._shards[partition] = shard
            where = checkpoint.next_offset
            if where is None:  # what the log still has is judged from its beginning
                where = stands.first[partition]
            offsets[partition] = where
            if where < (committed := stands.committed.get(partition, 0)):
                group_offsets.report_reading_again(
                    self._health, partition, stored=where, committed=committed
                )
        self._measure()
        return offsets

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget the partitions. What of them is not durable yet, the next owner does again."""
        for partition in partitions:
            self._shards.pop(partition, None)
        self._measure()

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Detect in the batch. Rejects nothing: what the wire lets through can be judged.

        Raises:
            UnavailableError: the database is unavailable, so the state of someone who is back is.
        """
        parts = [
            (self._shards[TopicPartition(*place)], list(messages))
            for place, messages in groupby(batch, _PARTITION)
        ]
        for shard, messages in parts:
            self._bring_back(shard, shard.unknown(messages))
        outgoing = [event for shard, messages in parts for event in shard.apply(messages)]
        self._health.count("readings", sum(map(_readings, batch)))
        self._count_unknown(shard for shard, _ in parts)
        self._health.count("events", len(outgoing))
        return Handled(outgoing)

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """What was set aside is passed within the same fence as what was judged."""
        for partition, end in ends.items():
            self._shards[partition].advance_offset(end)

    def probe(self) -> None:
        """Judge a made-up patient in an engine of its own, and ask for the checkpoints' tables.

        Raises:
            UnavailableError: the database is unavailable, or lacks a table.
        """
        engine, now = Engine(self._config), utc_now()
        for message in (probe_messages.build_upload(now), probe_messages.build_withdrawal(now)):
            for event in engine.take(message):
                wire.to_message(event, NAME)
        engine.tick(now)
        engine.load_state(probe_messages.PATIENT, engine.state_of(probe_messages.PATIENT))
        self._checkpoints.probe()

    def checkpoint(self) -> None:
        """Save every partition that moved.

        Raises:
            UnavailableError: the database is unavailable; all was saved or nothing: save again.
            StaleOwnerError: a partition has a newer owner; nothing was saved.
        """
        moved = [s for s in self._shards.values() if s.next_offset != s.saved_offset]
        savings = [shard.saving() for shard in moved]
        self._checkpoints.save(savings)
        for shard, saving in zip(moved, savings, strict=True):
            shard.saved(saving)
        self._health.count("states_saved", sum(len(saving.states) for saving in savings))
        self._measure()

    def close(self) -> None:
        """Close the connections to the database."""
        self._checkpoints.close()

    def _bring_back(self, shard: Shard, patients: Collection[str]) -> None:
        """Load the states of those who left memory; who is new has none."""
        if patients:
            for patient_id, saved in self._checkpoints.load(shard.place, patients).items():
                self._load(shard, patient_id, saved)

    def _count_unknown(self, shards: Iterable[Shard]) -> None:
        """Signals that were passed over, which a newer Vigil may know."""
        for shard in shards:
            if count := shard.engine.take_unknown_values():
                self._health.count("unknown_signals", count)

    def _measure(self) -> None:
        known = sum(len(shard.engine.known) for shard in self._shards.values())
        self._health.gauge("patients", known)
        self._health.gauge("detection_compiled", int(is_compiled()))

    def _load(self, shard: Shard, patient_id: str, saved: bytes) -> None:
        """Take over a state. What cannot be read is kept aside, and begun afresh rather than stop
        the ward; but what a newer Vigil wrote is not to be written over."""
        try:
            lost = shard.engine.load_state(patient_id, saved, shard.now)
            why = f"in part: {', '.join(lost)}" if lost else ""
        except WireError as error:
            if error.code == "wire.newer_state":
                raise UnavailableError(
                    error.message, code="unavailable.state_newer", how_to_fix=error.how_to_fix
                ) from error
            why = error.message
        if why:
            self._checkpoints.set_aside(shard.place, patient_id, saved, why)
            self._health.count("states_set_aside")
            log.error("state set aside", patient_id=patient_id, why=why)


def _without_future(watermark: datetime | None, now: datetime) -> datetime | None:
    """The last tick, or now where it is more than a day later, which no true one can be."""
    if watermark is None or watermark <= now + timedelta(seconds=AHEAD_SECONDS):
        return watermark
    log.error("saved watermark is in the future", watermark=timestamp(watermark))
    return now


def _readings(received: Received) -> int:
    message: Any = received.message
    return len(message.measurements) if type(message) is Upload else 0
