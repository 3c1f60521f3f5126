"""What ``vigil doctor`` says of the database: its server, schema, and what lies aside in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding, ago, wrong
from vigil.service.errors import VigilError
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from store.database.connections import Connection
    from vigil.service.settings import Settings

UPDATE = "`ALTER EXTENSION timescaledb UPDATE`, first in a new session (psql -X)."

SAMPLE = 5000
"""States that are looked at: where some stand on another partition, nearly all parts of them do."""
_STATES = (
    "SELECT partition, patient_id FROM detector_states WHERE worker_group = 'detectors'"
    " ORDER BY md5(patient_id) LIMIT %s"
)


def database(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL, TimescaleDB, the migrations, and states that could not be read."""
    from store.database.connections import connect, translated

    try:
        with connect(settings, autocommit=True, any_schema=True) as connection, translated():
            yield from [*_server(connection)]
            yield from [*_timescale(connection)]
            yield from [*_schema(connection, demo=settings.demo)]
    except VigilError as error:
        yield wrong("database", error)


def _server(connection: Connection) -> Iterator[Finding]:
    from store.database import guard

    try:
        guard.check_server(connection)
        guard.check_owner(connection)
    except VigilError as error:
        yield wrong("database", error)
        return
    number = connection.info.server_version // 10_000
    row = connection.execute("SHOW transaction_read_only").fetchone()
    if row is not None and row["transaction_read_only"] == "on":
        how_to_fix = "Name the primary and not a standby, or end its read-only mode."
        yield Finding(
            "database", "wrong", f"PostgreSQL {number}, which takes no writes", how_to_fix
        )
    else:
        yield Finding("database", "ok", f"PostgreSQL {number}")
    yield from _log(connection)


def _log(connection: Connection) -> Iterator[Finding]:
    """Whether the server's log quotes rows."""
    from store.database import guard

    row = connection.execute(guard.TERSE_LOG).fetchone()
    if row is not None and row["verbosity"] != guard.TERSE:
        how_to_fix = "See “The database's log” in docs/security.md: log_error_verbosity = terse."
        what = f"errors are logged with the rows they are about ({row['verbosity']}): patients' ids"
        yield Finding("database log", "note", what, how_to_fix)


def _timescale(connection: Connection) -> Iterator[Finding]:
    from store.database import guard

    found = guard.read_extension(connection)
    try:
        guard.check_timescale(found)
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
        how_to_fix = "Set timescaledb.license to 'timescale' and reload."
        yield Finding(
            "TimescaleDB", "wrong", f"{said}; the tables were made with the other", how_to_fix
        )
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


def _schema(connection: Connection, *, demo: bool) -> Iterator[Finding]:
    from store.database import guard

    applied, ours = (
        guard.run_queries(connection, guard.applied_migrations()),
        guard.known_migrations(),
    )
    try:
        guard.check_not_newer(applied, ours)
    except VigilError as error:
        yield wrong("migrations", error)
        return
    if missing := sorted(set(ours) - set(applied)):
        yield Finding("migrations", "wrong", f"not applied: {', '.join(missing)}", "vigil migrate")
        return
    yield Finding("migrations", "ok", f"all {len(ours)} applied")
    yield from _set_aside(connection)
    yield from _conflicts(connection)
    if not demo:
        yield from _demonstration(connection)


def _demonstration(connection: Connection) -> Iterator[Finding]:
    """Ways in whose secret is known."""
    from local.demo_remains import HUB, USER, remains

    if found := remains(connection):
        how_to_fix = (
            f"`vigil user disable {USER}`, `vigil device revoke {HUB}`; its patients are made up."
        )
        what = f"left here, and its secret is known: {', '.join(found)}"
        yield Finding("demonstration", "wrong", what, how_to_fix)


def moved(settings: Settings) -> Iterator[Finding]:
    """Patients whose readings go to another partition than their state stands on."""
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
        return  # said by the checks of broker and database
    count = there.get(READINGS.name)
    if count is None:
        return
    away = [
        row
        for row in rows
        if (murmur2(row["patient_id"].encode()) & 0x7FFFFFFF) % count != row["partition"]
    ]
    if away:
        yield Finding(
            "states",
            "wrong",
            f"{len(away)} of {len(rows)} states stand on another of the {count} partitions of"
            f" {READINGS.name} than their patient's readings go to: those patients are new to their"
            f" detector, and “no data” is judged where nothing comes any more",
            HOW_TO_RECREATE,
        )


def _conflicts(connection: Connection) -> Iterator[Finding]:
    """What the doors know and the database does not."""
    row = connection.execute("SELECT count(*) AS entries FROM directory_conflicts").fetchone()
    if row is not None and row["entries"]:
        what = f"{row['entries']} entries are newer at the doors than here: it was restored"
        how_to_fix = "`vigil device reconcile` lists them; --adopt or --revoke settles it."
        yield Finding("directory", "wrong", what, how_to_fix)


def _set_aside(connection: Connection) -> Iterator[Finding]:
    """States that a detector could not read."""
    row = connection.execute(
        "SELECT count(*) AS states, count(DISTINCT patient_id) AS patients,"
        " max(set_aside_at) AS last FROM states_set_aside"
    ).fetchone()
    if row is not None and row["states"]:
        last = ago(row["last"], utc_now())
        yield Finding(
            "states",
            "note",
            f"{row['states']} of {row['patients']} patients could not be read and are kept in"
            f" states_set_aside; their baselines are learnt anew; the last {last}",
            "See “States set aside” in docs/operations.md.",
        )
