"""A shadow: events made once more from history, in a schema of their own beside the live tables.

The schema is made on demand and not by a migration: its ``events`` then has the columns of the live
table whichever migrations the database has seen, nobody has it who never rebuilds, and dropping it
leaves nothing behind. Nothing but `vigil rebuild` reads it: no board, no view and no worker names
it, and filling it fires no trigger and sends no notification.

    events      as the live table, without its trigger
    episodes    a view: where each episode stands by its last step
    rebuild     one row: what was asked, and whether it is finished
    units       what is filled: a patient, or a partition
    patients    whose readings were played, and from when to when (by receipt)

A unit is filled in one transaction, and marked in it. So a rebuild that was killed goes on with the
units that are missing, and nothing is in a shadow that its history did not make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import psycopg
from psycopg import sql

from store.database.connections import Connection, translated
from store.database.waiting import without_end
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.service.errors import InputError, SettingsError

NAME = re.compile(r"shadow(_[a-z0-9_]{1,40})?").fullmatch
"""Which schemas may be filled and dropped: so that no slip drops anything else."""
LOCK = 0x53686164
"""Class of the advisory lock: "Shad" in ASCII. Its second key is the shadow's name."""

_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, Event.__struct_fields__))
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


class Span(NamedTuple):
    """What was played of one patient, by time of receipt."""

    first: datetime
    reached: datetime
    """Up to here all that the history tells was judged."""
    readings: int


class Begun(NamedTuple):
    """How a rebuild starts."""

    cut: datetime
    done: frozenset[str]
    """Units that an interrupted run of the same question has filled."""


class Step(NamedTuple):
    """One row of ``events``, live or of a shadow."""

    event_id: str
    sequence: int
    patient_id: str
    kind: str
    priority: str
    onset: datetime
    detected_at: datetime
    ended_at: datetime | None
    rest: Mapping[str, Any]
    """What else the step says: phase, signals, evidence, context, and so on."""
    made_by: str
    """Hash of the configuration, and the detectors' version."""

    @property
    def known_at(self) -> datetime:
        """When Vigil could know it: receipt of the reading, or the tick, that told it."""
        evidence = self.rest.get("evidence") or {}
        return self.detected_at + timedelta(seconds=evidence.get("signal_delay_seconds", 0.0))


class Shadow:
    """One shadow, on a connection of its own that is not in autocommit.

    Raises:
        InputError: the name is not one of a shadow, or of a schema that is something else.
        UnavailableError: of any method: the database does not answer.
    """

    def __init__(self, connection: Connection, name: str):
        if not NAME(name):
            raise InputError(
                f"{name!r} is no shadow's name.",
                code="input.wrong_type",
                field="--into",
                how_to_fix="It is `shadow`, or begins with `shadow_`: small letters, digits and _.",
            )
        self.name = name
        self.connection = connection

    def begin(self, question: str, cut: datetime) -> Begun:
        """Make it empty, or go on where a run of the same question was interrupted.

        Args:
            question: what is asked, in a form that is equal when it is the same.
            cut: what was received then or later is not played; of an interrupted run its own holds.

        Raises:
            InputError: another rebuild is filling it.
            SettingsError: the database's user may not make a schema.
        """
        with translated():
            without_end(self.connection)
            self._lock()
            question = f"{question} {self._shape()}"
            begun = self._interrupted(question)
            if begun is None:
                self._make(question, cut)
                begun = Begun(cut, frozenset())
            self.connection.commit()
        return begun

    @contextmanager
    def filling(self, unit: str) -> Iterator[None]:
        """A unit's transaction: its events and spans are put inside; nothing stays of a failure."""
        with translated():
            try:
                yield
                self._execute("INSERT INTO {shadow}.units (unit) VALUES (%s)", (unit,))
                self.connection.commit()
            except BaseException:
                self.connection.rollback()
                raise

    def put(self, events: Sequence[Event]) -> None:
        """Keep events; one that is there already stays as it is."""
        if events:
            rows = encode([msgspec.structs.asdict(event) for event in events]).decode()
            self._execute(_INSERT, (rows,))

    def played(self, spans: Mapping[str, Span]) -> None:
        """Note what of each patient was played."""
        for patient_id, span in spans.items():
            self._execute(_PLAYED, (patient_id, *span))

    def finish(self) -> None:
        """Everything is filled: the same question, asked again, begins anew."""
        with translated():
            self._execute("UPDATE {shadow}.rebuild SET finished_at = now()")
            self.connection.commit()

    def patients(self) -> dict[str, Span]:
        """What was played, of everyone."""
        with translated():
            rows = self._execute("SELECT * FROM {shadow}.patients ORDER BY patient_id").fetchall()
        return {row.pop("patient_id"): Span(**row) for row in rows}

    def steps(self, patient_id: str) -> list[Step]:
        """What the shadow holds of a patient."""
        return _steps(self.connection, sql.Identifier(self.name, "events"), patient_id)

    def drop(self) -> bool:
        """Remove it; False: there was none."""
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
        keys = (LOCK, crc32(self.name.encode()) - (1 << 31))
        row = self.connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS ours", keys)
        if not row.fetchone()["ours"]:  # type: ignore[index]
            raise InputError(
                f"Another `vigil rebuild` works on {self.name}.",
                code="input.wrong_type",
                field="--into",
                how_to_fix="Wait for its end, or name another shadow.",
            )

    def _there(self) -> bool:
        query = "SELECT to_regclass(%s) IS NOT NULL AS there"
        row = self.connection.execute(query, (f"{self.name}.rebuild",)).fetchone()
        return bool(row and row["there"])

    def _shape(self) -> str:
        """The live table's columns: a shadow from before a migration is not gone on with."""
        row = self.connection.execute(
            "SELECT string_agg(format('%s %s', attname, atttypid), ',' ORDER BY attnum) AS shape"
            " FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0"
        ).fetchone()
        return str(row and row["shape"])

    def _interrupted(self, question: str) -> Begun | None:
        if not self._there():
            return None
        row = self._execute("SELECT * FROM {shadow}.rebuild").fetchone()
        if row is None or row["question"] != question or row["finished_at"] is not None:
            return None
        units = self._execute("SELECT unit FROM {shadow}.units").fetchall()
        return Begun(row["cut"], frozenset(unit["unit"] for unit in units))

    def _make(self, question: str, cut: datetime) -> None:
        try:
            if self._there():
                self._execute("DROP SCHEMA {shadow} CASCADE")
            self._execute(_MAKE)
        except psycopg.errors.DuplicateSchema as error:
            raise InputError(
                f"There is a schema {self.name} that no rebuild made.",
                code="input.wrong_type",
                field="--into",
                how_to_fix="Name another shadow.",
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SettingsError(
                "The database's user may not make a schema for the shadow.",
                code="settings.invalid",
                field="VIGIL_DATABASE_URL",
                how_to_fix="GRANT CREATE ON DATABASE … TO that user, or name the owner.",
            ) from error
        insert = "INSERT INTO {shadow}.rebuild (question, cut) VALUES (%s, %s)"
        self._execute(insert, (question, cut))


def live_steps(connection: Connection, patient_id: str) -> list[Step]:
    """What the system told of a patient."""
    return _steps(connection, sql.Identifier("events"), patient_id)


def live_patients(connection: Connection) -> list[str]:
    """Everyone of whom the system told something."""
    with translated():
        rows = connection.execute("SELECT DISTINCT patient_id FROM events ORDER BY patient_id")
        return [row["patient_id"] for row in rows]


def judged(connection: Connection, group: str, topic: str, log_id: str) -> dict[int, int]:
    """Partition → the next offset that the detectors have not judged, of one log."""
    with translated():
        rows = connection.execute(
            "SELECT partition, next_offset FROM checkpoints"
            " WHERE worker_group = %s AND topic = %s AND log_id = %s AND next_offset >= 0",
            (group, topic, log_id),
        )
        return {row["partition"]: row["next_offset"] for row in rows}


def watermark(connection: Connection, group: str) -> datetime | None:
    """The last tick that the detectors have judged on any partition."""
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
    named = {name: row.pop(name) for name in Step._fields[:8]}
    return Step(**named, rest=row, made_by=made_by)
