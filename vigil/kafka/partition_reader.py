"""A partition read once, from the beginning of what it retains to its end as it is then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kafka.errors import KafkaTimeoutError

from vigil.kafka import committed_ends, records

if TYPE_CHECKING:
    from kafka import TopicPartition

POLL_MS = 300
ANSWER_MS = 10_000


def beginning(consumer: Any, place: TopicPartition) -> int:
    """The offset of the first record that is retained."""
    return int(consumer.beginning_offsets([place], timeout_ms=ANSWER_MS)[place])


def retained(
    consumer: Any, place: TopicPartition, before: int | None = None, patience_seconds: float = 20.0
) -> Iterator[Any]:
    """The committed records of a partition, in order; the consumer is assigned to it alone.

    Where the end is, the first fetch tells: `end_offsets` of Tansu counts its last batch as one.

    Args:
        before: stop there, where that comes first.

    Raises:
        KafkaError: the broker does not answer, or gives nothing for ``patience_seconds``.
    """
    records.attach(consumer)
    consumer.assign([place])
    if beginning(consumer, place) >= consumer.end_offsets([place], timeout_ms=ANSWER_MS)[place]:
        return
    consumer.seek_to_beginning(place)
    end, heard = before, time.monotonic()
    while end is None or consumer.position(place) < end:
        found = consumer.poll(timeout_ms=POLL_MS).get(place, ())
        told = committed_ends.fetched(consumer, place)
        if told is not None:  # behind it there may be more, of a transaction that is open
            end = told.stable if end is None else min(end, told.stable)
        if found:
            heard = time.monotonic()
        elif time.monotonic() - heard > patience_seconds:
            raise KafkaTimeoutError("nothing came")
        yield from (record for record in found if end is None or record.offset < end)
