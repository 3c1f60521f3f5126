"""What the care team's pages ask: the ward, one patient, one episode.

Three moments are kept apart: ``time`` is the device's, ``received_at`` ours, and an action counts
from the moment that a person did it. An acknowledgement covers an episode as it stood then: one
whose priority rose afterwards, or whose patient asked for help afterwards, is open again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from psycopg.rows import class_row

from store.database import AsyncConnection, translated
from vigil.kinds import Category, Priority
from vigil.model import Phase

T = TypeVar("T")

LATCHED_FOR = timedelta(hours=12)
"""An episode that ended before anyone acknowledged it stays on the board for a shift."""
AT_MOST = 100
"""Episodes of one patient that are read at once."""
SPARK_SPAN = timedelta(hours=6)
SPARK_POINTS = 36


class Value(NamedTuple):
    """The newest value of one signal."""

    patient_id: str
    signal: str
    value: float
    time: datetime
    received_at: datetime


class Patient(NamedTuple):
    """A patient as the care team knows them."""

    patient_id: str
    display_name: str
    ward: str
    locale: str
    active: bool
    synthetic: bool


class Episode(NamedTuple):
    """Where an episode stands, in its newest words, and what people have done about it."""

    event_id: str
    patient_id: str
    kind: str
    category: Category
    phase: Phase
    priority: Priority
    onset: datetime
    detected_at: datetime
    ended_at: datetime | None
    retrospective: bool
    synthetic: bool
    text: dict[str, str] | None
    """The care team's title, body and action; None while the words are not there yet."""
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    help_at: datetime | None
    """When the patient asked for help, unless that was acknowledged since."""

    @property
    def acknowledged(self) -> bool:
        """Whether a person has seen it as it stands."""
        return self.acknowledged_at is not None


class SparkPoint(NamedTuple):
    """The mean heart rate of one slice of a patient's newest hours."""

    patient_id: str
    slice: int
    """0 to ``SPARK_POINTS`` − 1; the newest reading lies in the last."""
    value: float


_EPISODE = """
    SELECT e.event_id, e.patient_id, e.kind, e.category, e.phase, e.priority, e.onset,
           e.detected_at, e.ended_at, e.retrospective, e.synthetic,
           e.texts #> '{care_team,en}' AS text, e.help_at, e.acknowledged_at,
           coalesce(nullif(u.display_name, ''), e.acknowledged_by) AS acknowledged_by
    FROM episode_state e LEFT JOIN users u ON u.user_id = e.acknowledged_by
"""
_ON_BOARD = """
    SELECT event_id FROM episodes WHERE phase <> 'closed'
    UNION
    SELECT c.event_id
    FROM (SELECT patient_id, max(time) AS newest FROM latest GROUP BY patient_id) l
    CROSS JOIN LATERAL (
        SELECT event_id FROM episodes e
        WHERE e.patient_id = l.patient_id AND e.phase = 'closed'
          AND e.ended_at > l.newest - %(latched)s
          AND e.category = 'clinical' AND e.priority IN ('high', 'medium')
          AND NOT e.retrospective
        OFFSET 0                      -- by index for each patient, whatever the planner expects
    ) c
    UNION
    SELECT event_id FROM actions WHERE verb = 'need_help'
"""
_PATIENT = "SELECT patient_id, display_name, ward, locale, active, synthetic FROM patients"


async def patients(connection: AsyncConnection) -> list[Patient]:
    """Everyone who is enrolled now."""
    return await rows(connection, Patient, f"{_PATIENT} WHERE active ORDER BY patient_id", {})


async def patient(connection: AsyncConnection, patient_id: str) -> Patient | None:
    """One patient, enrolled now or formerly."""
    query = f"{_PATIENT} WHERE patient_id = %(id)s"
    found = await rows(connection, Patient, query, {"id": patient_id})
    return found[0] if found else None


async def latest(connection: AsyncConnection, patient_id: str | None = None) -> list[Value]:
    """The newest value of each signal, of everyone or of one."""
    return await rows(
        connection,
        Value,
        "SELECT patient_id, signal, value, time, received_at FROM latest"
        " WHERE %(id)s::text IS NULL OR patient_id = %(id)s",
        {"id": patient_id},
    )


async def active_episodes(connection: AsyncConnection) -> list[Episode]:
    """What the board shows: what goes on; what ended unseen within :data:`LATCHED_FOR` of the
    patient's newest reading (clinical, high or medium); and what a patient asks help for.
    """
    with translated():
        cursor = await connection.execute(_ON_BOARD, {"latched": LATCHED_FOR})
        ids = [row["event_id"] for row in await cursor.fetchall()]
    which = "WHERE e.event_id = ANY(%(ids)s) AND (e.phase <> 'closed' OR e.acknowledged_at IS NULL)"
    return await rows(connection, Episode, _EPISODE + which, {"ids": ids})


async def sparks(connection: AsyncConnection) -> list[SparkPoint]:
    """Each patient's heart rate over the :data:`SPARK_SPAN` up to their newest one.

    Reads at most that span of raw readings of each patient, by primary key.
    """
    return await rows(
        connection,
        SparkPoint,
        """
        SELECT l.patient_id, s.slice, s.value
        FROM latest l
        CROSS JOIN LATERAL (
            SELECT avg(r.heart_rate) AS value,
                   least(floor(extract(epoch FROM r.time - l.time + %(span)s) / %(width)s)::int,
                         %(points)s - 1) AS slice
            FROM readings r
            WHERE r.patient_id = l.patient_id AND r.time > l.time - %(span)s
              AND r.time <= l.time AND r.heart_rate IS NOT NULL
            GROUP BY 2
        ) s
        WHERE l.signal = 'heart_rate'
        ORDER BY 1, 2
        """,
        {
            "span": SPARK_SPAN,
            "points": SPARK_POINTS,
            "width": SPARK_SPAN.total_seconds() / SPARK_POINTS,
        },
    )


async def episodes_of(
    connection: AsyncConnection, patient_id: str, since: datetime, limit: int = AT_MOST
) -> list[Episode]:
    """The patient's episodes that go on or ended after ``since``: active first, newest first."""
    which = """
        WHERE e.patient_id = %(id)s AND (e.ended_at IS NULL OR e.ended_at > %(since)s)
        ORDER BY e.phase = 'closed', e.onset DESC, e.event_id LIMIT %(limit)s
    """
    values = {"id": patient_id, "since": since, "limit": limit}
    return await rows(connection, Episode, _EPISODE + which, values)


async def patient_of(connection: AsyncConnection, event_id: str) -> str | None:
    """Whose episode this is; None where there is none."""
    with translated():
        cursor = await connection.execute(
            "SELECT patient_id FROM episodes WHERE event_id = %s", (event_id,)
        )
        row = await cursor.fetchone()
    return row["patient_id"] if row else None


async def rows(connection: AsyncConnection, kind: type[T], query: Any, values: Any) -> list[T]:
    """The rows of a query, each as ``kind``.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        async with connection.cursor(row_factory=class_row(kind)) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall()
