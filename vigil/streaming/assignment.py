"""Which partitions the group has assigned to a worker, and what has to be done about each.

kafka-python reports changes on its network thread, which must not be blocked. So a change is only
recorded here, and new partitions are paused; the loop acts on it on its own thread.

The group assigns partitions *stickily*: most return to the worker that they were revoked from. The
state of a revoked partition is therefore kept until the rebalance has ended: if the partition is
assigned to this worker again, it continues with the state in memory. That is safe because a
checkpoint is fenced: had another worker owned the partition meanwhile, the next save would fail and
the state would be loaded again.
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
        self._revoked: set[TopicPartition] = set()
        """Revoked by the current rebalance, with their state still in memory."""
        self.generation = 0
        """Incremented with every change: records polled before it may belong to another worker."""
        self.is_member = False
        """Whether the group has assigned partitions to this worker."""
        self.not_member_since = time.monotonic()
        """Monotonic seconds since when ``is_member`` is false."""
        self.to_forget: set[TopicPartition] = set()
        """Owned by another worker now: their state is to be dropped."""
        self.to_load: set[TopicPartition] = set()
        """New: paused until their state is loaded."""
        self.to_resume: set[TopicPartition] = set()
        """Assigned again, with their state still in memory: paused until the loop resumes them."""
        health.trouble(TROUBLE, "none assigned yet")

    def reload(self) -> None:
        """Mark all partitions to be forgotten, and those that are ours to be loaded again: now, or
        once the group has assigned them."""
        partitions = self._consumer.assignment()
        self._consumer.pause(*partitions)
        self.to_forget |= partitions | self._revoked
        self._revoked.clear()
        self.to_resume.clear()
        self.to_load = set(partitions) if self.is_member else set()

    def mark_loaded(self, partitions: Collection[TopicPartition]) -> None:
        """The worker consumes these now."""
        self.to_load -= set(partitions)
        self.to_resume -= set(partitions)
        if self.is_member and not self.held_back():
            self._health.trouble(TROUBLE, None)

    def held_back(self) -> set[TopicPartition]:
        """The partitions that must stay paused."""
        return self.to_load | self.to_resume

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Called inside ``poll`` with everything that is assigned to this worker now."""
        self.generation += 1
        self.is_member = True
        self._consumer.pause(*assigned)  # nothing is fetched before the state is loaded
        ours = set(assigned)
        self.to_resume = self._revoked & ours
        self.to_forget |= self._revoked - ours
        self.to_load = ours - self.to_resume
        self._revoked.clear()
        self._health.trouble(TROUBLE, "loading their state" if assigned else None)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Called inside ``poll`` or ``close``; they may be assigned again within the rebalance."""
        self._leave_group(set(revoked))
        self._revoked |= set(revoked) - self.to_forget

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        """The group has expelled this worker; others may have owned the partitions since."""
        self._leave_group(set(lost))
        self.to_forget |= set(lost)

    def _leave_group(self, partitions: set[TopicPartition]) -> None:
        self.generation += 1
        self.is_member = False
        self.not_member_since = time.monotonic()
        self.to_forget |= self.to_load & partitions  # they may be loaded in part
        self.to_load -= partitions
        self.to_resume -= partitions
        self._health.trouble(TROUBLE, "being reassigned by the group")
