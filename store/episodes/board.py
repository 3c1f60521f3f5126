"""Queries of the care team's pages: the ward, one patient, one episode.

Three times are distinguished: ``time`` is the device's, ``received_at`` ours, and an action counts
from the time at which a person took it. An acknowledgement covers the state of an episode at that
time: an episode that was announced again afterwards (its priority rose, it is worse, it continues
for hours), or whose patient asked for help afterwards, is open again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct
from psycopg.rows import BaseRowFactory, RowMaker

from store.database import extreme_times
from store.database.connections import AsyncConnection, translated
from store.database.fetching import fetch_rows
from store.queries import query
from vigil.domain.episode import Phase
from vigil.domain.kinds import PRIORITY_ORDER, Category, Priority

R = TypeVar("R", bound=Struct)

LATCHED_FOR = timedelta(hours=12)
"""An episode that ended unacknowledged stays on the board for one shift."""
AT_MOST = 100
"""Most episodes of one patient read at once."""
SPARK_POINTS = 24
"""Quarters of an hour: six hours."""
QUARTER_SECONDS = 900


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
    highest_priority: Priority = "low"
    """The highest that it ever had: at least its own."""
    priority_since: datetime | None = None
    """Since when it has its priority, in event time."""
    raised_because: str = ""
    """Why what was acknowledged before is open again: ``raised``, ``worse``, ``joined`` or
    ``continues``."""
    raised_time: datetime | None = None
    """When that became known, in event time."""
    duration_observed: bool = False
    """Whether its readings stand close enough for a duration to be said."""
    history: bool = False
    """Whether each step was past its useful time when it was published: nobody was paged."""
    time_uncertain: bool = False
    """Whether its device's clock is wrong."""
    lifted_by: str | None = None
    """Who acknowledged an earlier state; None: nobody, or its present state is acknowledged."""
    lifted_at: datetime | None = None
    unobserved_end: bool = False
    """Whether it ended because nothing was measured any more: nobody knows whether it is over."""
    judged_again: bool = False
    """Whether it was found by judging again after a reading was withdrawn; on the board, of those
    that paged nobody alone."""
    withdrawn: bool = False
    """Whether it was closed because readings that it rested on do not count."""

    @property
    def waits(self) -> bool:
        """Whether it waits for an acknowledgement, as the board and a summary count them: nobody
        has acknowledged its present state, and the patient asks for help, or it is neither
        history, nor found late or by judging again, nor withdrawn."""
        calls = not (self.history or self.retrospective or self.withdrawn)
        return not self.acknowledged and (calls or self.help_at is not None)

    @property
    def bears_duration(self) -> bool:
        """Whether it may be claimed how long it lasted. What a device did or did not send is known
        at any time."""
        return self.category == "technical" or self.duration_observed

    @property
    def acknowledged(self) -> bool:
        """Whether a person has acknowledged its current state."""
        return self.acknowledged_at is not None

    @property
    def has_fallen(self) -> bool:
        """Whether it was of a higher priority before."""
        return PRIORITY_ORDER[self.highest_priority] < PRIORITY_ORDER[self.priority]

    @property
    def peak(self) -> Priority:
        """The highest priority that it had."""
        return self.highest_priority if self.has_fallen else self.priority


class SparkPoint(Struct, frozen=True):
    """The mean heart rate of a patient's quarter of an hour (UTC)."""

    patient_id: str
    quarter: int
    """Its number since 1970."""
    value: float


class SparkSpan(Struct, frozen=True):
    """The quarters of an hour that are asked of a patient, by their numbers since 1970."""

    patient_id: str
    since: int
    until: int
    """Not included."""


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
    :data:`LATCHED_FOR` of the patient's newest reading (clinical, and of high or medium priority
    at some time); and those about which a patient asked for help.
    """
    return await fetch_records(
        connection, Episode, query("board/episodes"), values={"latched": LATCHED_FOR}
    )


async def sparks(connection: AsyncConnection, spans: Sequence[SparkSpan]) -> list[SparkPoint]:
    """The patients' mean heart rates over these spans, in no order; empty quarters are absent."""
    if not spans:
        return []
    values = {
        "patients": [span.patient_id for span in spans],
        "starts": [_start(span.since) for span in spans],
        "ends": [_start(span.until) for span in spans],
    }
    return await fetch_records(connection, SparkPoint, query("board/sparks"), values)


async def newest_sparks(
    connection: AsyncConnection, spans: Sequence[SparkSpan]
) -> list[SparkPoint]:
    """As :func:`sparks`, from the readings themselves: much quicker where all spans are the newest
    few quarters, and much slower where one of them goes back for hours."""
    if not spans:
        return []
    asked = {span.patient_id: span for span in spans}
    values = {
        "patients": list(asked),
        "since": _start(min(span.since for span in spans)),
        "until": _start(max(span.until for span in spans)),
    }
    found = await fetch_records(connection, SparkPoint, query("board/sparks_newest"), values)
    return [
        point
        for point in found
        if asked[point.patient_id].since <= point.quarter < asked[point.patient_id].until
    ]


async def withdrawn_since(connection: AsyncConnection, since: datetime) -> set[str]:
    """The patients of whom readings were withdrawn since a time."""
    rows = await fetch_rows(connection, query("board/withdrawn_since"), {"since": since})
    return {row["patient_id"] for row in rows}


def quarter_of(time: datetime) -> int:
    """The number of a time's quarter of an hour since 1970."""
    return int(time.timestamp() // QUARTER_SECONDS)


def _start(quarter: int) -> datetime:
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, UTC)


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
