"""Each process's newest status: written by the store, kept for a week for ``vigil doctor``.

Who runs now is judged from the topic itself (:mod:`vigil.composition.status_reader`): a store that
stands still writes nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec

from store.database import forgiving
from store.database.connections import Connection
from store.queries import query
from vigil.domain.encoding import encode
from vigil.domain.status import Status

KEPT = timedelta(days=7)
"""After so long without a word a process is forgotten."""

_UPSERT = """
    INSERT INTO service_status AS kept
    SELECT * FROM jsonb_populate_recordset(NULL::service_status, %s::jsonb)
    ON CONFLICT (instance) DO UPDATE
    SET time = EXCLUDED.time, trouble = EXCLUDED.trouble,
        counters = EXCLUDED.counters, gauges = EXCLUDED.gauges
    WHERE EXCLUDED.time > kept.time
"""
_FORGET = "DELETE FROM service_status WHERE time < %s OR time > now() + interval '1 day'"
"""What is a day ahead a Vigil before this one believed: its process would seem to run for ever."""


class Line(NamedTuple):
    """One process, as it last was."""

    service: str
    version: str
    started: datetime
    time: datetime
    trouble: dict[str, str]
    counters: dict[str, int]
    gauges: dict[str, float]


class Counted(Protocol):
    """What has counters: a row, or a status."""

    @property
    def counters(self) -> dict[str, int]: ...


def summed(lines: Iterable[Counted]) -> Counter[str]:
    """Every counter, added up over the processes."""
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.counters)
    return total


def insert(connection: Connection, statuses: Sequence[Status]) -> int:
    """Keep the newest of each process; returns 0: nothing that a board shows has changed."""
    newest = {}
    for status in sorted(statuses, key=lambda status: status.time):
        gauges = {} if status.ended else status.gauges  # where it stood is nobody's place now
        newest[status.instance] = {**msgspec.structs.asdict(status), "gauges": gauges}
    content = encode([newest[instance] for instance in sorted(newest)]).decode()
    oldest = max(status.time for status in statuses) - KEPT
    connection.execute(_FORGET, (oldest,))
    connection.execute(_UPSERT, (content,))
    return 0


def heard(connection: Connection, since: datetime) -> list[Line]:
    """Every process that was heard of since a moment, by service."""
    with connection.cursor() as cursor:
        found = forgiving.fetched_now(cursor, query("status/newest"), {"since": since})
    return [Line(**row) for row in found]
