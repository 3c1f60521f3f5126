"""Applies the plain SQL files of ``store/migrations`` in order, each once (yoyo).

yoyo provides the files, their splitting into statements and the table of applied migrations. How
they are applied is ours, because a process may be killed while it migrates:

- one connection, and a lock that ends with it (yoyo's is a row that outlives its process);
- a migration and the record that it was applied commit together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend

from store.database import guard
from store.database.connections import OPTIONS, translated
from store.database.driver_errors import unreachable_error

MIGRATIONS = guard.MIGRATIONS
LOCK = 0x56696769
"""Key of the advisory lock: "Vigi" in ASCII."""


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's PostgreSQL on one connection, under an advisory lock."""

    def connect(self, url: str) -> psycopg.Connection[Any]:
        """Called by yoyo with the backend's URL; statements have no time limit."""
        options = {**OPTIONS, "options": "-c timezone=UTC -c statement_timeout=0"}
        opened = psycopg.connect(url, autocommit=True, prepare_threshold=None, **options)
        opened.execute(guard.TERSE_LOG)
        return opened

    def list_tables(self, **_wanted: object) -> list[str]:
        """The tables of our schema; yoyo checks whether its own exist."""
        tables = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return [name for (name,) in tables.fetchall()]

    @contextmanager
    def lock(self, timeout: float = 60) -> Iterator[None]:
        """Hold the lock; it ends with the connection, however the process ends."""
        deadline = time.monotonic() + timeout
        while not self._try_lock():
            if time.monotonic() >= deadline:
                raise unreachable_error("another process has been migrating for a minute")
            time.sleep(0.1)
        try:
            yield
        finally:
            if not self.connection.closed:
                self.execute(f"SELECT pg_advisory_unlock({LOCK})")

    def _try_lock(self) -> bool:
        row = self.execute(f"SELECT pg_try_advisory_lock({LOCK})").fetchone()
        return bool(row[0])

    def apply_one(self, migration: Any, force: bool = False, mark: bool = True) -> None:
        """Run the migration's statements and record it as applied, in one transaction."""
        with self.transaction():
            migration.process_steps(self, "apply", force=force)
            if mark:
                self.mark_one(migration, log=False)


def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest schema; return the names of the applied migrations.

    Forward only, safe to repeat and to run from several processes at once. The database is checked
    before anything is changed.

    Raises:
        UnavailableError: the database does not answer, another process migrates too long, or the
            schema is newer than this version of Vigil.
        SettingsError: Vigil cannot use the database or its server.
    """
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    with translated():
        with psycopg.connect(database_url, autocommit=True, **OPTIONS) as connection:
            check_database(connection)
        backend = Backend(database_url, Backend.migration_table)
        with backend, backend.lock():
            pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
            for migration in pending:
                backend.apply_one(migration)
        return [migration.id for migration in pending]


def check_database(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Refuse a database that must not be migrated; return the migrations applied so far.

    Raises:
        UnavailableError: its schema is newer than this version of Vigil.
        SettingsError: Vigil cannot use it or its server.
    """
    guard.check_server(connection)
    guard.check_owner(connection)
    applied = guard.run_queries(connection, guard.applied_migrations())
    guard.check_not_newer(applied, guard.known_migrations(MIGRATIONS))
    guard.check_timescale(guard.read_extension(connection))
    return applied
