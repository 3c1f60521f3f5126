"""Checks whether this version of Vigil may use a database, before anything is changed in it.

Every connection is checked once. A schema that is older or newer than the code makes a service wait
and report it, since both end by themselves during an upgrade, and nothing is written meanwhile. A
database that waiting does not fix (another application's, a server that is too old) is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, Protocol, TypeVar

import psycopg
from psycopg.rows import tuple_row

from vigil.service.errors import SettingsError, UnavailableError

T = TypeVar("T")
TERSE_LOG: LiteralString = """
    SELECT CASE WHEN has_parameter_privilege(current_user, 'log_error_verbosity', 'SET')
        THEN set_config('log_error_verbosity', 'terse', false)
        ELSE current_setting('log_error_verbosity')
    END AS verbosity
"""
"""Asks the server to leave out of its log what quotes rows: an error's DETAIL contains the key, and
its CONTEXT the line of a COPY. A superuser may set it, and a role that was granted it. The result
is the verbosity with which the session's errors are logged from now on."""
TERSE = "terse"
MIGRATIONS = Path(__file__).parents[1] / "migrations"
FIELD = "VIGIL_DATABASE_URL"
OLDEST_POSTGRES = 15
OLDEST_TIMESCALE = (2, 20)
"""It added ``chunk_interval`` and ``refresh_newest_first``, which migration 0009 needs."""


class HasConnectionInfo(Protocol):
    """A synchronous or asynchronous connection."""

    @property
    def info(self) -> psycopg.ConnectionInfo:
        """What the server reported when it was opened."""


def known_migrations(folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """The names of this version's migrations, in order."""
    return tuple(sorted(path.stem for path in folder.glob("*.sql")))


def check_server(opened: HasConnectionInfo) -> None:
    """Refuse a server that Vigil cannot use. Sends no query: the server reported it on connect.

    Raises:
        SettingsError: PostgreSQL is too old, or the database's text is not UTF-8.
    """
    number = opened.info.server_version // 10_000
    if number < OLDEST_POSTGRES:
        raise SettingsError(
            f"The server is PostgreSQL {number}; Vigil needs {OLDEST_POSTGRES} or newer.",
            code="settings.old_database",
            field=FIELD,
            how_to_fix="Upgrade it (pg_upgrade), or name another.",
        )
    encoding = opened.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise _wrong(
            f"The database's text is {encoding} and not UTF8, so that names would be lost.",
            "Make another: CREATE DATABASE vigil ENCODING 'UTF8' TEMPLATE template0.",
        )


def check_schema(applied: Collection[str], ours: Collection[str]) -> None:
    """Refuse a database whose schema is not the one that the code was made for.

    Raises:
        UnavailableError: it is newer or older.
        SettingsError: its migrations are another application's.
    """
    check_not_newer(applied, ours)
    if missing := sorted(set(ours) - set(applied)):
        raise UnavailableError(
            f"The database's schema is older than this version of Vigil: {_listed(missing)}"
            " not applied.",
            code="unavailable.schema",
            field=FIELD,
            how_to_fix="Run `vigil migrate`, or wait where it is running.",
        )


def check_not_newer(applied: Collection[str], ours: Collection[str]) -> None:
    """Refuse a database with migrations that the code does not know.

    Raises:
        UnavailableError: it is newer.
        SettingsError: its migrations are another application's.
    """
    unknown = sorted(set(applied) - set(ours))
    if unknown and not set(applied) & set(ours):
        raise _wrong(f"The database belongs to another application: it has {_listed(unknown)}.")
    if unknown:
        raise UnavailableError(
            f"The database's schema is newer than this version of Vigil: it has {unknown[-1]},"
            f" and the newest known here is {max(ours)}.",
            code="unavailable.schema_newer",
            field=FIELD,
            how_to_fix=(
                "Start the newer Vigil; to go back, restore the backup from before the upgrade."
            ),
        )


@dataclass(frozen=True, slots=True)
class Extension:
    """What a server reports about TimescaleDB."""

    installed: str | None
    """Version of the extension in this database; None: not installed."""
    offered: str | None
    """Version of the server's files; None: it has none, or has not loaded them."""
    licence: str | None
    """``timescale`` or ``apache``; None: not loaded."""


def read_extension(opened: psycopg.Connection[Any]) -> Extension:
    """Ask the server about TimescaleDB."""
    row = _one(
        opened,
        "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),"
        " (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
        "  AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'),"
        " current_setting('timescaledb.license', true)",
    )
    return Extension(*row)


def check_timescale(found: Extension) -> None:
    """Refuse a TimescaleDB that lacks what Vigil's migrations need.

    Raises:
        SettingsError: it is too old.
    """
    version = found.installed or found.offered
    if version is None or version_numbers(version) >= OLDEST_TIMESCALE:
        return
    oldest = ".".join(map(str, OLDEST_TIMESCALE))
    raise SettingsError(
        f"TimescaleDB is {version}; Vigil needs {oldest} or newer.",
        code="settings.old_database",
        field=FIELD,
        how_to_fix="Install a newer one and run `ALTER EXTENSION timescaledb UPDATE` as the first"
        " statement of a new session (psql -X); or name a database on a server without it.",
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """``2.18.0-dev`` → (2, 18, 0)."""
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())


def check_owner(opened: psycopg.Connection[Any]) -> None:
    """Refuse to create tables in a database that has tables of others and none of Vigil's.

    Raises:
        SettingsError: it is another application's, or not PostgreSQL.
    """
    (version,) = _one(opened, "SELECT version()")
    if not str(version).startswith(("PostgreSQL", "EnterpriseDB")):
        raise _wrong(f"The server is no PostgreSQL: {version}.")
    if run_queries(opened, applied_migrations()):
        return
    (foreign,) = _one(
        opened,
        "SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_class c"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN"
        " ('r', 'p', 'v', 'm', 'f') AND c.relname !~ '^_?yoyo_' AND NOT EXISTS"
        " (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
        "  AND d.objid = c.oid AND d.deptype = 'e')",
    )
    if foreign:
        raise _wrong(f"The database has tables that are not Vigil's: {_listed(foreign)}.")


Queries = Generator[LiteralString, tuple[Any, ...], None]
"""Yields queries of one row and is sent the row, so that it works on both kinds of connection."""


def applied_migrations() -> Generator[LiteralString, tuple[Any, ...], tuple[str, ...]]:
    """Read which migrations were applied, in order; none in a new database."""
    (there,) = yield "SELECT to_regclass('_yoyo_migrations') IS NOT NULL"
    if not there:
        return ()
    (names,) = yield "SELECT array_agg(migration_id ORDER BY migration_id) FROM _yoyo_migrations"
    return tuple(names or ())


def check_connection(opened: HasConnectionInfo) -> Queries:
    """The check of every connection before it is used.

    Raises:
        SettingsError: Vigil cannot use this database, however long it waits.
        UnavailableError: its schema is newer or older than the code.
    """
    check_server(opened)
    yield TERSE_LOG
    found = yield from applied_migrations()
    check_schema(found, known_migrations())


def run_queries(
    opened: psycopg.Connection[Any], queries: Generator[LiteralString, tuple[Any, ...], T]
) -> T:
    """Run the queries on a connection; returns the generator's result."""
    try:
        query = next(queries)
        while True:
            query = queries.send(_one(opened, query))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def run_queries_async(opened: psycopg.AsyncConnection[Any], queries: Queries) -> None:
    """The same on a connection of the web process."""
    try:
        query = next(queries)
        while True:
            async with opened.cursor(row_factory=tuple_row) as cursor:
                row = await (await cursor.execute(query)).fetchone()
            query = queries.send(row or ())
    except StopIteration:
        return


def _one(opened: psycopg.Connection[Any], query: LiteralString) -> tuple[Any, ...]:
    with opened.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query).fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    return row


def _wrong(what: str, how_to_fix: str = "") -> SettingsError:
    return SettingsError(
        what,
        code="settings.wrong_database",
        field=FIELD,
        how_to_fix=how_to_fix
        or "Name a database of Vigil's own; CREATE DATABASE makes an empty one.",
    )


def _listed(names: Iterable[str]) -> str:
    """The first three names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more
