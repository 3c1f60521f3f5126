"""What the care team's pages ask: the ward, one patient, one episode.

Three moments are kept apart: ``time`` is the device's, ``received_at`` ours, and an action counts
from the moment that a person did it. An acknowledgement covers an episode as it stood then: one
whose priority rose afterwards, or whose patient asked for help afterwards, is open again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from psycopg.rows import BaseRowFactory, RowMaker

from store.database import forgiving
from store.database.connections import AsyncConnection, translated
from store.queries import query
from vigil.domain.episode import Phase
from vigil.domain.kinds import Category, Priority

T = TypeVar("T")

LATCHED_FOR = timedelta(hours=12)
"""An episode that ended before anyone acknowledged it stays on the board for a shift."""
AT_MOST = 100
"""Episodes of one patient that are read at once."""
SPARK_POINTS = 24
"""Quarters of an hour: six hours."""


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
    """The mean heart rate of a quarter of an hour (UTC) of a patient's newest hours."""

    patient_id: str
    slice: int
    """0 to ``SPARK_POINTS`` − 1; the newest heart rate lies in the last."""
    value: float


_PATIENT = """
    SELECT patient_id, display_name, ward, locale, active, synthetic FROM patients
    WHERE patient_id = %(id)s
"""


async def patients(connection: AsyncConnection) -> list[Patient]:
    """Everyone who is enrolled now."""
    return await rows(connection, Patient, query("board/patients"), {})


async def patient(connection: AsyncConnection, patient_id: str) -> Patient | None:
    """One patient, enrolled now or formerly."""
    found = await rows(connection, Patient, _PATIENT, {"id": patient_id})
    return found[0] if found else None


async def latest(connection: AsyncConnection, patient_id: str | None = None) -> list[Value]:
    """The newest value of each signal, of everyone or of one."""
    if patient_id is None:
        return await rows(connection, Value, query("board/latest"), {})
    one = query("board/latest_of_patient")
    return await rows(connection, Value, one, {"patient": patient_id})


async def active_episodes(connection: AsyncConnection) -> list[Episode]:
    """What the board shows: what goes on; what ended unseen within :data:`LATCHED_FOR` of the
    patient's newest reading (clinical, high or medium); and what a patient asks help for.
    """
    return await rows(connection, Episode, query("board/episodes"), {"latched": LATCHED_FOR})


async def sparks(connection: AsyncConnection) -> list[SparkPoint]:
    """Each patient's heart rate over the six hours up to their newest one, in no order."""
    return await rows(connection, SparkPoint, query("board/sparks"), {"points": SPARK_POINTS})


async def episodes_of(
    connection: AsyncConnection, patient_id: str, since: datetime, limit: int = AT_MOST
) -> list[Episode]:
    """The patient's episodes that go on or ended after ``since``: active first, newest first."""
    values = {"patient": patient_id, "since": since, "limit": limit}
    return await rows(connection, Episode, query("board/episodes_of_patient"), values)


async def patient_of(connection: AsyncConnection, event_id: str) -> str | None:
    """Whose episode this is; None where there is none."""
    with translated():
        cursor = await connection.execute(
            "SELECT patient_id FROM episodes WHERE event_id = %s", (event_id,)
        )
        row = await cursor.fetchone()
    return row["patient_id"] if row else None


async def rows(connection: AsyncConnection, kind: type[T], what: Any, values: Any) -> list[T]:
    """The rows of a query, each as ``kind``: a ``NamedTuple`` of its columns, in their order.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        async with connection.cursor(row_factory=_made_of(kind)) as cursor:
            return await forgiving.fetched(cursor, what, values)


def _made_of(kind: type[T]) -> BaseRowFactory[T]:
    """Makes rows by the columns' places: in half the time that it takes by their names."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    make: RowMaker[T] = kind._make  # type: ignore[attr-defined]

    def factory(cursor: Any) -> RowMaker[T]:
        columns = tuple(column.name for column in cursor.description or ())
        if columns != fields:
            raise TypeError(f"{kind.__name__} is {fields}; the query's columns are {columns}")
        return make

    return factory
