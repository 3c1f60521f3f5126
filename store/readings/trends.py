"""A patient's trend for a chart: the aggregate that fits the zoom, at most 2,000 points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from store.database.fetching import fetch_rows
from store.queries import query

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

POINTS = 2000
"""Most buckets in a result: a chart is not wider, and a browser draws so many easily."""
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
"""Buckets are aligned to midnight UTC."""


@dataclass(frozen=True, slots=True)
class Zoom:
    """The relation to read, and the width of a bucket in the result."""

    relation: str
    width: timedelta


_STEPS: tuple[Zoom, ...] = (
    *(Zoom("readings", timedelta(seconds=seconds)) for seconds in (1, 2, 5, 15)),
    Zoom("readings_1m", timedelta(minutes=1)),
    Zoom("readings_15m", timedelta(minutes=15)),
    *(Zoom("readings_1h", timedelta(hours=hours)) for hours in (1, 2, 4, 12)),
    Zoom("readings_1d", timedelta(days=1)),
)
_AS_THEY_ARE = {
    "readings_1m": (timedelta(minutes=1), "trends/minutes"),
    "readings_15m": (timedelta(minutes=15), "trends/quarters"),
    "readings_1h": (timedelta(hours=1), "trends/hours"),
    "readings_1d": (timedelta(days=1), "trends/days"),
}
_TOGETHER = {
    "readings": "trends/moments",
    "readings_1h": "trends/hours_together",
    "readings_1d": "trends/days_together",
}
"""For buckets made of several of the relation's own."""


def choose_zoom(start: datetime, end: datetime) -> Zoom:
    """The finest buckets that cover the span with at most :data:`POINTS` of them.

    >>> choose_zoom(ORIGIN, ORIGIN + timedelta(days=1)).relation
    'readings_1m'
    """
    span = end - start
    for step in _STEPS:
        if span / step.width <= POINTS - 1:  # both ends may cut a bucket, which makes one more
            return step
    return Zoom("readings_1d", timedelta(days=-(-span // timedelta(days=POINTS - 1))))


def _query(chosen: Zoom) -> str:
    """The name of the query to run."""
    own, name = _AS_THEY_ARE.get(chosen.relation, (None, ""))
    return name if own == chosen.width else _TOGETHER[chosen.relation]


async def fetch_trend(
    connection: AsyncConnection[DictRow], patient_id: str, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The patient's buckets from ``start`` until before ``end``, oldest first.

    Each row has ``bucket`` (its beginning, UTC) and, for each signal, ``<signal>_avg``,
    ``<signal>_min`` and ``<signal>_max``: None where it was not measured. Buckets that are one of
    ``readings_15m``, ``readings_1h`` or ``readings_1d`` have ``<signal>_p10``, ``_p50`` and
    ``_p90`` too. The bucket that contains ``start`` is included whole; one without readings is
    absent.

    Raises:
        UnavailableError: the database does not answer.
    """
    if end <= start:
        return []
    chosen = choose_zoom(start, end)
    values = {
        "width": chosen.width,
        "origin": ORIGIN,
        "patient": patient_id,
        "start": start,
        "end": end,
    }
    return await fetch_rows(connection, query(_query(chosen)), values)
