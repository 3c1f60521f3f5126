"""Applies the plain SQL files of ``store/migrations`` in order, each once (yoyo).

Of yoyo we keep the files, their splitting into statements and the table of what was applied; how
they are applied is ours, because a worker may be killed while it migrates:

- one connection, and a lock that ends with it (yoyo's is a row that outlives its process);
- a migration and the mark that it was applied commit together.
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
from store.database.troubles import unavailable

MIGRATIONS = guard.MIGRATIONS
LOCK = 0x56696769
"""Key of the advisory lock: "Vigi" in ASCII."""


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's PostgreSQL on one connection, under an advisory lock."""

    def connect(self, url: str) -> psycopg.Connection[Any]:
        """Called by yoyo with what the backend was made with; no time limit on a statement."""
        options = {**OPTIONS, "options": "-c timezone=UTC -c statement_timeout=0"}
        opened = psycopg.connect(url, autocommit=True, prepare_threshold=None, **options)
        opened.execute(guard.QUIET)
        return opened

    def list_tables(self, **_wanted: object) -> list[str]:
        """The tables of our schema; yoyo asks whether its own are there."""
        tables = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return [name for (name,) in tables.fetchall()]

    @contextmanager
    def lock(self, timeout: float = 60) -> Iterator[None]:
        """Hold the lock; it goes when the connection does, however the process ends."""
        deadline = time.monotonic() + timeout
        while not self._try_lock():
            if time.monotonic() >= deadline:
                raise unavailable("another process has been migrating for a minute")
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
        """The migration's statements and its mark, in one transaction."""
        with self.transaction():
            migration.process_steps(self, "apply", force=force)
            if mark:
                self.mark_one(migration, log=False)


def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest schema; return the names of what was applied.

    Forward only, safe to repeat and to run from several processes at once. Whether the database is
    one for Vigil is asked before anything is changed.

    Raises:
        UnavailableError: the database does not answer, another process migrates too long, or the
            schema is newer than this version of Vigil.
        SettingsError: the database or its server is none that Vigil can use.
    """
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    with translated():
        with psycopg.connect(database_url, autocommit=True, **OPTIONS) as connection:
            examine(connection)
        backend = Backend(database_url, Backend.migration_table)
        with backend, backend.lock():
            pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
            for migration in pending:
                backend.apply_one(migration)
        return [migration.id for migration in pending]


def examine(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Refuse a database that must not be migrated; return what was applied to it so far.

    Raises:
        UnavailableError: its schema is newer than this version of Vigil.
        SettingsError: it or its server is none that Vigil can use.
    """
    guard.server(connection)
    guard.owner(connection)
    applied = guard.ask(connection, guard.applied())
    guard.ahead(applied, guard.known(MIGRATIONS))
    guard.timescale(guard.extension(connection))
    return applied
