"""Episodes, calls and readings of a ward or a patient in the last hours, for a shift summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.database.connections import AsyncConnection
from store.database.fetching import fetch_rows
from store.episodes import board
from store.episodes.steps import event_from_row
from store.queries import query
from vigil.domain.episode import Event
from vigil.domain.kinds import Priority
from vigil.service import isolation


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient, a ward, or (both empty) every patient who is enrolled."""

    ward: str = ""
    patient_id: str = ""


@dataclass(frozen=True, slots=True)
class ShiftEpisode:
    """An episode in its current state."""

    event: Event
    raised_at: datetime
    """When its first step was announced, in event time."""
    acknowledged: bool
    history: bool
    """Whether nobody was paged, because each step was past its useful time when it came."""
    highest_priority: Priority
    """The highest that it ever had."""


@dataclass(frozen=True, slots=True)
class ShiftCall:
    """A patient's request for help."""

    action_id: str
    episode_id: str
    patient_id: str
    time: datetime
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class ShiftReadings:
    """A summary of a patient's readings."""

    patient_id: str
    readings: int
    """Number of readings; for a ward, 1 if there was any."""
    newest: datetime | None
    lowest: float | None
    """Lowest heart rate (beats a minute)."""
    highest: float | None


@dataclass(frozen=True, slots=True)
class Shift:
    """The data of a shift summary."""

    episodes: list[ShiftEpisode]
    calls: list[ShiftCall]
    readings: list[ShiftReadings]
    unread: frozenset[str] = frozenset()
    """Ids of patients with data that could not be read and is left out."""
    waiting: frozenset[str] = frozenset()
    """Ids of the episodes that wait for an acknowledgement, as the board counts them."""


async def fetch_shift(
    connection: AsyncConnection, subject: Subject, start: datetime, end: datetime
) -> Shift:
    """What is open, waits for an acknowledgement, or was announced, requested or measured after
    ``start``, up to ``end``.

    Raises:
        UnavailableError: the database does not answer.
    """
    active = await board.active_episodes(connection)
    waiting = [one.episode_id for one in active if one.waits]
    values = {
        "patient": subject.patient_id,
        "ward": subject.ward,
        "start": start,
        "end": end,
        "waiting": waiting,
    }
    episodes = await fetch_rows(connection, query("shift/episodes"), values)
    calls = await fetch_rows(connection, query("shift/calls"), values)
    counted = query("shift/readings_of_patient" if subject.patient_id else "shift/readings")
    readings = await fetch_rows(connection, counted, values)
    unread: set[str] = set()
    read = [one for row in episodes if (one := _episode(row, unread)) is not None]
    return Shift(
        episodes=read,
        calls=[ShiftCall(**row) for row in calls],
        readings=[ShiftReadings(**row) for row in readings],
        unread=frozenset(unread),
        waiting=frozenset(waiting),
    )


def _episode(row: Mapping[str, Any], unread: set[str]) -> ShiftEpisode | None:
    """None: the row is not a valid episode; its patient is added to ``unread``."""
    patient_id = str(row["patient_id"])

    def left_out() -> None:
        unread.add(patient_id)

    return isolation.attempt(
        "episode of a summary",
        patient_id,
        lambda: ShiftEpisode(
            event_from_row(row),
            raised_at=row["raised_at"],
            acknowledged=row["acknowledged"],
            history=row["history"],
            highest_priority=row["highest_priority"],
        ),
        left_out,
    )
