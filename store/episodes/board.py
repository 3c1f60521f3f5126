"""Queries of the care team's pages: the ward, one patient, one episode.

Three times are distinguished: ``time`` is the device's, ``received_at`` ours, and an action counts
from the time at which a person took it. An acknowledgement covers the state of an episode at that
time: an episode whose priority rose afterwards, or whose patient asked for help afterwards, is open
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct
from psycopg.rows import BaseRowFactory, RowMaker

from store.database import extreme_times
from store.database.connections import AsyncConnection, translated
from store.queries import query
from vigil.domain.episode import Phase
from vigil.domain.kinds import Category, Priority

R = TypeVar("R", bound=Struct)

LATCHED_FOR = timedelta(hours=12)
"""An episode that ended unacknowledged stays on the board for one shift."""
AT_MOST = 100
"""Most episodes of one patient read at once."""
SPARK_POINTS = 24
"""Quarters of an hour: six hours."""


class Value(Struct, frozen=True):
    """The newest value of one signal."""

    patient_id: str
    signal: str
    value: float
    time: datetime
    received_at: datetime


class Patient(Struct, frozen=True):
    """A patient as the care team knows them."""

    patient_id: str
    display_name: str
    ward: str
    locale: str
    active: bool
    synthetic: bool


class Episode(Struct, frozen=True):
    """The current state of an episode, its newest texts, and what people did about it."""

    episode_id: str
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
    """The care team's title, body and action; None while there are no texts yet."""
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    help_at: datetime | None
    """When the patient asked for help; None: never, or acknowledged since."""

    @property
    def acknowledged(self) -> bool:
        """Whether a person has acknowledged its current state."""
        return self.acknowledged_at is not None


class SparkPoint(Struct, frozen=True):
    """The mean heart rate of a quarter of an hour (UTC) of a patient's newest hours."""

    patient_id: str
    slice: int
    """0 to ``SPARK_POINTS`` − 1; the last contains the newest heart rate."""
    value: float


_PATIENT = """
    SELECT patient_id, display_name, ward, locale, active, synthetic FROM patients
    WHERE patient_id = %(id)s
"""


async def patients(connection: AsyncConnection) -> list[Patient]:
    """Every patient who is enrolled now."""
    return await fetch_records(connection, Patient, query("board/patients"), values={})


async def patient(connection: AsyncConnection, patient_id: str) -> Patient | None:
    """One patient, enrolled now or formerly."""
    found = await fetch_records(connection, Patient, _PATIENT, values={"id": patient_id})
    return found[0] if found else None


async def latest(connection: AsyncConnection, patient_id: str | None = None) -> list[Value]:
    """The newest value of each signal, of every patient or of one."""
    if patient_id is None:
        return await fetch_records(connection, Value, query("board/latest"), values={})
    one = query("board/latest_of_patient")
    return await fetch_records(connection, Value, one, values={"patient": patient_id})


async def active_episodes(connection: AsyncConnection) -> list[Episode]:
    """The episodes on the board: those that are open; those that ended unacknowledged within
    :data:`LATCHED_FOR` of the patient's newest reading (clinical, high or medium priority); and
    those about which a patient asked for help.
    """
    return await fetch_records(
        connection, Episode, query("board/episodes"), values={"latched": LATCHED_FOR}
    )


async def sparks(connection: AsyncConnection) -> list[SparkPoint]:
    """Each patient's heart rate over the six hours up to their newest one, in no order."""
    return await fetch_records(
        connection, SparkPoint, query("board/sparks"), values={"points": SPARK_POINTS}
    )


async def episodes_of(
    connection: AsyncConnection, patient_id: str, since: datetime, limit: int = AT_MOST
) -> list[Episode]:
    """The patient's episodes that are open or ended after ``since``: open first, newest first."""
    values = {"patient": patient_id, "since": since, "limit": limit}
    return await fetch_records(
        connection, Episode, query("board/episodes_of_patient"), values=values
    )


async def patient_of(connection: AsyncConnection, episode_id: str) -> str | None:
    """The patient id of an episode; None: there is no such episode."""
    with translated():
        cursor = await connection.execute(
            "SELECT patient_id FROM episodes WHERE event_id = %s", (episode_id,)
        )
        row = await cursor.fetchone()
    return row["patient_id"] if row else None


async def fetch_records(
    connection: AsyncConnection, kind: type[R], what: Any, values: Any
) -> list[R]:
    """The rows of a query, each as ``kind``: a struct with the query's columns, in their order.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        async with connection.cursor(row_factory=_record_factory(kind)) as cursor:
            return await extreme_times.fetch_all(cursor, what, values)


def _record_factory(kind: type[R]) -> BaseRowFactory[R]:
    """Makes records by position: a board has thousands, and a struct by position is the fastest."""
    fields = kind.__struct_fields__

    def make(values: Sequence[Any]) -> R:
        return kind(*values)

    def factory(cursor: Any) -> RowMaker[R]:
        columns = tuple(column.name for column in cursor.description or ())
        if columns != fields:
            raise TypeError(f"{kind.__name__} is {fields}; the query's columns are {columns}")
        return make

    return factory
