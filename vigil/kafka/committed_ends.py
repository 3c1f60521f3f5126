"""Where a partition ends for a reader of committed data, as the last fetch reported it.

kafka-python keeps the high-water mark of a fetch and drops the *last stable offset* (below which no
transaction is open), which is as far as a reader of committed data can read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafka import TopicPartition

_ATTRIBUTE = "vigil_fetched"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch reported of a partition."""

    stable: int
    """The last stable offset."""
    high: int
    """The high-water mark: behind the last replicated record, committed or not."""
    at: float
    """When, in monotonic seconds."""


def track_ends(consumer: Any) -> None:
    """Record what each fetch reports, from now on."""
    fetcher = consumer._fetcher
    if hasattr(fetcher, _ATTRIBUTE):
        return
    found: dict[TopicPartition, Fetched] = {}
    setattr(fetcher, _ATTRIBUTE, found)
    parse = fetcher._parse_fetched_data

    def parse_and_record(completed: Any) -> Any:
        data = completed.partition_data
        high = data.high_watermark
        if data.error_code == 0 and high is not None and high >= 0:
            stable = data.last_stable_offset
            if stable is None or stable < 0:  # reported to readers of committed data alone
                stable = high
            found[completed.topic_partition] = Fetched(stable, high, time.monotonic())
        return parse(completed)

    fetcher._parse_fetched_data = parse_and_record


def last_fetch(consumer: Any, partition: TopicPartition) -> Fetched | None:
    """What the last fetch reported; None: nothing was fetched yet. After :func:`track_ends`."""
    fetched: Fetched | None = getattr(consumer._fetcher, _ATTRIBUTE).get(partition)
    return fetched


def known_end(consumer: Any, partition: TopicPartition, end: int) -> int:
    """The end of a partition, from ``end_offsets`` and the last fetch: the larger one.

    Args:
        end: as ``end_offsets`` returned it. A broker that does not look into its batches counts the
            last one as a single record there; a fetch reports the true end.
    """
    fetched = last_fetch(consumer, partition)
    return max(end, fetched.stable if fetched else 0)
