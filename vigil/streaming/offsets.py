"""A worker's offset on each of its partitions: handled, durable, committed.

A log can lose its beginning (retention deleted what a worker that was stopped for days had not
read) or its end (a broker restored from a backup). kafka-python then continues at the first message
that exists. Both are detected and reported here: a gap at the beginning is counted as
``messages_missed``; messages that are delivered a second time change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from vigil.kafka import committed_ends
from vigil.kafka.clients import broker_unavailable
from vigil.liveness.progress import Measured, Progress
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("stream")

REQUEST_TIMEOUT_MS = 3000
"""How long one request to the broker may take."""


class Offsets:
    """The offsets of one consumer's partitions."""

    def __init__(
        self, consumer: Any, settings: Settings, health: Health, progress: Progress | None = None
    ):
        self._consumer = consumer
        self._progress = progress or Progress(health)
        self._settings = settings
        self._health = health
        self._next: dict[TopicPartition, int] = {}
        self._not_durable: set[TopicPartition] = set()
        self._not_committed: dict[TopicPartition, OffsetAndMetadata] = {}

    def find_committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The committed offset of each partition; without one, its first offset.

        Raises:
            UnavailableError: the broker does not answer.
        """
        found: dict[TopicPartition, int] = {}
        timeout_ms = REQUEST_TIMEOUT_MS
        try:
            for partition in partitions:
                committed = self._consumer.committed(partition, timeout_ms=timeout_ms)
                if committed is not None and committed >= 0:
                    found[partition] = committed
            fresh = [partition for partition in partitions if partition not in found]
            if fresh:
                found |= self._consumer.beginning_offsets(fresh, timeout_ms=timeout_ms)
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
        return found

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Consume these partitions, whose state is loaded, from here."""
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)
        self._next |= offsets
        self._progress.start_at(offsets)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Continue with partitions that were assigned again, with their state still in memory."""
        for partition in partitions:
            self._consumer.seek(partition, self._next[partition])

    def detect_loss(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Detect and report what the log has lost before these records.

        Raises:
            UnavailableError: the broker does not answer.
        """
        for partition, messages in records.items():
            expected, found = self._next[partition], messages[0].offset
            if found > expected:
                self._report_gap(partition, expected)
            elif found < expected:
                self._progress.reset(partition, found)
                log.error(
                    "log is shorter than before",
                    topic=partition.topic,
                    partition=partition.partition,
                    expected=expected,
                    found=found,
                )

    def _report_gap(self, partition: TopicPartition, expected: int) -> None:
        """Compaction and transactions leave out offsets, too: those are not lost messages."""
        try:
            offsets = self._consumer.beginning_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
        first = offsets[partition]
        if first > expected:
            missed = first - expected
            self._health.count("messages_missed", missed)
            log.error(
                "messages were deleted before they were read",
                topic=partition.topic,
                partition=partition.partition,
                expected=expected,
                first=first,
            )

    def mark_handled(self, ends: Mapping[TopicPartition, int]) -> None:
        """Everything below these offsets is handled, and the broker has what it caused."""
        self._next |= ends
        self._not_durable |= ends.keys()
        self._progress.mark_handled(ends)

    def needs_checkpoint(self) -> bool:
        """Whether anything was handled since the last checkpoint."""
        return bool(self._not_durable)

    def mark_durable(self) -> None:
        """Everything that was handled is durable."""
        for partition in self._not_durable:
            self._not_committed[partition] = OffsetAndMetadata(self._next[partition], "", -1)
        self._not_durable.clear()

    def commit(self) -> None:
        """Commit what is durable and not committed yet.

        A commit that fails, or is refused during a rebalance, is retried with the next one for as
        long as the partition is ours: the worker continues from memory, so nothing else would
        commit these offsets again.
        """
        if not self._not_committed:
            return
        try:
            self._consumer.commit(self._not_committed, timeout_ms=REQUEST_TIMEOUT_MS)
        except KafkaError as error:
            log.warning("commit failed", error=type(error).__name__)
            return
        self._not_committed = {}

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop the offsets of partitions that belong to another worker."""
        self._progress.forget(partitions)
        for partition in partitions:
            self._next.pop(partition, None)
            self._not_committed.pop(partition, None)
            self._not_durable.discard(partition)

    def partitions(self) -> set[TopicPartition]:
        """The partitions that are consumed now."""
        return set(self._next)

    def measure_lag(self, timeout_ms: int = REQUEST_TIMEOUT_MS) -> None:
        """Ask the broker where the partitions end, and record how far behind the worker is.

        Raises:
            KafkaError: the broker does not answer.
        """
        consumer, partitions = self._consumer, list(self._next)
        ends = consumer.end_offsets(partitions, timeout_ms=timeout_ms) if partitions else {}
        paused = consumer.paused()
        self._progress.record_measured(
            {
                partition: Measured(
                    position=(
                        self._next[partition] if partition in paused else self._position(partition)
                    ),
                    end=end,
                    fetched=committed_ends.last_fetch(consumer, partition),
                )
                for partition, end in ends.items()
            }
        )

    def _position(self, partition: TopicPartition) -> int:
        """The consumer's position. Between two batches it can be beyond the last message, where a
        transaction ended or compaction left nothing. (While a partition is paused it can be beyond
        messages that were dropped.)"""
        state = self._consumer._subscription.assignment.get(partition)
        position = None if state is None else state.position
        handled = self._next[partition]
        return handled if position is None else max(handled, position.offset)
