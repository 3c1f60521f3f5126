"""The step of an episode that a message or a card tells, as it was on the topic: what questions
about it are answered from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from psycopg.rows import DictRow, dict_row

from store.database import AsyncConnection, translated
from vigil.model import Event

COLUMNS = """v.event_id, v.patient_id, v.kind, v.category, v.phase, v.sequence, v.priority, v.onset,
    v.detected_at, v.ended_at, v.retrospective, v.signals, v.evidence, v.context,
    v.detector_version, v.config_hash, v.synthetic"""
"""An event's columns, of ``events v``."""
_FIELDS = Event.__struct_fields__


class Step(NamedTuple):
    """A step, and whether the episode is acknowledged as it stands."""

    event: Event
    acknowledged_at: datetime | None


def event_of(row: Mapping[str, Any]) -> Event:
    """The event in a row that has :data:`COLUMNS`."""
    return msgspec.convert({name: row[name] for name in _FIELDS}, Event)


async def told(connection: AsyncConnection, patient_id: str, event_id: str) -> Step | None:
    """The step that the episode's newest words tell; None: no such episode of this patient, or no
    words yet.

    Raises:
        UnavailableError: the database does not answer.
    """
    query = f"""
        SELECT {COLUMNS}, s.acknowledged_at
        FROM episode_state s
        JOIN LATERAL (
            SELECT sequence FROM alerts WHERE event_id = s.event_id ORDER BY revision DESC LIMIT 1
        ) words ON true
        JOIN events v ON v.event_id = s.event_id AND v.sequence = words.sequence
        WHERE s.event_id = %(event)s AND s.patient_id = %(patient)s
    """  # noqa: S608  (columns of our own)
    found = await fetched(connection, query, {"event": event_id, "patient": patient_id})
    return Step(event_of(found[0]), found[0]["acknowledged_at"]) if found else None


async def fetched(
    connection: AsyncConnection, query: str, values: Mapping[str, Any]
) -> list[DictRow]:
    """The rows of a query.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall()
