"""Where a partition ends for a reader of committed data, as the last fetch told it.

kafka-python keeps the high-water mark of a fetch and drops the *last stable offset* (up to which no
transaction is open), which is as far as a reader of committed data can come.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kafka import TopicPartition

_ATTRIBUTE = "vigil_fetched"


class Fetched(NamedTuple):
    """What a fetch told of a partition."""

    stable: int
    """The last stable offset."""
    high: int
    """The high-water mark: behind the last record that is not lost, committed or not."""
    at: float
    """When, in monotonic seconds."""


def note(consumer: Any) -> None:
    """Have what each fetch tells kept, from now on."""
    fetcher = consumer._fetcher
    if hasattr(fetcher, _ATTRIBUTE):
        return
    found: dict[TopicPartition, Fetched] = {}
    setattr(fetcher, _ATTRIBUTE, found)
    parse = fetcher._parse_fetched_data

    def parsed(completed: Any) -> Any:
        told = completed.partition_data
        high = told.high_watermark
        if told.error_code == 0 and high is not None and high >= 0:
            stable = told.last_stable_offset
            if stable is None or stable < 0:  # told to readers of committed data alone
                stable = high
            found[completed.topic_partition] = Fetched(stable, high, time.monotonic())
        return parse(completed)

    fetcher._parse_fetched_data = parsed


def fetched(consumer: Any, place: TopicPartition) -> Fetched | None:
    """The last that was told; None: nothing was fetched yet. After :func:`note`."""
    told: Fetched | None = getattr(consumer._fetcher, _ATTRIBUTE).get(place)
    return told
