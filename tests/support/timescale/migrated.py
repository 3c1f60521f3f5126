"""A migrated TimescaleDB without rows, for each test: emptied where that is enough.

Migrating PostgreSQL in WASM takes a second of the processor. A test that left the structure as the
migrations made it leaves only rows, and what TimescaleDB remembers of rows; both can be undone. Is
anything else different afterwards, the schema is made anew.
"""

from __future__ import annotations

from typing import Any

import psycopg

from store.database.migrate import migrate
from tests.support.timescale import AGGREGATES, emptied

_REMEMBERED = (
    "continuous_aggs_hypertable_invalidation_log",
    "continuous_aggs_invalidation_threshold",
    "continuous_aggs_materialization_invalidation_log",
)
"""What TimescaleDB knows of changed rows, in its catalog."""
_STATE = """
SELECT md5(string_agg(each, E'\\n' ORDER BY each)) FROM (
  SELECT concat_ws(' ', 'relation', c.oid, relname, relkind, relowner, relacl, reloptions,
    relrowsecurity, relforcerowsecurity, relchecks, relhastriggers) AS each
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE c.oid >= 16384 AND nspname !~ '^(pg_|_?timescaledb|information_schema)'
  UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, attname, atttypid, atttypmod,
    attnotnull, atthasdef, attisdropped, attacl, attoptions)
    FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0
  UNION ALL SELECT concat_ws(' ', 'default', oid, adbin) FROM pg_attrdef
  UNION ALL SELECT concat_ws(' ', 'constraint', oid, convalidated) FROM pg_constraint
    WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid) FROM pg_index
    WHERE indexrelid >= 16384
  UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgenabled) FROM pg_trigger
  UNION ALL SELECT concat_ws(' ', 'rule', oid, ev_action) FROM pg_rewrite WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'function', oid, md5(prosrc), proowner, proacl, proconfig)
    FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'schema', oid, nspname, nspowner, nspacl) FROM pg_namespace
  UNION ALL SELECT concat_ws(' ', 'role', oid, rolname, rolsuper, rolcanlogin, rolconfig)
    FROM pg_roles
  UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole, setconfig)
    FROM pg_db_role_setting
  UNION ALL SELECT concat_ws(' ', 'database', oid, datname, datconnlimit, datallowconn)
    FROM pg_database
  UNION ALL SELECT concat_ws(' ', 'job', job_id, proc_name, schedule_interval, config, scheduled)
    FROM timescaledb_information.jobs
  UNION ALL SELECT concat_ws(' ', 'applied', m) FROM _yoyo_migrations m
  UNION ALL SELECT concat_ws(' ', 'chunk', k) FROM _timescaledb_catalog.chunk k
  UNION ALL SELECT concat_ws(' ', 'watermark', w)
    FROM _timescaledb_catalog.continuous_aggs_watermark w
) AS everything
"""
_made: dict[str, tuple[str, dict[str, list[tuple[Any, ...]]]]] = {}
"""Server's URL → its state after the last migration, and what it remembered then."""


def migrated(url: str) -> None:
    """Make the server's database one that is migrated and has no rows."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        if url in _made and _undone(connection, *_made[url]):
            return
    _made.pop(url, None)
    emptied(url)
    migrate(url)
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        remembered = {
            name: connection.execute(
                f"SELECT * FROM _timescaledb_catalog.{name}".encode()
            ).fetchall()
            for name in _REMEMBERED
        }
        for name in _tables(connection):  # rows of a migration's own would have to be put back
            found = connection.execute(f"SELECT EXISTS (SELECT FROM {name})".encode()).fetchone()
            assert found == (False,), name
        _made[url] = _state(connection), remembered


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Our tables, quoted."""
    rows = connection.execute(
        "SELECT quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename !~ '^_?yoyo'"
    )
    return [name for (name,) in rows]


def _state(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute(_STATE).fetchone()
    assert row is not None
    return str(row[0])


def _undone(
    connection: psycopg.Connection[Any], state: str, remembered: dict[str, list[tuple[Any, ...]]]
) -> bool:
    """Whether the database is as it was after the migrations, now that its rows are gone."""
    connection.execute("DISCARD ALL")
    connection.execute("SET search_path TO public")
    try:
        for name in reversed(AGGREGATES):
            connection.execute(f"TRUNCATE {name}".encode())
        tables = ", ".join(_tables(connection))
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())
        for name, rows in remembered.items():
            connection.execute(f"DELETE FROM _timescaledb_catalog.{name}".encode())
            for values in rows:
                places = ", ".join(["%s"] * len(values))
                insert = f"INSERT INTO _timescaledb_catalog.{name} VALUES ({places})"
                connection.execute(insert.encode(), values)
        return _state(connection) == state
    except psycopg.Error:  # a table is missing, say
        connection.execute("DISCARD ALL")
        return False
