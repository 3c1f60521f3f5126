"""How long readings are kept: for ever, unless ``VIGIL_KEEP_READINGS_DAYS`` says otherwise.

What the aggregates say of a day stays when its readings go. A reading that arrives when its day is
gone already counts in no aggregate, and goes with the next ones. On TimescaleDB its policies do the
work, by whole chunks; on plain PostgreSQL it is done here, by whole days (UTC). Nothing is
deleted sooner than was asked for.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg

from store.database.connections import Connection, connect, translated
from store.readings import retention_policies, retention_rows
from vigil.service import logs
from vigil.service.background import Pulse
from vigil.service.errors import VigilError
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("retention")

HOUR_SECONDS = 3600.0
"""How often it is looked whether something is to go."""
LONGEST_SECONDS = 6 * 3600.0
"""A first deletion of years of rows takes hours, and an hour is waited after each."""
PAUSE_SECONDS = 10.0
"""How soon it is tried again where the database could not be reached."""
LOCK = 0x56696770
"""Key of the advisory lock that lets one process at a time work."""

_TIMESCALE = "SELECT to_regclass('readings_1d_kept') IS NULL AS found"  # kept by its aggregates
_GONE = "SELECT max(before) AS before FROM readings_gone"
_GO = """
    INSERT INTO readings_gone (before) VALUES (%s)
    ON CONFLICT (single) DO UPDATE SET before = greatest(readings_gone.before, EXCLUDED.before)
"""


def apply(
    connection: Connection, keep_days: int | None, now: datetime, stop: threading.Event
) -> int:
    """Do what is due; returns how many rows were deleted here (on TimescaleDB its policy does it).

    Args:
        connection: in autocommit: each batch is a transaction of its own.
        keep_days: None: for ever; what is gone stays gone.
        stop: end soon; what is left is done the next time.

    Raises:
        UnavailableError: the database does not answer.
    """
    with translated():
        row = connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (LOCK,)).fetchone()
        if not (row and row["got"]):
            return 0
        try:
            return _apply(connection, keep_days, now, stop)
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
    found = connection.execute(_TIMESCALE).fetchone()
    if found and found["found"]:
        with connection.transaction():
            if further:
                connection.execute(_GO, (before,))
            retention_policies.arrange(connection, keep_days, before if further else gone, now)
        return 0
    if before is None:
        return 0
    if further:
        if not retention_rows.sum_up(connection, gone, before, stop):
            return 0
        connection.execute(_GO, (before,))
    return retention_rows.delete(connection, before, stop)


class Retention:
    """Looks once an hour, on a thread of its own."""

    def __init__(self, settings: Settings, health: Health):
        self._settings = settings
        self._keep_days = settings.keep_readings_days
        self._health = health
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention")
        self._pulse = Pulse("retention", self._thread, LONGEST_SECONDS)
        health.watch("retention", self._pulse.look)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once the statement that is being run is done."""
        self._pulse.done()
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            self._pulse.beat()
            pause = self._once()

    def _once(self) -> float:
        """Do what is due; how long to wait until the next time."""
        try:
            with connect(self._settings, autocommit=True) as connection:
                went = apply(connection, self._keep_days, utc_now(), self._stop)
        except VigilError as error:  # the writer says so too: away, or not to be used
            log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
            return PAUSE_SECONDS
        except psycopg.Error as error:  # the writer goes on; that nothing is deleted must be seen
            self._health.trouble("retention", f"readings are kept: {type(error).__name__}")
            log.error("readings are kept", error=type(error).__name__)  # noqa: TRY400 (its text may tell of a row)
            return HOUR_SECONDS
        self._health.trouble("retention", None)
        if went:
            self._health.count("readings_deleted", went)
            log.info("readings deleted", rows=went)
        return HOUR_SECONDS
