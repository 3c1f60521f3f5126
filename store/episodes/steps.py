"""The step of an episode that a message or a card shows, as it was on the topic. Questions about
the message are answered from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from store.database.columns import columns
from store.database.connections import AsyncConnection
from store.database.fetching import fetch_rows
from store.queries import query
from vigil.domain.episode import Event
from vigil.domain.reading import LARGEST_NUMBER
from vigil.service import isolation

_FIELDS = columns(Event)


@dataclass(frozen=True, slots=True)
class Step:
    """A step, and whether the episode's current state is acknowledged."""

    event: Event
    acknowledged_at: datetime | None


def event_from_row(row: Mapping[str, Any]) -> Event:
    """The event in a row that has all columns of ``events``. A step rate out of range, accepted by
    earlier versions, is left out: one event must not break a page of many."""
    fields = {name: row[name] for name in _FIELDS}
    steps = fields["context"].get("steps_per_min")
    if steps is not None and not -LARGEST_NUMBER <= steps <= LARGEST_NUMBER:
        fields["context"] = {**fields["context"], "steps_per_min": None}
    return msgspec.convert(fields, Event)


async def announced_step(
    connection: AsyncConnection, patient_id: str, episode_id: str
) -> Step | None:
    """The step that the episode's newest text announces; None: no such episode of this patient, no
    text yet, or the stored row is not a valid step.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {"episode": episode_id, "patient": patient_id}
    found = await fetch_rows(connection, query("steps/announced"), values)
    if not found:
        return None
    row = found[0]
    return isolation.attempt(
        "step of an episode",
        patient_id,
        lambda: Step(event_from_row(row), row["acknowledged_at"]),
        lambda: None,
    )
