"""Finds the one message that brings a handler down, so that the others are not held up by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kafka import TopicPartition

from vigil.handler import Received

Place = tuple[str, int, int]
"""Topic, partition, offset."""
Records = Mapping[TopicPartition, Sequence[Any]]
"""What a poll brings: partition → Kafka records, in order of offset."""
IN_A_ROW = 3
"""So many messages one after the other that fail alone, and the fault is not in the messages."""


def place(received: Received) -> Place:
    """Where a message stands in the log."""
    return received.topic, received.partition, received.offset


class Suspicion:
    """What is known about messages on which a handler failed.

    The messages of a batch that fails are handled one by one when they come again. A message that
    fails by itself is set aside when it comes once more, and everything else is handled.
    """

    def __init__(self) -> None:
        self._suspects: set[Place] = set()
        self._alone: set[Place] = set()
        self._in_a_row = 0

    def pieces(self, records: Records) -> Iterator[tuple[Records, bool]]:
        """What was polled, in pieces to be handled at once; and whether a piece is a suspect.

        >>> list(Suspicion().pieces({}))
        [({}, False)]
        """
        if not self._suspects:
            yield records, False
            return
        for where, messages in records.items():
            clear: list[Any] = []
            for raw in messages:
                if (where.topic, where.partition, raw.offset) not in self._suspects:
                    clear.append(raw)
                    continue
                if clear:
                    yield {where: clear}, False
                    clear = []
                yield {where: [raw]}, True
            if clear:
                yield {where: clear}, False

    def split(self, batch: Iterable[Received]) -> tuple[list[Received], list[Received]]:
        """``(to handle, to set aside)``, each in order."""
        handle: list[Received] = []
        if not self._alone:
            handle.extend(batch)
            return handle, []
        aside: list[Received] = []
        for received in batch:
            (aside if place(received) in self._alone else handle).append(received)
        return handle, aside

    def failed(self, batch: Sequence[Received]) -> bool:
        """A handler failed on this batch. False: the fault is not in the messages."""
        if len(batch) == 1:
            self._in_a_row += 1
            self._alone.add(place(batch[0]))
        self._suspects.update(place(received) for received in batch)
        return self._in_a_row < IN_A_ROW

    def handled(self, batch: Iterable[Received]) -> None:
        """A handler took this batch."""
        self._in_a_row = 0 if batch else self._in_a_row
        if self._suspects:
            self._suspects.difference_update(place(received) for received in batch)

    def buried(self, aside: Iterable[Received]) -> None:
        """These are with the dead letters."""
        for received in aside:
            self._alone.discard(place(received))
            self._suspects.discard(place(received))
