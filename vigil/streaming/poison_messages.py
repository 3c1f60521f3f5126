"""Isolates a poison message: the one message that makes a handler fail.

All other messages are handled meanwhile, and the poison message becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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

LogPosition = tuple[str, int, int]
"""Topic, partition number, offset."""
Records = Mapping[TopicPartition, Sequence[Any]]
"""The result of a poll: partition → Kafka records, in order of offset."""
PARTS = 16
"""Number of parts into which a failed batch is divided. Each failure costs loading all state again,
each part a checkpoint; four failures find one message among thousands."""
REPORTED_FROM = 3
"""Consecutive messages that fail by themselves, from which on that is reported."""
TROUBLE = "failing"


def position_of(received: Received) -> LogPosition:
    """A message's position in the log."""
    return received.topic, received.partition, received.offset


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a poll that is handled at once."""

    records: Records
    isolated: bool
    """Whether a poison message is being looked for in it."""


@dataclass(frozen=True, slots=True)
class Separated:
    """A batch without its known poison messages; both parts are in order."""

    to_handle: list[Received]
    set_aside: list[Rejected]


class PoisonMessageIsolator:
    """What is known about messages on which a handler failed.

    A batch that fails is divided into parts when it is delivered again, and so on, until a message
    is by itself. One that fails by itself is set aside when it is delivered once more, and
    everything else is handled.
    """

    def __init__(self) -> None:
        self._part_of: dict[LogPosition, int] = {}
        """Message → number of the part that it is to be handled with."""
        self._parts = 0
        self._poison: dict[LogPosition, WireError] = {}

    def divide(self, records: Records) -> Iterator[Piece]:
        """Divide a poll into the pieces that are to be handled at once.

        >>> list(PoisonMessageIsolator().divide({}))
        [Piece(records={}, isolated=False)]
        """
        if not self._part_of:
            yield Piece(records, isolated=False)
            return
        for partition, messages in records.items():

            def part(raw: Any, at: TopicPartition = partition) -> int:
                return self._part_of.get((at.topic, at.partition, raw.offset), 0)

            for number, together in groupby(messages, part):
                yield Piece({partition: list(together)}, isolated=bool(number))

    def separate(self, batch: list[Received]) -> Separated:
        """Separate the known poison messages of a batch from the others."""
        if not self._poison:
            return Separated(batch, [])
        found = Separated([], [])
        for received in batch:
            why = self._poison.get(position_of(received))
            if why is None:
                found.to_handle.append(received)
            else:
                found.set_aside.append(Rejected(received, why))
        return found

    def isolate(self, batch: Sequence[Received]) -> None:
        """One of these fails: each part of them is to be handled by itself."""
        size = -(-len(batch) // PARTS)
        for number, received in enumerate(batch):
            self._part_of[position_of(received)] = self._parts + 1 + number // size
        self._parts += PARTS

    def mark_poison(self, received: Received, why: WireError) -> None:
        """This message fails by itself: it is to be set aside."""
        self._parts += 1
        self._part_of[position_of(received)] = self._parts
        self._poison[position_of(received)] = why

    def mark_handled(self, batch: Iterable[Received]) -> None:
        """A handler has handled this batch."""
        if self._part_of:
            for received in batch:
                self._part_of.pop(position_of(received), None)

    def mark_dead_lettered(self, rejected: Iterable[Rejected]) -> None:
        """These are dead letters now."""
        for each in rejected:
            self._poison.pop(position_of(each.received), None)
            self._part_of.pop(position_of(each.received), None)


class ConsecutiveFailures:
    """Messages of one type that fail one after the other, with none of that type handled between.

    Each of them is a dead letter and can be sent again. The condition is reported for as long as it
    lasts, so that nobody takes it for a quiet ward.
    """

    def __init__(self, health: Health):
        self._health = health
        self._types: set[type] = set()
        self._count = 0
        self._since: datetime | None = None

    def record_failure(self, received: Received, error: BaseException) -> None:
        """One more message was set aside."""
        self._types.add(type(received.message))
        self._count += 1
        self._since = self._since or utc_now()
        self._health.count("messages_failed")
        self._health.gauge("failed_in_a_row", self._count)
        if self._count >= REPORTED_FROM:
            self._health.trouble(
                TROUBLE,
                f"{self._count} messages in a row could not be handled, since"
                f" {timestamp(self._since)}, the last because of {type(error).__name__}; they are"
                " dead letters now (`vigil deadletter list`)",
            )

    def record_handled(self, batch: Iterable[Received]) -> None:
        """A handler has handled these."""
        if self._count and any(type(received.message) in self._types for received in batch):
            self._types.clear()
            self._count, self._since = 0, None
            self._health.gauge("failed_in_a_row", 0)
            self._health.trouble(TROUBLE, None)
