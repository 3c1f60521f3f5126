"""Whether a database is one that this version of Vigil may work on: asked before it is touched.

Every connection is asked once. A schema that is older or newer than the code makes a service wait
and say so, since both end by themselves while an upgrade goes on, and nothing is written meanwhile.
What no waiting ends (another application's database, a server that is too old) is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from pathlib import Path
from typing import Any, LiteralString, NamedTuple, Protocol, TypeVar

import psycopg
from psycopg.rows import tuple_row

from vigil.service.errors import SettingsError, UnavailableError

T = TypeVar("T")
QUIET: LiteralString = """
    SELECT CASE WHEN has_parameter_privilege(current_user, 'log_error_verbosity', 'SET')
        THEN set_config('log_error_verbosity', 'terse', false)
        ELSE current_setting('log_error_verbosity')
    END AS verbosity
"""
"""Asks the server to leave out of its log what quotes rows: an error's DETAIL names the key, and
its CONTEXT the line of a COPY. It may be asked by a superuser, or by a role that was granted it;
what is answered is how the session's errors are logged from now on."""
TERSE = "terse"
MIGRATIONS = Path(__file__).parents[1] / "migrations"
FIELD = "VIGIL_DATABASE_URL"
OLDEST_POSTGRES = 15
OLDEST_TIMESCALE = (2, 20)
"""It brought ``chunk_interval`` and ``refresh_newest_first``, with which 0009 makes aggregates."""


class Talks(Protocol):
    """What is asked of a connection: its side of the server's greeting."""

    @property
    def info(self) -> psycopg.ConnectionInfo:
        """What was said when it was opened."""


def known(folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """The migrations that this version has, in order."""
    return tuple(sorted(path.stem for path in folder.glob("*.sql")))


def server(opened: Talks) -> None:
    """Refuse a server that Vigil cannot work on. Asks nothing: it was said at the greeting.

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


def schema(applied: Collection[str], ours: Collection[str]) -> None:
    """Refuse a database whose schema is not the one that the code was made for.

    Raises:
        UnavailableError: it is newer or older.
        SettingsError: its migrations are another application's.
    """
    ahead(applied, ours)
    if missing := sorted(set(ours) - set(applied)):
        raise UnavailableError(
            f"The database's schema is older than this version of Vigil: {_listed(missing)}"
            " not applied.",
            code="unavailable.schema",
            field=FIELD,
            how_to_fix="Run `vigil migrate`, or wait where it is running.",
        )


def ahead(applied: Collection[str], ours: Collection[str]) -> None:
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


class Extension(NamedTuple):
    """What a server says of TimescaleDB."""

    installed: str | None
    """The version that the database's objects are of; None: not in this database."""
    offered: str | None
    """The version that the server's files are of; None: it has none, or has not loaded it."""
    licence: str | None
    """``timescale`` or ``apache``; None: not loaded."""


def extension(opened: psycopg.Connection[Any]) -> Extension:
    """What the server says of TimescaleDB."""
    row = _one(
        opened,
        "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),"
        " (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
        "  AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'),"
        " current_setting('timescaledb.license', true)",
    )
    return Extension(*row)


def timescale(found: Extension) -> None:
    """Refuse a TimescaleDB that lacks what Vigil's tables are made with.

    Raises:
        SettingsError: it is too old.
    """
    version = found.installed or found.offered
    if version is None or numbers(version) >= OLDEST_TIMESCALE:
        return
    oldest = ".".join(map(str, OLDEST_TIMESCALE))
    raise SettingsError(
        f"TimescaleDB is {version}; Vigil needs {oldest} or newer.",
        code="settings.old_database",
        field=FIELD,
        how_to_fix="Install a newer one and run `ALTER EXTENSION timescaledb UPDATE` as the first"
        " statement of a new session (psql -X); or name a database on a server without it.",
    )


def numbers(version: str) -> tuple[int, ...]:
    """``2.18.0-dev`` → (2, 18, 0)."""
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())


def owner(opened: psycopg.Connection[Any]) -> None:
    """Refuse to make tables in a database that has others' tables and none of Vigil's.

    Raises:
        SettingsError: it is another application's, or not PostgreSQL.
    """
    (version,) = _one(opened, "SELECT version()")
    if not str(version).startswith(("PostgreSQL", "EnterpriseDB")):
        raise _wrong(f"The server is no PostgreSQL: {version}.")
    if ask(opened, applied()):
        return
    (strange,) = _one(
        opened,
        "SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_class c"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN"
        " ('r', 'p', 'v', 'm', 'f') AND c.relname !~ '^_?yoyo_' AND NOT EXISTS"
        " (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
        "  AND d.objid = c.oid AND d.deptype = 'e')",
    )
    if strange:
        raise _wrong(f"The database has tables that are not Vigil's: {_listed(strange)}.")


Asking = Generator[LiteralString, tuple[Any, ...], None]
"""Yields queries of one row and is sent the row: the same on either kind of connection."""


def applied() -> Generator[LiteralString, tuple[Any, ...], tuple[str, ...]]:
    """Ask which migrations were applied, in order; none where it was never begun."""
    (there,) = yield "SELECT to_regclass('_yoyo_migrations') IS NOT NULL"
    if not there:
        return ()
    (names,) = yield "SELECT array_agg(migration_id ORDER BY migration_id) FROM _yoyo_migrations"
    return tuple(names or ())


def connection(opened: Talks) -> Asking:
    """Ask what every connection is asked before it is used.

    Raises:
        SettingsError: no waiting makes this a database for Vigil.
        UnavailableError: its schema is newer or older than the code.
    """
    server(opened)
    yield QUIET
    found = yield from applied()
    schema(found, known())


def ask(opened: psycopg.Connection[Any], asking: Generator[LiteralString, tuple[Any, ...], T]) -> T:
    """Put the questions to a connection; what they come to."""
    try:
        query = next(asking)
        while True:
            query = asking.send(_one(opened, query))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def ask_async(opened: psycopg.AsyncConnection[Any], asking: Asking) -> None:
    """The same on a connection of the web process."""
    try:
        query = next(asking)
        while True:
            async with opened.cursor(row_factory=tuple_row) as cursor:
                row = await (await cursor.execute(query)).fetchone()
            query = asking.send(row or ())
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
    """The first three, and how many more."""
    found = list(names)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more
