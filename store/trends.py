"""A patient's trend for a chart: the aggregate that fits the zoom, at most 2,000 points."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from store.database import translated
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


_MOMENTS, _HOUR = "readings", timedelta(hours=1)
_STEPS: tuple[Zoom, ...] = (
    *(Zoom(_MOMENTS, timedelta(seconds=seconds)) for seconds in (1, 2, 5, 15)),
    Zoom("readings_1m", timedelta(minutes=1)),
    Zoom("readings_15m", timedelta(minutes=15)),
    *(Zoom("readings_1h", hours * _HOUR) for hours in (1, 2, 4, 12, 24)),
)
_QUERIES = {
    _MOMENTS: "trends/moments",
    "readings_1m": "trends/minutes",
    "readings_15m": "trends/quarters",
    "readings_1h": "trends/hours",
}


def zoom(start: datetime, end: datetime) -> Zoom:
    """The finest buckets that cover the span with at most :data:`POINTS` of them.

    >>> zoom(ORIGIN, ORIGIN + timedelta(days=1)).relation
    'readings_1m'
    """
    span = end - start
    for step in _STEPS:
        if span / step.width <= POINTS - 1:  # one more may be cut by both ends
            return step
    return Zoom("readings_1h", timedelta(days=-(-span // timedelta(days=POINTS - 1))))


async def trend(
    connection: AsyncConnection[DictRow], patient_id: str, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The patient's buckets from ``start`` until before ``end``, oldest first.

    Each row has ``bucket`` (its beginning, UTC) and, for each signal, ``<signal>_avg``,
    ``<signal>_min`` and ``<signal>_max``: None where it was not measured. The bucket that
    ``start`` lies in is there whole; a bucket without readings is absent.

    Raises:
        UnavailableError: the database does not answer.
    """
    if end <= start:
        return []
    relation, width = zoom(start, end)
    several = relation == "readings_1h" and width > _HOUR
    asked = query("trends/spans" if several else _QUERIES[relation])
    values = {"width": width, "origin": ORIGIN, "patient": patient_id, "start": start, "end": end}
    with translated():
        cursor = await connection.execute(asked, values)
        return await cursor.fetchall()
