"""What happened to a ward or a patient in the last hours, for the summary of a shift."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from store.database import AsyncConnection
from store.steps import COLUMNS, event_of, fetched
from vigil.model import Event


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


_WHO = """(%(patient)s::text = '' OR p.patient_id = %(patient)s)
      AND (%(ward)s::text = '' OR p.ward = %(ward)s)
      AND (p.active OR %(patient)s::text <> '')"""
_EPISODES = f"""
    SELECT {COLUMNS}, s.acknowledged_at IS NOT NULL AS acknowledged, first.detected_at AS raised_at
    FROM episode_state s
    JOIN patients p USING (patient_id)
    JOIN events v ON v.event_id = s.event_id AND v.sequence = s.sequence
    JOIN LATERAL (
        SELECT detected_at FROM events f WHERE f.event_id = s.event_id ORDER BY sequence LIMIT 1
    ) first ON true
    WHERE (s.phase <> 'closed' OR s.detected_at > %(start)s OR s.ended_at > %(start)s) AND {_WHO}
"""  # noqa: S608  (columns of our own)
_CALLS = f"""
    SELECT a.action_id, a.event_id, a.patient_id, a.time, EXISTS (
        SELECT FROM actions b WHERE b.event_id = a.event_id AND b.verb = 'acknowledge'
          AND b.actor <> 'patient' AND b.time >= a.time
    ) AS acknowledged
    FROM actions a JOIN patients p USING (patient_id)
    WHERE a.verb = 'need_help' AND a.time > %(start)s AND a.time <= %(end)s AND {_WHO}
"""  # noqa: S608  (as above)
_ANY = f"""
    SELECT p.patient_id, EXISTS (
        SELECT FROM readings r
        WHERE r.patient_id = p.patient_id AND r.time > %(start)s AND r.time <= %(end)s
    )::int AS readings, NULL::timestamptz AS newest, NULL::float AS lowest, NULL::float AS highest
    FROM patients p WHERE {_WHO}
"""  # noqa: S608  (as above)
_COUNTED = """
    SELECT %(patient)s AS patient_id, count(*)::int AS readings, max(time) AS newest,
           min(heart_rate) AS lowest, max(heart_rate) AS highest
    FROM readings WHERE patient_id = %(patient)s AND time > %(start)s AND time <= %(end)s
"""


async def shift(connection: AsyncConnection, of: Of, start: datetime, end: datetime) -> Shift:
    """What is open, or was told, asked for or measured after ``start``, up to ``end``.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {"patient": of.patient_id, "ward": of.ward, "start": start, "end": end}
    episodes = await fetched(connection, _EPISODES, values)
    calls = await fetched(connection, _CALLS, values)
    readings = await fetched(connection, _COUNTED if of.patient_id else _ANY, values)
    return Shift(
        [ShiftEpisode(event_of(row), row["raised_at"], row["acknowledged"]) for row in episodes],
        [ShiftCall(**row) for row in calls],
        [ShiftReadings(**row) for row in readings],
    )
