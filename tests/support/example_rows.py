"""A row for every table of a schema as it stands, made from what the database says of its columns.

Columns of one name hold one value in every table, so that foreign keys find their row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

NAMED: MappingProxyType[str, Any] = MappingProxyType(
    {"phase": "opened", "priority": "high", "verb": "need_help", "sequence": 3, "ended_at": None,
     "signal": "heart_rate"}
)  # fmt: skip
"""Columns that mean something to a trigger or view."""
TYPED: MappingProxyType[str, Any] = MappingProxyType(
    {
        "integer": 7,
        "bigint": 8_589_934_593,
        "double precision": 36.65,
        "boolean": True,
        "timestamp with time zone": "2026-03-01T12:34:56.789Z",
        "jsonb": '{"ä": [1, null, 2.5]}',
        "text[]": "{a,b}",
        "bytea": b"\x00\xffstate",
    }
)
TABLES = """
    SELECT c.relname::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^_?yoyo_'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname
"""
COLUMNS = """
    SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type,
           (SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint k
            WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
           ) AS checks
    FROM pg_attribute a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated = '' AND a.attidentity = ''
    ORDER BY a.attnum
"""
_ALLOWED = re.compile(r"'([^']+)'::text").search


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    """The tables there are, but for what migrating and extensions keep."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [row["name"] for row in cursor.execute(TABLES)]


def fill(connection: psycopg.Connection[Any], skip: frozenset[str]) -> list[str]:
    """Insert a row into every table but these, parents first; the tables that have one now."""
    waiting = [name for name in tables(connection) if name not in skip]
    filled: list[str] = []
    while waiting:
        put = [name for name in waiting if _insert(connection, name, quiet=True)]
        if not put:
            _insert(connection, waiting[0], quiet=False)
        filled += put
        waiting = [name for name in waiting if name not in put]
    return filled


def _insert(connection: psycopg.Connection[Any], table: str, *, quiet: bool) -> bool:
    row = dict(_row(connection, table))
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
    )
    try:
        with connection.transaction():
            connection.execute(query, list(row.values()))
    except psycopg.errors.ForeignKeyViolation:
        if not quiet:
            raise
        return False
    return True


def _row(connection: psycopg.Connection[Any], table: str) -> Iterator[tuple[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        for column in cursor.execute(COLUMNS, (table,)).fetchall():
            yield column["name"], _value(column["name"], column["type"], column["checks"])


def _value(name: str, kind: str, checks: str | None) -> Any:
    if checks and (allowed := _ALLOWED(checks)):
        return allowed[1]
    if name in NAMED:
        return NAMED[name]
    if kind == "text":
        return f"{name} of Ida Példa"
    return TYPED[kind]
