"""The last status of every worker, read from ``vitals.status`` once.

The topic has it without the database, and without the ``store`` worker, which may be the one that
hangs.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil.contracts import wire
from vigil.contracts.clock_check import AHEAD
from vigil.contracts.topics import STATUS
from vigil.domain.status import Status
from vigil.kafka import committed_ends
from vigil.kafka.clients import broker_unavailable, open_consumer
from vigil.kafka.partition_reader import POLL_MS, REQUEST_TIMEOUT_MS, find_offset_at
from vigil.service.errors import WireError
from vigil.values.clock import EPOCH, from_millis, utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from vigil.service.settings import Settings

BACK_SECONDS = 3600.0
"""Older statuses are not read."""
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LastStatus:
    """A process's last status."""

    status: Status
    received_at: datetime
    """When the broker received it."""


def read_statuses(settings: Settings, back_seconds: float = BACK_SECONDS) -> list[LastStatus]:
    """The last status of every process that reported one in that time, the newest first.

    Args:
        back_seconds: how far back to read.

    Raises:
        UnavailableError: the broker does not answer.
    """
    found: dict[str, LastStatus] = {}
    place = TopicPartition(STATUS.name, 0)
    try:
        with closing(open_consumer(settings, None, connect_timeout_seconds=0)) as consumer:
            consumer.assign([place])
            for raw in _since(consumer, place, time.time() - back_seconds):
                last = _decode(raw)
                if last is not None:
                    found[last.status.instance] = last
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error
    return sorted(found.values(), key=lambda last: last.received_at, reverse=True)


def _since(consumer: Any, place: TopicPartition, moment: float) -> Any:
    """The records since a moment, up to the end as the first fetch tells it."""
    start = find_offset_at(consumer, place, int(moment * 1000))
    if start is None:
        return
    consumer.seek(place, start)
    end, deadline = consumer.end_offsets([place], timeout_ms=REQUEST_TIMEOUT_MS)[place], None
    while consumer.position(place) < end:
        yield from consumer.poll(timeout_ms=POLL_MS).get(place, ())
        if deadline is None:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            end = committed_ends.known_end(consumer, place, end)
        elif time.monotonic() > deadline:
            return


def _decode(raw: Any) -> LastStatus | None:
    try:
        status = wire.decode(STATUS.name, raw.value, raw.headers)
    except WireError:
        return None
    if not isinstance(status, Status):
        return None
    received_at = from_millis(raw.timestamp) or EPOCH
    if received_at > utc_now() + AHEAD:  # of a wrong clock: it would be the newest for ever
        return None
    return LastStatus(status, received_at)
