"""Retention of readings: without limit, unless ``VIGIL_KEEP_READINGS_DAYS`` is set.

A day's aggregates stay when its readings are deleted. A reading that arrives after its day was
deleted counts in no aggregate, and is deleted with the next ones. On TimescaleDB its policies
delete whole chunks; on plain PostgreSQL whole days (UTC) are deleted here. Nothing is deleted
earlier than configured.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg

from store.database.connections import Connection, connect, translated
from store.readings import retention_policies, retention_rows, withdrawn
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.errors import VigilError
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("retention")

HOUR_SECONDS = 3600.0
"""How often retention runs."""
LONGEST_SECONDS = 6 * 3600.0
"""Longest time between two beats: a first deletion of years of rows takes hours."""
PAUSE_SECONDS = 10.0
"""Pause before a retry when the database is unavailable."""
LOCK = 0x56696770
"""Key of the advisory lock: one process at a time runs retention."""

_TIMESCALE = "SELECT to_regclass('readings_1d_kept') IS NULL AS found"  # kept by its aggregates
_GONE = "SELECT max(before) AS before FROM readings_gone"
_GO = """
    INSERT INTO readings_gone (before) VALUES (%s)
    ON CONFLICT (single) DO UPDATE SET before = greatest(readings_gone.before, EXCLUDED.before)
"""


def apply_retention(
    connection: Connection, keep_days: int | None, now: datetime, stop: threading.Event
) -> int:
    """Delete what is due; returns how many rows were deleted (0 on TimescaleDB: a policy does it).

    Args:
        connection: in autocommit: each batch is a transaction of its own.
        keep_days: None: without limit; deleted readings stay deleted.
        stop: when set, return soon; the next run does the rest.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        row = connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (LOCK,)).fetchone()
        if not (row and row["got"]):
            return 0
        try:
            return _apply(connection, keep_days, now=now, stop=stop)
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


def _apply(
    connection: Connection, keep_days: int | None, now: datetime, stop: threading.Event
) -> int:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before = None if keep_days is None else midnight - timedelta(days=keep_days)
    row = connection.execute(_GONE).fetchone()
    gone: datetime | None = row["before"] if row else None
    further = before is not None and (gone is None or before > gone)
    if before is not None:
        withdrawn.delete_before(connection, before)
    found = connection.execute(_TIMESCALE).fetchone()
    if found and found["found"]:
        with connection.transaction():
            if further:
                connection.execute(_GO, (before,))
            retention_policies.set_policies(
                connection, keep_days=keep_days, gone=before if further else gone, now=now
            )
        return 0
    if before is None:
        return 0
    if further:
        if not retention_rows.keep_aggregates(connection, gone=gone, before=before, stop=stop):
            return 0
        connection.execute(_GO, (before,))
    return retention_rows.delete_rows(connection, before, stop)


class Retention:
    """Runs retention once an hour, on a thread of its own."""

    def __init__(self, settings: Settings, health: Health):
        self._settings = settings
        self._keep_days = settings.keep_readings_days
        self._health = health
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention")
        self._pulse = Pulse("retention", self._thread, LONGEST_SECONDS)
        health.watch("retention", self._pulse.look)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, after the current statement."""
        self._pulse.done()
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            self._pulse.beat()
            pause = self._once()

    def _once(self) -> float:
        """Run retention; returns the seconds until the next run."""
        try:
            with connect(self._settings, autocommit=True) as connection:
                deleted = apply_retention(
                    connection, self._keep_days, now=utc_now(), stop=self._stop
                )
        except VigilError as error:  # reported by the writer too: unavailable, or not usable
            log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
            return PAUSE_SECONDS
        except (
            psycopg.Error
        ) as error:  # the writer continues; that nothing is deleted must be visible
            self._health.trouble("retention", f"readings are not deleted: {type(error).__name__}")
            log.error("readings are not deleted", error=type(error).__name__)  # noqa: TRY400 (its text may quote a row)
            return HOUR_SECONDS
        self._health.trouble("retention", None)
        if deleted:
            self._health.count("readings_deleted", deleted)
            log.info("readings deleted", rows=deleted)
        return HOUR_SECONDS
