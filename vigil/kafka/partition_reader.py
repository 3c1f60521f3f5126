"""Reads a partition once, from the first record that is retained to its end at that time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kafka.errors import KafkaTimeoutError

from vigil.kafka import committed_ends, records

if TYPE_CHECKING:
    from kafka import TopicPartition

POLL_MS = 300
REQUEST_TIMEOUT_MS = 10_000


def first_offset(consumer: Any, partition: TopicPartition) -> int:
    """The offset of the first record that is retained."""
    found = consumer.beginning_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)
    return int(found[partition])


def find_offset_at(consumer: Any, partition: TopicPartition, millis: int) -> int | None:
    """The offset of the first record at or after a time; None: no record is that new.

    Some brokers answer with no entry then, others with an entry whose timestamp is -1.

    Args:
        millis: milliseconds since 1970, by the records' timestamps.

    Raises:
        KafkaError: the broker does not answer.
    """
    found = consumer.offsets_for_times({partition: millis})[partition]
    return None if found is None or found.timestamp < 0 else int(found.offset)


def read_retained(
    consumer: Any,
    partition: TopicPartition,
    *,
    before: int | None = None,
    timeout_seconds: float = 20.0,
) -> Iterator[Any]:
    """The committed records of a partition, in order; the consumer is assigned to it alone.

    The end is the one that the first fetch reports (:func:`committed_ends.known_end` says why).

    Args:
        before: stop at this offset, if it comes first.

    Raises:
        KafkaError: the broker does not answer, or returns nothing for ``timeout_seconds``.
    """
    records.attach(consumer)
    consumer.assign([partition])
    ends = consumer.end_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)
    if first_offset(consumer, partition) >= ends[partition]:
        return
    consumer.seek_to_beginning(partition)
    end, received_at = before, time.monotonic()
    while end is None or consumer.position(partition) < end:
        found = consumer.poll(timeout_ms=POLL_MS).get(partition, ())
        fetched = committed_ends.last_fetch(consumer, partition)
        if fetched is not None:  # behind it there may be more, of an open transaction
            end = fetched.stable if end is None else min(end, fetched.stable)
        if found:
            received_at = time.monotonic()
        elif time.monotonic() - received_at > timeout_seconds:
            raise KafkaTimeoutError("nothing was received")
        yield from (record for record in found if end is None or record.offset < end)
