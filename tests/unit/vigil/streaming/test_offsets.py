"""A commit that fails is made up for, and only for what is still ours."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError, RebalanceInProgressError

from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.offsets import Offsets

OURS, THEIRS = TopicPartition("t", 0), TopicPartition("t", 1)


class Consumer:
    """Takes commits once it has no more errors to raise."""

    def __init__(self, *errors: KafkaError):
        self.errors = list(errors)
        self.committed: list[dict[TopicPartition, int]] = []

    def commit(self, offsets: Any, timeout_ms: int) -> None:
        """Raises the next error, or notes the offsets."""
        del timeout_ms
        if self.errors:
            raise self.errors.pop(0)
        self.committed.append({place: metadata.offset for place, metadata in offsets.items()})


@pytest.mark.parametrize("error", [CommitFailedError, RebalanceInProgressError, KafkaTimeoutError])
def test_what_was_not_committed_is_committed_later(error: type[KafkaError]) -> None:
    consumer = Consumer(error())
    offsets = Offsets(consumer, Settings(), Health("test"))
    offsets.mark_handled({OURS: 7, THEIRS: 9})
    offsets.mark_durable()
    offsets.commit()
    assert consumer.committed == []
    offsets.forget([THEIRS])
    offsets.commit()
    offsets.commit()
    assert consumer.committed == [{OURS: 7}]
