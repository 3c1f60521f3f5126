"""Where a worker stands on each of its partitions: handled, durable, committed.

A log can lose its beginning (retention, before a worker that was away for days has read it) or its
end (a broker restored from a backup). kafka-python then goes on at the first message there is. Both
are noticed here and said: a gap at the beginning is counted as ``messages_missed``, and what comes
a second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from vigil.kafka import committed_ends
from vigil.kafka.clients import unavailable
from vigil.liveness.progress import Measured, Progress
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("stream")

PATIENCE_MS = 3000
"""How long one question to the broker may take."""


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
        self._undurable: set[TopicPartition] = set()
        self._owed: dict[TopicPartition, OffsetAndMetadata] = {}

    def find(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each was committed last; where it was not, its beginning.

        Raises:
            UnavailableError: the broker does not answer.
        """
        found: dict[TopicPartition, int] = {}
        try:
            for place in places:
                committed = self._consumer.committed(place, timeout_ms=PATIENCE_MS)
                if committed is not None and committed >= 0:
                    found[place] = committed
            fresh = [place for place in places if place not in found]
            if fresh:
                found |= self._consumer.beginning_offsets(fresh, timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error
        return found

    def go_on(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These are loaded, and go on from here."""
        for place, offset in offsets.items():
            self._consumer.seek(place, offset)
        self._next |= offsets
        self._progress.placed(offsets)

    def go_on_again(self, places: Iterable[TopicPartition]) -> None:
        """These are ours again, with their state still in memory."""
        for place in places:
            self._consumer.seek(place, self._next[place])

    def check(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Notice what the log has lost before these messages.

        Raises:
            UnavailableError: the broker does not answer.
        """
        for place, messages in records.items():
            expected, found = self._next[place], messages[0].offset
            if found > expected:
                self._gap(place, expected)
            elif found < expected:
                self._progress.went_back(place, found)
                log.error(
                    "log shorter than it was",
                    topic=place.topic,
                    partition=place.partition,
                    expected=expected,
                    found=found,
                )

    def _gap(self, place: TopicPartition, expected: int) -> None:
        """Offsets are left out by compaction and transactions, too: those are not missed."""
        try:
            first = self._consumer.beginning_offsets([place], timeout_ms=PATIENCE_MS)[place]
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error
        if first > expected:
            missed = first - expected
            self._health.count("messages_missed", missed)
            log.error(
                "messages were deleted before they were read",
                topic=place.topic,
                partition=place.partition,
                expected=expected,
                first=first,
            )

    def handled(self, upto: Mapping[TopicPartition, int]) -> None:
        """Up to here, everything is handled and what it caused is with the broker."""
        self._next |= upto
        self._undurable |= upto.keys()
        self._progress.handled(upto)

    def undurable(self) -> bool:
        """Whether anything was handled since the last checkpoint."""
        return bool(self._undurable)

    def durable(self) -> None:
        """Everything that was handled is durable."""
        for place in self._undurable:
            self._owed[place] = OffsetAndMetadata(self._next[place], "", -1)
        self._undurable.clear()

    def commit(self) -> None:
        """Commit what is durable and not committed yet. What fails, or is refused in the middle of
        a rebalance, stays owed for as long as the partition is ours: we go on with it from memory,
        so no repetition would commit it."""
        if not self._owed:
            return
        try:
            self._consumer.commit(self._owed, timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            log.warning("commit failed", error=type(error).__name__)
            return
        self._owed = {}

    def forget(self, places: Collection[TopicPartition]) -> None:
        """These are another's."""
        self._progress.forget(places)
        for place in places:
            self._next.pop(place, None)
            self._owed.pop(place, None)
            self._undurable.discard(place)

    def places(self) -> set[TopicPartition]:
        """The partitions that are worked on."""
        return set(self._next)

    def measure(self, patience_ms: int = PATIENCE_MS) -> None:
        """Ask where the partitions end, and note how far behind we are.

        Raises:
            KafkaError: the broker does not answer.
        """
        consumer, places = self._consumer, list(self._next)
        found = consumer.end_offsets(places, timeout_ms=patience_ms) if places else {}
        paused = consumer.paused()
        self._progress.measured(
            {
                place: Measured(
                    self._next[place] if place in paused else self._passed(place),
                    end,
                    committed_ends.fetched(consumer, place),
                )
                for place, end in found.items()
            }
        )

    def _passed(self, place: TopicPartition) -> int:
        """The consumer's position. Between two batches it can be beyond the last message, where a
        transaction ended or compaction left nothing. (While a partition is paused it can be beyond
        messages that were dropped.)"""
        state = self._consumer._subscription.assignment.get(place)
        position = None if state is None else state.position
        return self._next[place] if position is None else max(self._next[place], position.offset)
