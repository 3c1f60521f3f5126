"""A shadow: events recomputed from history, in a schema of their own next to the live tables.

The schema is created on demand and not by a migration: so its ``events`` has the columns of the
live table whichever migrations were applied, databases without a rebuild do not have it, and
dropping it removes everything. Only `vigil rebuild` reads it: no board, view or worker refers to
it, and filling it fires no trigger and sends no notification.

    events      as the live table, without its trigger
    episodes    a view: the state of each episode by its last step
    rebuild     one row: the question, and whether it is finished
    units       the finished units: a patient, or a partition
    patients    whose readings were replayed, and from when to when (by receipt)

A unit is filled and recorded in one transaction. So an interrupted rebuild continues with the
missing units, and a shadow has nothing but the events of its history.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import msgspec
import psycopg
from psycopg import sql

from store.database.columns import columns
from store.database.connections import Connection, translated
from store.database.timeouts import disable_timeouts
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.service.errors import InputError, SettingsError

NAME = re.compile(r"shadow(_[a-z0-9_]{1,40})?").fullmatch
"""Names of schemas that may be filled and dropped, so that a mistake cannot drop another."""
LOCK = 0x53686164
"""Class of the advisory lock: "Shad" in ASCII. Its second key is the shadow's name."""
LOCK_SECONDS = 3.0
"""How long a lock is waited for: a command that just ended holds it until the server notices."""

_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, columns(Event)))
_MAKE = """
    CREATE SCHEMA {shadow};
    CREATE TABLE {shadow}.events (LIKE events INCLUDING ALL);
    CREATE VIEW {shadow}.episodes AS
        SELECT DISTINCT ON (event_id)
               event_id, patient_id, kind, category, sequence, phase, priority, onset, detected_at,
               ended_at, retrospective, synthetic
        FROM {shadow}.events ORDER BY event_id, sequence DESC;
    CREATE TABLE {shadow}.rebuild (
        question    text NOT NULL,
        cut         timestamptz NOT NULL,              -- only what was received before is played
        begun_at    timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
    );
    CREATE TABLE {shadow}.units (unit text PRIMARY KEY);
    CREATE TABLE {shadow}.patients (
        patient_id text PRIMARY KEY,
        first      timestamptz NOT NULL,
        reached    timestamptz NOT NULL,
        readings   bigint NOT NULL
    );
"""
_INSERT = """
    INSERT INTO {shadow}.events ({columns})
    SELECT {columns} FROM jsonb_populate_recordset(NULL::{shadow}.events, %s::jsonb)
    ON CONFLICT DO NOTHING
"""
_PLAYED = """
    INSERT INTO {shadow}.patients AS p (patient_id, first, reached, readings)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (patient_id) DO UPDATE
    SET first = least(p.first, EXCLUDED.first), reached = greatest(p.reached, EXCLUDED.reached),
        readings = p.readings + EXCLUDED.readings
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The replayed readings of one patient, by time of receipt."""

    first: datetime
    reached: datetime
    """Everything in the history up to this time was evaluated."""
    readings: int


@dataclass(frozen=True, slots=True)
class RebuildStart:
    """The state in which a rebuild starts."""

    cut: datetime
    done: frozenset[str]
    """Units filled by an interrupted run of the same question."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of ``events``, live or of a shadow."""

    episode_id: str
    sequence: int
    patient_id: str
    kind: str
    priority: str
    onset: datetime
    detected_at: datetime
    ended_at: datetime | None
    rest: Mapping[str, Any]
    """The step's other columns: phase, signals, evidence, context, and so on."""
    made_by: str
    """Hash of the configuration, and the detectors' version."""

    @property
    def known_at(self) -> datetime:
        """When Vigil could know it: receipt of the reading, or the clock tick, that led to it."""
        evidence = self.rest.get("evidence") or {}
        return self.detected_at + timedelta(seconds=evidence.get("signal_delay_seconds", 0.0))


_STEP_COLUMNS = tuple(field.name for field in fields(Step))[1:8]
_OF_ARRIVAL = frozenset({"history"})
"""Columns that say how a step came, not what it is: a rebuild has them not."""


class Shadow:
    """One shadow, on a connection of its own that is not in autocommit.

    Raises:
        InputError: the name is not one of a shadow, or of a schema that is something else.
        UnavailableError: of any method: the database does not answer.
    """

    def __init__(self, connection: Connection, name: str):
        if not NAME(name):
            raise InputError(
                f"{name!r} is not the name of a shadow.",
                code="input.wrong_type",
                field="--into",
                how_to_fix="It is `shadow`, or begins with `shadow_`: small letters, digits and _.",
            )
        self.name = name
        self.connection = connection

    def begin(self, question: str, cut: datetime) -> RebuildStart:
        """Create it empty, or continue an interrupted run of the same question.

        Args:
            question: what the rebuild computes, as a text that is equal for equal questions.
            cut: readings received at or after it are not replayed; an interrupted run keeps its
                own.

        Raises:
            InputError: another rebuild is filling it.
            SettingsError: the database's user may not create a schema.
        """
        with translated():
            disable_timeouts(self.connection)
            self._lock()
            question = f"{question} {self._shape()}"
            start = self._interrupted(question)
            if start is None:
                self._create(question, cut)
                start = RebuildStart(cut, frozenset())
            self.connection.commit()
        return start

    @contextmanager
    def filling(self, unit: str) -> Iterator[None]:
        """A unit's transaction: add its events and spans inside; a failure rolls it back."""
        with translated():
            try:
                yield
                self._execute("INSERT INTO {shadow}.units (unit) VALUES (%s)", (unit,))
                self.connection.commit()
            except BaseException:
                self.connection.rollback()
                raise

    def add_events(self, events: Sequence[Event]) -> None:
        """Store events; one that is stored already stays as it is."""
        if events:
            rows = encode([msgspec.structs.asdict(event) for event in events]).decode()
            self._execute(_INSERT, (rows,))

    def add_spans(self, spans: Mapping[str, Span]) -> None:
        """Record the replayed span of each patient."""
        for patient_id, span in spans.items():
            self._execute(_PLAYED, (patient_id, *astuple(span)))

    def finish(self) -> None:
        """Mark it as complete: a new run of the same question starts from the beginning."""
        with translated():
            self._execute("UPDATE {shadow}.rebuild SET finished_at = now()")
            self.connection.commit()

    def patients(self) -> dict[str, Span]:
        """Patient id → the replayed span."""
        with translated():
            rows = self._execute("SELECT * FROM {shadow}.patients ORDER BY patient_id").fetchall()
        return {row.pop("patient_id"): Span(**row) for row in rows}

    def steps(self, patient_id: str) -> list[Step]:
        """A patient's steps in the shadow."""
        return _steps(self.connection, sql.Identifier(self.name, "events"), patient_id)

    def drop(self) -> bool:
        """Drop it; False: there was none."""
        with translated():
            self._lock()
            there = self._there()
            if there:
                self._execute("DROP SCHEMA {shadow} CASCADE")
            self.connection.commit()
        return there

    def _execute(self, query: str, values: Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        composed = sql.SQL(query).format(shadow=sql.Identifier(self.name), columns=_COLUMNS)
        return self.connection.execute(composed, values)

    def _lock(self) -> None:
        keys = LOCK, crc32(self.name.encode()) - (1 << 31)
        deadline = time.monotonic() + LOCK_SECONDS
        while not self._try_lock(keys):
            if time.monotonic() > deadline:
                raise InputError(
                    f"Another `vigil rebuild` is filling {self.name}.",
                    code="input.wrong_type",
                    field="--into",
                    how_to_fix="Wait for its end, or name another shadow.",
                )
            time.sleep(0.1)

    def _try_lock(self, keys: tuple[int, int]) -> bool:
        row = self.connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s) AS ours", keys
        ).fetchone()
        return bool(row and row["ours"])

    def _there(self) -> bool:
        query = "SELECT to_regclass(%s) IS NOT NULL AS there"
        row = self.connection.execute(query, (f"{self.name}.rebuild",)).fetchone()
        return bool(row and row["there"])

    def _shape(self) -> str:
        """The live table's columns: a shadow from before a migration is not continued."""
        row = self.connection.execute(
            "SELECT string_agg(format('%s %s', attname, atttypid), ',' ORDER BY attnum) AS shape"
            " FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0"
        ).fetchone()
        return str(row and row["shape"])

    def _interrupted(self, question: str) -> RebuildStart | None:
        if not self._there():
            return None
        row = self._execute("SELECT * FROM {shadow}.rebuild").fetchone()
        if row is None or row["question"] != question or row["finished_at"] is not None:
            return None
        units = self._execute("SELECT unit FROM {shadow}.units").fetchall()
        return RebuildStart(row["cut"], frozenset(unit["unit"] for unit in units))

    def _create(self, question: str, cut: datetime) -> None:
        try:
            if self._there():
                self._execute("DROP SCHEMA {shadow} CASCADE")
            self._execute(_MAKE)
        except psycopg.errors.DuplicateSchema as error:
            raise InputError(
                f"There is a schema {self.name} that no rebuild created.",
                code="input.wrong_type",
                field="--into",
                how_to_fix="Name another shadow.",
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SettingsError(
                "The database's user may not create a schema for the shadow.",
                code="settings.invalid",
                field="VIGIL_DATABASE_URL",
                how_to_fix="GRANT CREATE ON DATABASE … TO that user, or name the owner.",
            ) from error
        insert = "INSERT INTO {shadow}.rebuild (question, cut) VALUES (%s, %s)"
        self._execute(insert, (question, cut))


def live_steps(connection: Connection, patient_id: str) -> list[Step]:
    """A patient's steps in the live table."""
    return _steps(connection, sql.Identifier("events"), patient_id)


def live_patients(connection: Connection) -> list[str]:
    """Ids of all patients with events in the live table."""
    with translated():
        rows = connection.execute("SELECT DISTINCT patient_id FROM events ORDER BY patient_id")
        return [row["patient_id"] for row in rows]


def judged_offsets(connection: Connection, group: str, topic: str, log_id: str) -> dict[int, int]:
    """Partition → the next offset that the detectors have not evaluated, of one log."""
    with translated():
        rows = connection.execute(
            "SELECT partition, next_offset FROM checkpoints"
            " WHERE worker_group = %s AND topic = %s AND log_id = %s AND next_offset >= 0",
            (group, topic, log_id),
        )
        return {row["partition"]: row["next_offset"] for row in rows}


def newest_watermark(connection: Connection, group: str) -> datetime | None:
    """The last clock tick that the detectors have evaluated on any partition."""
    query = "SELECT max(watermark) AS newest FROM checkpoints WHERE worker_group = %s"
    with translated():
        row = connection.execute(query, (group,)).fetchone()
    return row["newest"] if row else None


def _steps(connection: Connection, relation: sql.Identifier, patient_id: str) -> list[Step]:
    query = sql.SQL("SELECT * FROM {} WHERE patient_id = %s ORDER BY event_id, sequence")
    with translated():
        rows: Iterable[dict[str, Any]] = connection.execute(query.format(relation), (patient_id,))
        return [_step(row) for row in rows]


def _step(row: dict[str, Any]) -> Step:
    made_by = f"{row.pop('config_hash')} ({row.pop('detector_version')})"
    named = {name: row.pop(name) for name in _STEP_COLUMNS}
    episode_id = row.pop("event_id")
    rest = {name: value for name, value in row.items() if name not in _OF_ARRIVAL}
    return Step(episode_id=episode_id, **named, rest=rest, made_by=made_by)
