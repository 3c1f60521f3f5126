"""Finds the one message that brings a handler down, so that the others are not held up by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from vigil.domain.ids import timestamp
from vigil.service.errors import WireError
from vigil.streaming.handler import Received, Rejected
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from vigil.service.health import Health

Place = tuple[str, int, int]
"""Topic, partition, offset."""
Records = Mapping[TopicPartition, Sequence[Any]]
"""What a poll brings: partition → Kafka records, in order of offset."""
PARTS = 16
"""Into so many a batch is divided: each failure costs loading all state again, each part a
checkpoint. Four failures find one message among thousands."""
IN_A_ROW = 3
"""So many messages one after the other that fail alone are worth saying."""
TROUBLE = "failing"


def place(received: Received) -> Place:
    """Where a message stands in the log."""
    return received.topic, received.partition, received.offset


class Suspicion:
    """What is known about messages on which a handler failed.

    A batch that fails is handled in parts when it comes again, and so on, until a message is by
    itself. One that fails by itself is set aside when it comes once more, and everything else is
    handled.
    """

    def __init__(self) -> None:
        self._suspects: dict[Place, int] = {}
        """Message → the group that it is to be handled with."""
        self._groups = 0
        self._alone: dict[Place, WireError] = {}

    def pieces(self, records: Records) -> Iterator[tuple[Records, bool]]:
        """What was polled, in pieces to be handled at once; and whether a piece is suspect.

        >>> list(Suspicion().pieces({}))
        [({}, False)]
        """
        if not self._suspects:
            yield records, False
            return
        for where, messages in records.items():

            def group(raw: Any, where: TopicPartition = where) -> int:
                return self._suspects.get((where.topic, where.partition, raw.offset), 0)

            for suspects, together in groupby(messages, group):
                yield {where: list(together)}, bool(suspects)

    def split(self, batch: list[Received]) -> tuple[list[Received], list[Rejected]]:
        """``(to handle, to set aside and why)``, each in order."""
        if not self._alone:
            return batch, []
        handle: list[Received] = []
        aside: list[Rejected] = []
        for received in batch:
            why = self._alone.get(place(received))
            if why is None:
                handle.append(received)
            else:
                aside.append(Rejected(received, why))
        return handle, aside

    def suspect(self, batch: Sequence[Received]) -> None:
        """One of these fails: each part of them is to be handled by itself."""
        size = -(-len(batch) // PARTS)
        for number, received in enumerate(batch):
            self._suspects[place(received)] = self._groups + 1 + number // size
        self._groups += PARTS

    def alone(self, received: Received, why: WireError) -> None:
        """This one fails by itself: it is to be set aside."""
        self._groups += 1
        self._suspects[place(received)] = self._groups
        self._alone[place(received)] = why

    def handled(self, batch: Iterable[Received]) -> None:
        """A handler took this batch."""
        if self._suspects:
            for received in batch:
                self._suspects.pop(place(received), None)

    def buried(self, aside: Iterable[Rejected]) -> None:
        """These are with the dead letters."""
        for received, _ in aside:
            self._alone.pop(place(received), None)
            self._suspects.pop(place(received), None)


class Streak:
    """Messages of a kind that fail one after the other, and none of that kind is handled between.

    Each is with the dead letters and can be sent again. That it goes on so is said for as long as
    it does: nobody may take it for a quiet ward.
    """

    def __init__(self, health: Health):
        self._health = health
        self._kinds: set[type] = set()
        self._length = 0
        self._since: datetime | None = None

    def failed(self, received: Received, error: BaseException) -> None:
        """One more was set aside."""
        self._kinds.add(type(received.message))
        self._length += 1
        self._since = self._since or utc_now()
        self._health.count("messages_failed")
        self._health.gauge("failed_in_a_row", self._length)
        if self._length >= IN_A_ROW:
            self._health.trouble(
                TROUBLE,
                f"{self._length} messages in a row could not be handled, since"
                f" {timestamp(self._since)}, the last because of {type(error).__name__}; they are"
                " with the dead letters (`vigil deadletter list`)",
            )

    def handled(self, batch: Iterable[Received]) -> None:
        """A handler took these."""
        if self._length and any(type(received.message) in self._kinds for received in batch):
            self._kinds.clear()
            self._length, self._since = 0, None
            self._health.gauge("failed_in_a_row", 0)
            self._health.trouble(TROUBLE, None)
