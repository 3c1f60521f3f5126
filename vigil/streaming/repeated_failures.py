"""Reports when the batch at one offset fails repeatedly: nothing behind it is processed then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka import TopicPartition

from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.streaming.poison_messages import Records

log = logs.get("stream")

REPORTED_FROM = 5
"""Failures of one offset from which on they are reported as a trouble of their own."""
TROUBLE = "stuck"


@dataclass(frozen=True, slots=True)
class _Failures:
    offset: int
    times: int


class RepeatedFailures:
    """Counts by partition how often the batch that begins at an offset has failed."""

    def __init__(self, health: Health):
        self._health = health
        self._in_progress: Records = {}
        self._failed: dict[TopicPartition, _Failures] = {}

    def set_in_progress(self, records: Records) -> None:
        """These records are being processed; empty: none are."""
        self._in_progress = records

    def record_failure(self, why: str) -> None:
        """The records in progress could not be processed."""
        for partition, messages in self._in_progress.items():
            offset = messages[0].offset
            before = self._failed.get(partition)
            times = before.times + 1 if before is not None and before.offset == offset else 1
            self._failed[partition] = _Failures(offset, times)
            if times >= REPORTED_FROM:
                self._report(partition, self._failed[partition], why)

    def _report(self, partition: TopicPartition, failed: _Failures, why: str) -> None:
        topic, number = partition
        if failed.times == REPORTED_FROM:
            self._health.count("stuck")
            log.error("stuck", topic=topic, partition=number, offset=failed.offset, why=why)
        self._health.trouble(
            TROUBLE,
            f"{topic} partition {number} offset {failed.offset}: failed {failed.times} times:"
            f" {why}",
        )

    def clear(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions have advanced, or belong to another worker."""
        if not self._failed:
            return
        for partition in partitions:
            self._failed.pop(partition, None)
        if not any(failed.times >= REPORTED_FROM for failed in self._failed.values()):
            self._health.trouble(TROUBLE, None)
