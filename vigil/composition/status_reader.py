"""What the workers last said of themselves, read from ``vitals.status`` once.

The topic tells it without the database, and without the ``store`` worker, which may be the one that
stands still.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

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
from vigil.values.clock import EPOCH, of_millis, utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from vigil.service.settings import Settings

BACK_SECONDS = 3600.0
"""What is older than this is not asked for."""
PATIENCE_SECONDS = 10.0


class Said(NamedTuple):
    """A process's last status."""

    status: Status
    heard: datetime
    """When the broker got it."""


def newest(settings: Settings, back_seconds: float = BACK_SECONDS) -> list[Said]:
    """The last status of every process that said anything in that time, the newest first.

    Raises:
        UnavailableError: the broker does not answer.
    """
    found: dict[str, Said] = {}
    place = TopicPartition(STATUS.name, 0)
    try:
        with closing(open_consumer(settings, None, connect_timeout_seconds=0)) as consumer:
            consumer.assign([place])
            for raw in _since(consumer, place, time.time() - back_seconds):
                said = _said(raw)
                if said is not None:
                    found[said.status.instance] = said
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error
    return sorted(found.values(), key=lambda said: said.heard, reverse=True)


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
            deadline = time.monotonic() + PATIENCE_SECONDS
            end = committed_ends.known_end(consumer, place, end)
        elif time.monotonic() > deadline:
            return


def _said(raw: Any) -> Said | None:
    try:
        status = wire.decode(STATUS.name, raw.value, raw.headers)
    except WireError:
        return None
    if not isinstance(status, Status):
        return None
    heard = of_millis(raw.timestamp) or EPOCH
    if heard > utc_now() + AHEAD:  # some clock's that is wrong: it would be the newest for ever
        return None
    return Said(status, heard)
