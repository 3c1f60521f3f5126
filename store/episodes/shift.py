"""What happened to a ward or a patient in the last hours, for the summary of a shift."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from store.database.connections import AsyncConnection
from store.database.fetching import fetched
from store.episodes.steps import event_of
from store.queries import query
from vigil.domain.episode import Event
from vigil.service import isolation


class Of(NamedTuple):
    """Whom it is about: a patient, a ward, or (both empty) everyone who is enrolled."""

    ward: str = ""
    patient_id: str = ""


class ShiftEpisode(NamedTuple):
    """An episode as it stands."""

    event: Event
    raised_at: datetime
    """When its first step was told, in event time."""
    acknowledged: bool


class ShiftCall(NamedTuple):
    """A patient's request for help."""

    action_id: str
    event_id: str
    patient_id: str
    time: datetime
    acknowledged: bool


class ShiftReadings(NamedTuple):
    """What a patient's devices measured."""

    patient_id: str
    readings: int
    """Of a ward, 1 where there was any."""
    newest: datetime | None
    lowest: float | None
    """Of the heart rates."""
    highest: float | None


class Shift(NamedTuple):
    """All of it."""

    episodes: list[ShiftEpisode]
    calls: list[ShiftCall]
    readings: list[ShiftReadings]
    unread: frozenset[str] = frozenset()
    """Patients of whom something could not be read, and is not here."""


async def shift(connection: AsyncConnection, of: Of, start: datetime, end: datetime) -> Shift:
    """What is open, or was told, asked for or measured after ``start``, up to ``end``.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {"patient": of.patient_id, "ward": of.ward, "start": start, "end": end}
    episodes = await fetched(connection, query("shift/episodes"), values)
    calls = await fetched(connection, query("shift/calls"), values)
    counted = query("shift/readings_of_patient" if of.patient_id else "shift/readings")
    readings = await fetched(connection, counted, values)
    unread: set[str] = set()
    read = [one for row in episodes if (one := _episode(row, unread)) is not None]
    return Shift(
        read,
        [ShiftCall(**row) for row in calls],
        [ShiftReadings(**row) for row in readings],
        frozenset(unread),
    )


def _episode(row: Mapping[str, Any], unread: set[str]) -> ShiftEpisode | None:
    """None: it is not what an episode must be; its patient is noted."""
    patient_id = str(row["patient_id"])

    def left_out() -> None:
        unread.add(patient_id)

    return isolation.attempt(
        "episode of a summary",
        patient_id,
        lambda: ShiftEpisode(event_of(row), row["raised_at"], row["acknowledged"]),
        left_out,
    )
