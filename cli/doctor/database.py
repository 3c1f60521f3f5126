"""Checks of the database: its server, schema, unreadable states and directory conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding, format_age, from_error
from vigil.service.errors import VigilError
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from store.database.connections import Connection
    from vigil.service.settings import Settings

UPDATE = "`ALTER EXTENSION timescaledb UPDATE`, first in a new session (psql -X)."

SAMPLE = 5000
"""Number of states that are checked: after a change of partitions most of them have moved."""
_STATES = (
    "SELECT partition, patient_id FROM detector_states WHERE worker_group = 'detectors'"
    " ORDER BY md5(patient_id) LIMIT %s"
)


def database(settings: Settings) -> Iterator[Finding]:
    """Check PostgreSQL, TimescaleDB, the migrations, and states that could not be read."""
    from store.database.connections import connect, translated

    try:
        with connect(settings, autocommit=True, any_schema=True) as connection, translated():
            yield from [*_server(connection)]
            yield from [*_timescale(connection)]
            yield from [*_schema(connection, demo=settings.demo)]
    except VigilError as error:
        yield from_error("database", error)


def _server(connection: Connection) -> Iterator[Finding]:
    from store.database import guard

    try:
        guard.check_server(connection)
        guard.check_owner(connection)
    except VigilError as error:
        yield from_error("database", error)
        return
    number = connection.info.server_version // 10_000
    row = connection.execute("SHOW transaction_read_only").fetchone()
    if row is not None and row["transaction_read_only"] == "on":
        how_to_fix = "Name the primary and not a standby, or end its read-only mode."
        yield Finding(
            "database", "wrong", f"PostgreSQL {number}, which is read-only", how_to_fix=how_to_fix
        )
    else:
        yield Finding("database", "ok", f"PostgreSQL {number}")
    yield from _log(connection)


def _log(connection: Connection) -> Iterator[Finding]:
    """Check that the server's log does not quote rows."""
    from store.database import guard

    row = connection.execute(guard.TERSE_LOG).fetchone()
    if row is not None and row["verbosity"] != guard.TERSE:
        how_to_fix = "See “The database's log” in docs/security.md: log_error_verbosity = terse."
        what = f"errors are logged with the rows they are about ({row['verbosity']}): patients' ids"
        yield Finding("database log", "note", what, how_to_fix=how_to_fix)


def _timescale(connection: Connection) -> Iterator[Finding]:
    from store.database import guard

    found = guard.read_extension(connection)
    try:
        guard.check_timescale(found)
    except VigilError as error:
        yield from_error("TimescaleDB", error)
        return
    if found.installed is None:
        yield Finding("TimescaleDB", "note", "not in this database: no compression, no retention")
        return
    version = f"{found.installed}{', Apache edition' if found.licence == 'apache' else ''}"
    if found.offered not in {None, found.installed}:
        yield Finding(
            "TimescaleDB", "note", f"{version}; the server has {found.offered}", how_to_fix=UPDATE
        )
    elif found.licence == "apache" and _readings(connection) == "hypertable":
        how_to_fix = "Set timescaledb.license to 'timescale' and reload."
        yield Finding(
            "TimescaleDB",
            "wrong",
            f"{version}; the tables were made with the other",
            how_to_fix=how_to_fix,
        )
    elif _readings(connection) == "table":
        what = f"{version}, and readings are in a plain table: no compression"
        yield Finding("TimescaleDB", "note", what)
    else:
        yield Finding("TimescaleDB", "ok", version)


def _readings(connection: Connection) -> str | None:
    """The kind of table that readings are in; None: there are no tables yet."""
    row = connection.execute(
        "SELECT CASE WHEN to_regclass('readings') IS NULL THEN NULL"
        " WHEN EXISTS (SELECT FROM timescaledb_information.hypertables WHERE hypertable_schema ="
        " current_schema() AND hypertable_name = 'readings') THEN 'hypertable'"
        " ELSE 'table' END AS kept"
    ).fetchone()
    return row["kept"] if row else None


def _schema(connection: Connection, *, demo: bool) -> Iterator[Finding]:
    from store.database import guard

    applied, ours = (
        guard.run_queries(connection, guard.applied_migrations()),
        guard.known_migrations(),
    )
    try:
        guard.check_not_newer(applied, ours)
    except VigilError as error:
        yield from_error("migrations", error)
        return
    if missing := sorted(set(ours) - set(applied)):
        yield Finding(
            "migrations", "wrong", f"not applied: {', '.join(missing)}", how_to_fix="vigil migrate"
        )
        return
    yield Finding("migrations", "ok", f"all {len(ours)} applied")
    yield from _unreadable_states(connection)
    yield from _conflicts(connection)
    if not demo:
        yield from _demonstration(connection)


def _demonstration(connection: Connection) -> Iterator[Finding]:
    """Active credentials of a demonstration."""
    from local.demo_remains import HUB, USER, find_demo_access

    if found := find_demo_access(connection):
        how_to_fix = (
            f"`vigil user disable {USER}`, `vigil device revoke {HUB}`; its patients are made up."
        )
        what = f"credentials of a demonstration, whose secret is known: {', '.join(found)}"
        yield Finding("demonstration", "wrong", what, how_to_fix=how_to_fix)


def moved(settings: Settings) -> Iterator[Finding]:
    """Check that patients' readings go to the partition that their state belongs to."""
    import psycopg
    from kafka.errors import KafkaError
    from kafka.partitioner.default import murmur2

    from store.database.connections import connect
    from vigil.contracts.topics import READINGS
    from vigil.kafka.clients import open_admin
    from vigil.kafka.provisioning import HOW_TO_RECREATE

    try:
        with open_admin(settings, connect_timeout_seconds=0) as admin:
            there = {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}
        with connect(settings, autocommit=True) as connection:
            rows = connection.execute(_STATES, (SAMPLE,)).fetchall()
    except (VigilError, KafkaError, psycopg.errors.UndefinedTable):
        return  # reported by the checks of broker and database
    count = there.get(READINGS.name)
    if count is None:
        return
    moved_states = [
        row
        for row in rows
        if (murmur2(row["patient_id"].encode()) & 0x7FFFFFFF) % count != row["partition"]
    ]
    if moved_states:
        yield Finding(
            "states",
            "wrong",
            f"{len(moved_states)} of {len(rows)} states belong to another of the {count} partitions"
            f" of {READINGS.name} than their patient's readings go to: those patients are new to"
            " their detector, and “no data” is judged where no readings arrive any more",
            how_to_fix=HOW_TO_RECREATE,
        )


def _conflicts(connection: Connection) -> Iterator[Finding]:
    """Entries that the gateways know and the database does not."""
    row = connection.execute("SELECT count(*) AS entries FROM directory_conflicts").fetchone()
    if row is not None and row["entries"]:
        what = f"{row['entries']} entries are newer at the gateways than in the restored database"
        how_to_fix = "`vigil device reconcile` lists them; --adopt or --revoke resolves them."
        yield Finding("directory", "wrong", what, how_to_fix=how_to_fix)


def _unreadable_states(connection: Connection) -> Iterator[Finding]:
    """Check for states that a detector could not read."""
    row = connection.execute(
        "SELECT count(*) AS states, count(DISTINCT patient_id) AS patients,"
        " max(set_aside_at) AS last FROM states_set_aside"
    ).fetchone()
    if row is not None and row["states"]:
        last = format_age(row["last"], utc_now())
        yield Finding(
            "states",
            "note",
            f"{row['states']} of {row['patients']} patients could not be read and are kept in"
            f" states_set_aside; their baselines are learnt anew; the newest {last}",
            how_to_fix="See “States set aside” in docs/operations.md.",
        )
