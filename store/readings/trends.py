"""A patient's trend for a chart: the aggregate that fits the zoom, at most 2,000 points."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from store.database.fetching import fetched
from store.queries import query

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

POINTS = 2000
"""No answer has more: a chart is not wider, and a browser draws so many without effort."""
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
"""Buckets are aligned to midnight UTC."""


class Zoom(NamedTuple):
    """Which relation answers, and how long a bucket of the answer is."""

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
"""For buckets that are several of the relation's own."""


def zoom(start: datetime, end: datetime) -> Zoom:
    """The finest buckets that cover the span with at most :data:`POINTS` of them.

    >>> zoom(ORIGIN, ORIGIN + timedelta(days=1)).relation
    'readings_1m'
    """
    span = end - start
    for step in _STEPS:
        if span / step.width <= POINTS - 1:  # one more may be cut by both ends
            return step
    return Zoom("readings_1d", timedelta(days=-(-span // timedelta(days=POINTS - 1))))


def _query(asked: Zoom) -> str:
    """The name of the query that answers."""
    own, name = _AS_THEY_ARE.get(asked.relation, (None, ""))
    return name if own == asked.width else _TOGETHER[asked.relation]


async def trend(
    connection: AsyncConnection[DictRow], patient_id: str, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The patient's buckets from ``start`` until before ``end``, oldest first.

    Each row has ``bucket`` (its beginning, UTC) and, for each signal, ``<signal>_avg``,
    ``<signal>_min`` and ``<signal>_max``: None where it was not measured. Buckets that are one of
    ``readings_15m``, ``readings_1h`` or ``readings_1d`` have ``<signal>_p10``, ``_p50`` and
    ``_p90`` too. The bucket that ``start`` lies in is there whole; one without readings is absent.

    Raises:
        UnavailableError: the database does not answer.
    """
    if end <= start:
        return []
    asked = zoom(start, end)
    values = {
        "width": asked.width,
        "origin": ORIGIN,
        "patient": patient_id,
        "start": start,
        "end": end,
    }
    return await fetched(connection, query(_query(asked)), values)
