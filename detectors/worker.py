"""The engine on the stream: a partition's state lives with the offset that it belongs to.

The order for each batch, which makes the result effectively-once:

    1. apply the batch to the engines, in memory; keep the events that it causes
    2. publish the events and wait until the broker has them
    3. save the states that changed and the next offset of each partition, in one transaction that
       a newer owner of a partition makes fail
    4. return, and so let the loop commit the offsets to Kafka

A crash after 2 repeats the batch from the checkpoint: the same state and the same messages make the
same events with the same ids, and every sink upserts on them. When 2 or 3 cannot be done now,
:class:`~vigil.errors.UnavailableError` makes the loop call again with the same batch; it has then
been applied already and is not applied twice, and only what is still owed is done. On a newer owner
(:class:`~vigil.errors.StaleOwnerError`) the loop forgets all state and loads it again.

Kafka's own committed offset is for the eye only: on assignment the checkpoint says where to go on.

Each partition has an engine of its own, so that its ticks judge its own patients, and no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kafka import TopicPartition
from kafka.errors import KafkaError

from detectors.config import DetectionConfig
from detectors.engine import Engine
from store.checkpoints import Checkpoint, Checkpoints, Place, Saving
from vigil import broker, logs, topics, wire
from vigil.errors import WireError
from vigil.handler import Received, Rejected
from vigil.model import Tick, Upload

if TYPE_CHECKING:
    from vigil.health import Health
    from vigil.settings import Settings

log = logs.get("detectors")

NAME = "detectors"
TICKS_SAVED_SECONDS = 5.0
"""An offset that only ticks have moved is saved no more often: replaying them costs nothing."""


class Publishes(Protocol):
    """What is needed of :class:`vigil.broker.Publisher`."""

    def publish(self, messages: Sequence[wire.Outgoing]) -> int:
        """Send all, and wait until the broker has all."""

    def close(self) -> None:
        """Let go."""


class Shard:
    """One partition: its engine, and what of it is not durable yet."""

    def __init__(self, place: Place, config: DetectionConfig, checkpoint: Checkpoint):
        self.place = place
        self.epoch = checkpoint.epoch
        self.next_offset = checkpoint.next_offset
        self.engine = Engine(config)
        self.engine.watermark = checkpoint.watermark
        self.unsaved: set[str] = set()
        """Patients whose state changed since the last save."""
        self.owed: list[wire.Outgoing] = []
        """Events that the broker does not have yet."""
        self.saved_offset = checkpoint.next_offset

    def apply(self, message: Upload | Tick, offset: int) -> None:
        """Take one message; owe its events."""
        if isinstance(message, Tick):
            events = self.engine.tick(message.time)
        else:
            events = self.engine.process(message)
        self.owed += [wire.outgoing(event, NAME) for event in events]
        self.unsaved |= self.engine.changed()
        self.next_offset = offset + 1

    def saving(self) -> Saving:
        """What to save now."""
        states = {patient_id: self.engine.state_of(patient_id) for patient_id in self.unsaved}
        checkpoint = Checkpoint(self.epoch, self.next_offset, self.engine.watermark)
        return Saving(self.place, checkpoint, states)

    def saved(self) -> None:
        """It was saved."""
        self.unsaved.clear()
        self.saved_offset = self.next_offset


class Detectors:
    """The stream loop's handler."""

    name = NAME
    topics: tuple[str, ...] = (topics.READINGS.name,)

    def __init__(
        self, settings: Settings, config: DetectionConfig, health: Health,
        open_publisher: Callable[[], Publishes], monotonic: Callable[[], float] = time.monotonic,
    ):  # fmt: skip
        self._settings = settings
        self._config = config
        self._health = health
        self._open_publisher = open_publisher
        self._publisher: Publishes | None = None
        self._monotonic = monotonic
        self._checkpoints = Checkpoints(settings)
        self._shards: dict[TopicPartition, Shard] = {}
        self._applied: tuple[tuple[int, int], ...] = ()
        """The places of the batch that was applied and is not durable yet."""
        self._ticks_saved_at = float("-inf")

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Claim each partition, load its patients' states, and go on from its checkpoint.

        Raises:
            UnavailableError: broker or database are away.
        """
        log_id = self._log_id()
        offsets = {}
        for partition in partitions:
            place = Place(NAME, partition.topic, partition.partition)
            checkpoint, states = self._checkpoints.claim(place, log_id)
            shard = Shard(place, self._config, checkpoint)
            for patient_id, saved in states.items():
                _load(shard.engine, patient_id, saved)
            self._shards[partition] = shard
            if checkpoint.next_offset is not None:
                offsets[partition] = checkpoint.next_offset
        self._measure()
        return offsets

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget the partitions. What of them is not durable yet, the next owner does again."""
        for partition in partitions:
            self._shards.pop(partition, None)
        self._applied = ()
        self._measure()

    def handle(self, batch: Sequence[Received]) -> list[Rejected]:
        """Detect in the batch; see the order above. Rejects nothing: what the wire lets through
        can be judged.

        Raises:
            UnavailableError: broker or database are away; call again with the same batch.
            StaleOwnerError: a partition has a newer owner.
        """
        places = tuple((received.partition, received.offset) for received in batch)
        if places != self._applied:
            self._apply(batch)
            self._applied = places
        self._publish()
        self._save()
        self._applied = ()
        return []

    def idle(self) -> None:
        """Has nothing to do: whatever was handled is durable."""

    def close(self) -> None:
        """Let broker and database go."""
        self._checkpoints.close()
        if self._publisher is not None:
            self._publisher.close()

    def _apply(self, batch: Sequence[Received]) -> None:
        readings = 0
        for received in batch:
            shard = self._shards[TopicPartition(received.topic, received.partition)]
            message: Any = received.message
            shard.apply(message, received.offset)
            if isinstance(message, Upload):
                readings += len(message.measurements)
        self._health.count("readings", readings)

    def _publish(self) -> None:
        owed = [message for shard in self._shards.values() for message in shard.owed]
        if not owed:
            return
        if self._publisher is None:
            self._publisher = self._open_publisher()
        self._publisher.publish(owed)
        self._health.count("events", len(owed))
        for shard in self._shards.values():
            shard.owed.clear()

    def _save(self) -> None:
        """Save every partition that moved; those that only ticks have moved, now and then."""
        moved = [s for s in self._shards.values() if s.next_offset != s.saved_offset]
        if not moved:
            return
        recent = self._monotonic() - self._ticks_saved_at < TICKS_SAVED_SECONDS
        if recent and not any(shard.unsaved for shard in moved):
            return
        self._checkpoints.save([shard.saving() for shard in moved])
        self._ticks_saved_at = self._monotonic()
        self._health.count("states_saved", sum(len(shard.unsaved) for shard in moved))
        for shard in moved:
            shard.saved()
        self._measure()

    def _measure(self) -> None:
        known = sum(len(shard.engine.patients()) for shard in self._shards.values())
        self._health.gauge("patients", known)

    def _log_id(self) -> str:
        """Which log the offsets count in: the cluster's id."""
        try:
            with broker.open_admin(self._settings, patience=0) as admin:
                return str(admin.describe_cluster()["cluster_id"])
        except KafkaError as error:
            raise broker.unavailable(self._settings, type(error).__name__) from error


def _load(engine: Engine, patient_id: str, saved: bytes) -> None:
    """Take over a state; what cannot be read is begun afresh rather than stop the ward."""
    try:
        lost = engine.load_state(patient_id, saved)
        if lost:
            log.warning("state partly lost", patient_id=patient_id, parts=", ".join(lost))
    except WireError as error:
        log.warning("state lost", patient_id=patient_id, code=error.code)
