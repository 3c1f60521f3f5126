"""Each process's newest status: written by the store, kept for a week for ``vigil doctor``.

Which processes run now is read from the topic itself (:mod:`vigil.composition.status_reader`): a
store that has stopped writes nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from store.database import extreme_times
from store.database.connections import Connection
from store.queries import query
from vigil.domain.encoding import encode
from vigil.domain.status import Status

KEPT = timedelta(days=7)
"""A process without a status for so long is deleted."""

_UPSERT = """
    INSERT INTO service_status AS kept
    SELECT * FROM jsonb_populate_recordset(NULL::service_status, %s::jsonb)
    ON CONFLICT (instance) DO UPDATE
    SET time = EXCLUDED.time, trouble = EXCLUDED.trouble,
        counters = EXCLUDED.counters, gauges = EXCLUDED.gauges
    WHERE EXCLUDED.time > kept.time
"""
_FORGET = "DELETE FROM service_status WHERE time < %s OR time > now() + interval '1 day'"
"""Earlier versions accepted times in the future: such a process would seem to run for ever."""


@dataclass(frozen=True, slots=True)
class Line:
    """The newest status of one process."""

    service: str
    version: str
    started: datetime
    time: datetime
    trouble: dict[str, str]
    counters: dict[str, int]
    gauges: dict[str, float]


class Counted(Protocol):
    """A row or a status: anything with counters."""

    @property
    def counters(self) -> dict[str, int]: ...


def sum_counters(lines: Iterable[Counted]) -> Counter[str]:
    """Counter name → the sum over the processes."""
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.counters)
    return total


def insert(connection: Connection, statuses: Sequence[Status]) -> int:
    """Store the newest status of each process; returns 0: boards show none of it."""
    newest = {}
    for status in sorted(statuses, key=lambda status: status.time):
        gauges = (
            {} if status.ended else status.gauges
        )  # gauges of a process that has ended no longer hold
        newest[status.instance] = {**msgspec.structs.asdict(status), "gauges": gauges}
    content = encode([newest[instance] for instance in sorted(newest)]).decode()
    oldest = max(status.time for status in statuses) - KEPT
    connection.execute(_FORGET, (oldest,))
    connection.execute(_UPSERT, (content,))
    return 0


def list_processes(connection: Connection, since: datetime) -> list[Line]:
    """Every process with a status since a time, by service."""
    with connection.cursor() as cursor:
        found = extreme_times.fetch_all_blocking(cursor, query("status/newest"), {"since": since})
    return [Line(**row) for row in found]
