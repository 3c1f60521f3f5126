"""Says when the same offset fails again and again: then nothing behind it moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kafka import TopicPartition

from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.streaming.poison_messages import Records

log = logs.get("stream")

TIMES = 5
"""So many failures of one offset are a trouble of their own."""
TROUBLE = "stuck"


class Stuck:
    """Counts, by partition, how often the batch that begins at an offset could not be done."""

    def __init__(self, health: Health):
        self._health = health
        self._held: Records = {}
        self._failed: dict[TopicPartition, tuple[int, int]] = {}

    def hold(self, records: Records) -> None:
        """These are taken now; empty: none are."""
        self._held = records

    def failed(self, why: str) -> None:
        """What is held could not be done."""
        for where, messages in self._held.items():
            offset = messages[0].offset
            before, times = self._failed.get(where, (offset, 0))
            times = times + 1 if before == offset else 1
            self._failed[where] = offset, times
            if times >= TIMES:
                self._say(where, offset, times, why)

    def _say(self, where: TopicPartition, offset: int, times: int, why: str) -> None:
        topic, partition = where
        if times == TIMES:
            self._health.count("stuck")
            log.error("stuck", topic=topic, partition=partition, offset=offset, why=why)
        self._health.trouble(
            TROUBLE, f"{topic} partition {partition} offset {offset}: failed {times} times: {why}"
        )

    def let_go(self, places: Iterable[TopicPartition]) -> None:
        """These moved on, or are another's."""
        if not self._failed:
            return
        for where in places:
            self._failed.pop(where, None)
        if not any(times >= TIMES for _, times in self._failed.values()):
            self._health.trouble(TROUBLE, None)
