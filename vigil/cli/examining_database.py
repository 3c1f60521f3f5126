"""What ``vigil doctor`` says of the database: its server, schema, and what lies aside in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vigil.cli.finding import Finding, wrong
from vigil.errors import VigilError

if TYPE_CHECKING:
    from store.database import Connection
    from vigil.settings import Settings

UPDATE = "`ALTER EXTENSION timescaledb UPDATE`, first in a new session (psql -X)."


def database(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL, TimescaleDB, the migrations, and states that could not be read."""
    from store.database import connect, translated

    try:
        with connect(settings, autocommit=True, any_schema=True) as connection, translated():
            yield from [*_server(connection)]
            yield from [*_timescale(connection)]
            yield from [*_schema(connection)]
    except VigilError as error:
        yield wrong("database", error)


def _server(connection: Connection) -> Iterator[Finding]:
    from store import guard

    try:
        guard.server(connection)
        guard.owner(connection)
    except VigilError as error:
        yield wrong("database", error)
        return
    number = connection.info.server_version // 10_000
    row = connection.execute("SHOW transaction_read_only").fetchone()
    if row is not None and row["transaction_read_only"] == "on":
        mend = "Name the primary and not a standby, or end its read-only mode."
        yield Finding("database", "wrong", f"PostgreSQL {number}, which takes no writes", mend)
    else:
        yield Finding("database", "ok", f"PostgreSQL {number}")
    yield from _log(connection)


def _log(connection: Connection) -> Iterator[Finding]:
    """Whether the server's log quotes rows."""
    from store import guard

    row = connection.execute(guard.QUIET).fetchone()
    if row is not None and row["verbosity"] != guard.TERSE:
        mend = "See “The database's log” in docs/security.md: log_error_verbosity = terse."
        what = f"errors are logged with the rows they are about ({row['verbosity']}): patients' ids"
        yield Finding("database log", "note", what, mend)


def _timescale(connection: Connection) -> Iterator[Finding]:
    from store import guard

    found = guard.extension(connection)
    try:
        guard.timescale(found)
    except VigilError as error:
        yield wrong("TimescaleDB", error)
        return
    if found.installed is None:
        yield Finding("TimescaleDB", "note", "not in this database: no compression, no retention")
        return
    said = f"{found.installed}{', Apache edition' if found.licence == 'apache' else ''}"
    if found.offered not in {None, found.installed}:
        yield Finding("TimescaleDB", "note", f"{said}; the server has {found.offered}", UPDATE)
    elif found.licence == "apache" and _readings(connection) == "hypertable":
        mend = "Set timescaledb.license to 'timescale' and reload."
        yield Finding("TimescaleDB", "wrong", f"{said}; the tables were made with the other", mend)
    elif _readings(connection) == "table":
        what = f"{said}, and readings are in a plain table: no compression"
        yield Finding("TimescaleDB", "note", what)
    else:
        yield Finding("TimescaleDB", "ok", said)


def _readings(connection: Connection) -> str | None:
    """What readings are kept in; None: there are no tables yet."""
    row = connection.execute(
        "SELECT CASE WHEN to_regclass('readings') IS NULL THEN NULL"
        " WHEN EXISTS (SELECT FROM timescaledb_information.hypertables WHERE hypertable_schema ="
        " current_schema() AND hypertable_name = 'readings') THEN 'hypertable'"
        " ELSE 'table' END AS kept"
    ).fetchone()
    return row["kept"] if row else None


def _schema(connection: Connection) -> Iterator[Finding]:
    from store import guard

    applied, ours = guard.ask(connection, guard.applied()), guard.known()
    try:
        guard.ahead(applied, ours)
    except VigilError as error:
        yield wrong("migrations", error)
        return
    if missing := sorted(set(ours) - set(applied)):
        yield Finding("migrations", "wrong", f"not applied: {', '.join(missing)}", "vigil migrate")
        return
    yield Finding("migrations", "ok", f"all {len(ours)} applied")
    yield from _set_aside(connection)


def _set_aside(connection: Connection) -> Iterator[Finding]:
    """States that a detector could not read."""
    row = connection.execute(
        "SELECT count(*) AS states, count(DISTINCT patient_id) AS patients FROM states_set_aside"
    ).fetchone()
    if row is not None and row["states"]:
        yield Finding(
            "states",
            "note",
            f"{row['states']} of {row['patients']} patients could not be read and are kept in"
            " states_set_aside; their baselines are learnt anew",
            "See “States set aside” in docs/operations.md.",
        )
