"""The step of an episode that a message or a card tells, as it was on the topic: what questions
about it are answered from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from store.database.connections import AsyncConnection
from store.database.fetching import fetched
from store.queries import query
from vigil.domain.episode import Event
from vigil.domain.reading import LARGEST_NUMBER
from vigil.service import isolation

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
    """The step that the episode's newest words tell; None: no such episode of this patient, no
    words yet, or what is stored of it is not what a step must be.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {"event": event_id, "patient": patient_id}
    found = await fetched(connection, query("steps/told"), values)
    if not found:
        return None
    row = found[0]
    return isolation.attempt(
        "step of an episode",
        patient_id,
        lambda: Step(event_of(row), row["acknowledged_at"]),
        lambda: None,
    )
