"""The z-score job on Vigil's own loop: state and offsets checkpointed in PostgreSQL, fenced."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import msgspec
from kafka import TopicPartition

from benchmarks.stream import zscore
from benchmarks.stream.jobs.measured import measured, outcome, settings_of
from benchmarks.stream.task import Outcome, Task, main
from store.workers.checkpoints import Checkpoint, Checkpoints, GroupPartition, Saving
from vigil.contracts import topics
from vigil.domain.reading import Upload
from vigil.kafka.clients import open_admin, read_log_id
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import BATCH, Handled, Received

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.Decoder(zscore.Running).decode


class Shard:
    """One partition: each patient's three numbers, and what of them is not durable yet."""

    def __init__(self, place: GroupPartition, checkpoint: Checkpoint, states: Mapping[str, bytes]):
        self.place = place
        self.epoch = checkpoint.epoch
        self.next_offset = checkpoint.next_offset
        self.running = {patient: decode(state) for patient, state in states.items()}
        self.changed: set[str] = set()

    def saving(self) -> Saving:
        """What to save now."""
        states = {patient: encode(self.running[patient]) for patient in self.changed}
        return Saving(self.place, Checkpoint(self.epoch, self.next_offset, None), states)


class ZScores:
    """The handler."""

    topics: tuple[str, ...] = (topics.READINGS.name,)
    max_records = BATCH
    fetch_bytes = 1

    def __init__(self, settings: Settings, name: str):
        self.name = name
        self._settings = settings
        self._checkpoints = Checkpoints(settings)
        self._shards: dict[TopicPartition, Shard] = {}
        self.flagged = 0

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Claim, load, go on from there."""
        with open_admin(self._settings) as admin:
            log_id = read_log_id(admin)
        for partition in partitions:
            place = GroupPartition(self.name, partition.topic, partition.partition)
            self._shards[partition] = Shard(place, *self._checkpoints.claim(place, log_id))
        found = {p: self._shards[p].next_offset for p in partitions}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget."""
        for partition in partitions:
            self._shards.pop(partition, None)

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Judge and learn, in memory."""
        for received in batch:
            upload = received.message
            assert isinstance(upload, Upload)
            shard = self._shards[received.topic, received.partition]
            patient_id = upload.patient_id
            running = shard.running.get(patient_id, zscore.FRESH)
            for row in upload.measurements:
                running, flagged = zscore.step(running, row.values[zscore.SIGNAL])
                self.flagged += flagged
            shard.running[patient_id] = running
            shard.changed.add(patient_id)
            shard.next_offset = received.offset + 1
        return Handled()

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """The offsets are the last message's."""

    def probe(self) -> None:
        """Nothing fails without a message."""

    def checkpoint(self) -> None:
        """Save what changed, with the offsets, in one transaction."""
        shards = list(self._shards.values())
        self._checkpoints.save([shard.saving() for shard in shards])
        for shard in shards:
            shard.changed.clear()


def run(task: Task) -> Outcome:
    """The whole topic."""
    handler = ZScores(settings_of(task), task.group)
    done = measured(handler, task, Health("zscore"), threading.Event())
    return outcome(done, handler.flagged)


if __name__ == "__main__":
    main(run)
