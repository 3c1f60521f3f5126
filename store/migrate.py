"""Applies the plain SQL files of ``store/migrations`` in order, each once, under a lock (yoyo)."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from yoyo import get_backend, read_migrations

from store.database import translated

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest schema; return the names of what was applied.

    Forward only, safe to repeat and to run from several processes at once.

    Raises:
        UnavailableError: the database does not answer.
    """
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    parts = urlsplit(database_url)
    backend_url = urlunsplit(parts._replace(scheme="postgresql+psycopg"))
    with translated():
        backend = get_backend(backend_url)
        try:
            with backend.lock(timeout=60):
                pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
                backend.apply_migrations(pending)
            return [migration.id for migration in pending]
        finally:
            backend.connection.close()
