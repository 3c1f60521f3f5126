"""Which partitions the group has given to a worker, and what is to be done about each.

kafka-python tells it on its network thread, which must not be held up: here it is only noted, and
what is new is paused. The loop does what is due, on its own thread.

The group shares partitions out *stickily*: most come back to whom they were taken from. What a
rebalance takes is therefore lent, not forgotten: if it is ours again at its end, the worker goes on
with the state that it has. That is safe, because a checkpoint fences: had anybody else owned the
partition meanwhile, our next save would fail and the state would be loaded again.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from kafka import ConsumerRebalanceListener, TopicPartition

if TYPE_CHECKING:
    from vigil.service.health import Health

TROUBLE = "partitions"


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """The partitions of one consumer."""

    def __init__(self, consumer: Any, health: Health):
        self._consumer = consumer
        self._health = health
        self._lent: set[TopicPartition] = set()
        self.generation = 0
        """Goes up with every change: what was polled before it may be another's."""
        self.member = False
        """The group has told us what is ours."""
        self.alone_since = time.monotonic()
        """Since when it has not."""
        self.gone: set[TopicPartition] = set()
        """To forget."""
        self.new: set[TopicPartition] = set()
        """To load; paused until then."""
        self.kept: set[TopicPartition] = set()
        """Ours again, with their state still in memory; paused until we go on."""
        health.trouble(TROUBLE, "none assigned yet")

    def reload(self) -> None:
        """Everything: to forget, and to load again what is ours, now or when we are told."""
        places = self._consumer.assignment()
        self._consumer.pause(*places)
        self.gone |= places | self._lent
        self._lent.clear()
        self.kept.clear()
        self.new = set(places) if self.member else set()

    def loaded(self, places: Collection[TopicPartition]) -> None:
        """The worker goes on with these."""
        self.new -= set(places)
        self.kept -= set(places)
        if self.member and not self.waiting():
            self._health.trouble(TROUBLE, None)

    def waiting(self) -> set[TopicPartition]:
        """What must stay paused."""
        return self.new | self.kept

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """While we are inside ``poll``; all that is ours now."""
        self.generation += 1
        self.member = True
        self._consumer.pause(*assigned)  # nothing is fetched before its state is there
        ours = set(assigned)
        self.kept = self._lent & ours
        self.gone |= self._lent - ours
        self.new = ours - self.kept
        self._lent.clear()
        self._health.trouble(TROUBLE, "loading their state" if assigned else None)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """While we are inside ``poll`` or ``close``: perhaps ours again in a moment."""
        self._taken(set(revoked))
        self._lent |= set(revoked) - self.gone

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        """The group gave us up, and others may have owned them since."""
        self._taken(set(lost))
        self.gone |= set(lost)

    def _taken(self, places: set[TopicPartition]) -> None:
        self.generation += 1
        self.member = False
        self.alone_since = time.monotonic()
        self.gone |= self.new & places  # perhaps half loaded
        self.new -= places
        self.kept -= places
        self._health.trouble(TROUBLE, "being shared out anew")
