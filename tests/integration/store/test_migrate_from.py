"""From each earlier version to the newest, with data in every table: nothing is lost or changed.

New migrations are found by themselves. What one of them changes in the form of a row is undone in
``MEANING``, so that the row before and the row after can be compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database import guard
from store.database import migrate as module
from store.database.migrate import migrate
from store.readings import keys as reading_keys
from tests.support import example_rows

ALL = guard.known_migrations()
Row = dict[str, Any]

READINGS = [
    # id, time, heart rate, temperature: derived ids and a device's own, old and new, one twice
    ("r-00000000000000ff", "2026-02-01T08:00:10Z", 61.25, None),
    ("r-ffffffffffffff00", "2026-02-01T08:00:10Z", 63.75, 36.6),
    ("wätch-7-000041", "2026-02-01T08:59:59.999Z", None, 36.7),
    ("r-123", "2026-06-30T23:59:00Z", 140.0, 38.123456789),
]
"""Two in one chunk and hour, and one in a chunk of its own."""


def _reading(row: Row) -> Row:
    """With its id whole, however it was kept."""
    kept = {name: value for name, value in row.items() if name != "reading_key"}
    if "reading_key" in row:
        kept["reading_id"] = reading_keys.join_id(row["reading_key"], row["reading_id"])
    return kept


MEANING: MappingProxyType[str, Callable[[Row], Row]] = MappingProxyType({"readings": _reading})
"""Table → a row's content, in whatever form it is kept."""


DERIVED: MappingProxyType[str, LiteralString] = MappingProxyType(
    {
        "an event without its episode": "SELECT event_id FROM events EXCEPT"
        " SELECT event_id FROM episodes",
        "a call for help that the board does not know": "SELECT event_id FROM unanswered_help"
        " EXCEPT SELECT event_id FROM help_wanted",
    }
)
"""Queries for data that a later version derives from older tables: each finds no row without."""


@pytest.fixture
def opened(empty_either_url: str) -> Iterator[Callable[[], psycopg.Connection[Row]]]:
    """Opens a connection to the database; closes what was open before."""
    connections: list[psycopg.Connection[Row]] = []

    def open_one() -> psycopg.Connection[Row]:
        for connection in connections:
            connection.close()
        connections.append(
            psycopg.connect(
                empty_either_url, row_factory=dict_row, prepare_threshold=None, autocommit=True
            )
        )
        return connections[-1]

    yield open_one
    for connection in connections:
        connection.close()


def add_readings(connection: psycopg.Connection[Row]) -> None:
    """Into `readings` with its current columns."""
    columns = [row["name"] for row in connection.execute(example_rows.COLUMNS, ("readings",))]
    keyed = "reading_key" in columns
    names = ["patient_id", "time", "device_id", "received_at", "heart_rate", "temperature",
             "synthetic", "reading_id"] + ["reading_key"] * keyed  # fmt: skip
    for reading_id, time, heart_rate, temperature in READINGS:
        key, kept = reading_keys.split_id(reading_id)
        ids = [kept, key] if keyed else [reading_id]
        values = ["ida", time, "watch", time, heart_rate, temperature, True, *ids]
        marks = ", ".join(["%s"] * len(values))
        connection.execute(f"INSERT INTO readings ({', '.join(names)}) VALUES ({marks})", values)


def pack(connection: psycopg.Connection[Row]) -> None:
    """On TimescaleDB: compute the averages, and pack the oldest chunk."""
    for view in filter(partial(exists, connection), ("readings_1m", "readings_15m", "readings_1h")):
        connection.execute(f"CALL refresh_continuous_aggregate('{view}', NULL, '2026-05-01')")
    chunks = connection.execute("SELECT show_chunks('readings')::text AS chunk ORDER BY 1")
    chunk = chunks.fetchall()[0]["chunk"]
    connection.execute("CALL convert_to_columnstore(%s::regclass)", (chunk,))


def contents(connection: psycopg.Connection[Row]) -> dict[str, list[Row]]:
    """Every table's rows, as they are meant."""
    return {
        table: [
            MEANING.get(table, dict)(row["row"])
            for row in connection.execute(
                f"SELECT to_jsonb(t) AS row FROM {table} t ORDER BY t::text"
            )
        ]
        for table in example_rows.tables(connection)
    }


def exists(connection: psycopg.Connection[Row], relation: str) -> bool:
    """Whether this version has it."""
    return connection.execute("SELECT WHERE to_regclass(%s) IS NOT NULL", (relation,)).rowcount == 1


def averages(connection: psycopg.Connection[Row]) -> list[tuple[Any, ...]]:
    """What the hours of `readings` come to; nothing in versions that have no averages."""
    if not exists(connection, "readings_1h"):
        return []
    rows = connection.execute(
        "SELECT patient_id, bucket, heart_rate_avg, heart_rate_min, heart_rate_max,"
        " heart_rate_count, temperature_avg FROM readings_1h ORDER BY patient_id, bucket"
    )
    return [tuple(row.values()) for row in rows]


def is_hypertable(connection: psycopg.Connection[Row], version: int) -> bool:
    """Whether TimescaleDB keeps `readings`."""
    there = connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").rowcount
    return version >= 3 and there == 1


def assert_kept(before: dict[str, list[Row]], after: dict[str, list[Row]]) -> None:
    """Every row is there, with every column that it had."""
    for table, rows in before.items():
        assert len(after[table]) == len(rows), table
        for row in rows:
            assert row in [{name: found.get(name) for name in row} for found in after[table]], table


@pytest.mark.parametrize("version", range(1, len(ALL)), ids=ALL[:-1])
def test_rows_of_an_earlier_version_are_all_there(
    empty_either_url: str,
    opened: Callable[[], psycopg.Connection[Row]],
    version: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ALL[:version]:
        shutil.copy(module.MIGRATIONS / f"{name}.sql", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(module, "MIGRATIONS", tmp_path)
        assert migrate(empty_either_url) == list(ALL[:version])

    connection = opened()
    example_rows.fill(connection, skip=frozenset({"readings"}))
    add_readings(connection)
    if is_hypertable(connection, version):
        pack(connection)
    before, hours = contents(connection), averages(connection)
    assert all(before.values()), [table for table, rows in before.items() if not rows]
    connection.close()

    assert migrate(empty_either_url) == list(ALL[version:])
    assert migrate(empty_either_url) == []

    connection = opened()
    assert_kept(before, contents(connection))
    assert not hours or averages(connection) == hours
    for what, derived in DERIVED.items():
        assert connection.execute(derived).fetchall() == [], what
