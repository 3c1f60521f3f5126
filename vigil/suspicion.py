"""Finds the one message that brings a handler down, so that the others are not held up by it."""

from __future__ import annotations

from collections.abc import Iterable

from vigil.handler import Received

Place = tuple[str, int, int]
"""Topic, partition, offset."""
IN_A_ROW = 3
"""So many messages one after the other that fail alone, and the fault is not in the messages."""


def place(received: Received) -> Place:
    """Where a message stands in the log."""
    return received.topic, received.partition, received.offset


class Suspicion:
    """What is known about messages on which a handler failed.

    A batch that fails is read again message by message. A message that fails by itself is set
    aside when it comes again, and everything else is handled.
    """

    def __init__(self) -> None:
        self._one_by_one = 0
        self._alone: set[Place] = set()
        self._in_a_row = 0

    def searching(self) -> bool:
        """Whether messages are read one by one now."""
        return self._one_by_one > 0

    def batch_size(self, most: int) -> int:
        """How many messages to read at once now.

        >>> Suspicion().batch_size(2000)
        2000
        """
        return 1 if self.searching() else most

    def split(self, batch: Iterable[Received]) -> tuple[list[Received], list[Received]]:
        """``(to handle, to set aside)``, each in order."""
        handle: list[Received] = []
        aside: list[Received] = []
        for received in batch:
            (aside if place(received) in self._alone else handle).append(received)
        return handle, aside

    def failed(self, batch: list[Received]) -> bool:
        """A handler failed on this batch. False: the fault is not in the messages."""
        if len(batch) == 1:
            self._in_a_row += 1
            self._alone.add(place(batch[0]))
        self._one_by_one = max(self._one_by_one, len(batch))
        return self._in_a_row < IN_A_ROW

    def handled(self, batch: list[Received]) -> None:
        """A handler took this batch."""
        if batch:
            self._in_a_row = 0
            self._one_by_one = max(0, self._one_by_one - len(batch))

    def buried(self, aside: list[Received]) -> None:
        """These are with the dead letters."""
        self._alone.difference_update(place(received) for received in aside)
        self._one_by_one = max(0, self._one_by_one - len(aside))
