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
from store.queries import query
from vigil.model import LARGEST_NUMBER, Event

_FIELDS = Event.__struct_fields__


class Step(NamedTuple):
    """A step, and whether the episode is acknowledged as it stands."""

    event: Event
    acknowledged_at: datetime | None


def event_of(row: Mapping[str, Any]) -> Event:
    """The event in a row that has all columns of ``events``. A number of steps that nothing can be
    reckoned with, as an earlier Vigil took, is none: one event must not break a page of many."""
    fields = {name: row[name] for name in _FIELDS}
    steps = fields["context"].get("steps_per_min")
    if steps is not None and not -LARGEST_NUMBER <= steps <= LARGEST_NUMBER:
        fields["context"] = {**fields["context"], "steps_per_min": None}
    return msgspec.convert(fields, Event)


async def told(connection: AsyncConnection, patient_id: str, event_id: str) -> Step | None:
    """The step that the episode's newest words tell; None: no such episode of this patient, or no
    words yet.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {"event": event_id, "patient": patient_id}
    found = await fetched(connection, query("steps/told"), values)
    return Step(event_of(found[0]), found[0]["acknowledged_at"]) if found else None


async def fetched(
    connection: AsyncConnection, what: bytes, values: Mapping[str, Any]
) -> list[DictRow]:
    """The rows of a query.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(what, values)
            return await cursor.fetchall()
