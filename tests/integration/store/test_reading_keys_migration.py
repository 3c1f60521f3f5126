"""Migration 0008: readings that were keyed by text are keyed by a number, and none is lost."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database import migrate as module
from store.database.connections import Connection
from store.database.migrate import MIGRATIONS, migrate
from store.readings.history import Range, read_uploads
from store.readings.keys import split_id
from tests.support import timescale
from tests.support.messages import NOON

IDS = (
    "r-0000000000000000", "r-7fffffffffffffff", "r-8000000000000000", "r-ffffffffffffffff",
    "r-00000000000000AB", "r-123", "watch-7-000041", "ä-ward-é", "r-0123456789abcdef\n",
)  # fmt: skip
OLD = (
    "INSERT INTO readings (patient_id, time, reading_id, device_id, received_at, heart_rate,"
    " activity, posture, contact, steps_per_min, synthetic)"
    " VALUES (%s, %s, %s, 'd1', %s, %s, 'rest', 'lying', true, 2, true)"
)


def migrated_as_before(url: str, folder: Path) -> None:
    """Migrate as far as 0007."""
    for path in sorted(MIGRATIONS.glob("*.sql"))[:7]:
        shutil.copy(path, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIGRATIONS", folder)
        migrate(url)


@pytest.fixture
def old_timescale_url(timescale_url: str, tmp_path: Path) -> str:
    """A TimescaleDB as it was before 0008."""
    timescale.emptied(timescale_url)
    migrated_as_before(timescale_url, tmp_path)
    return timescale_url


@pytest.fixture(params=["postgresql", "timescaledb"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of either kind as it was before 0008."""
    if request.param == "timescaledb":
        yield str(request.getfixturevalue("old_timescale_url"))
        return
    server = str(request.getfixturevalue("postgres_url"))
    name = f"k_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        migrated_as_before(server.replace("/postgres", f"/{name}"), tmp_path)
        yield server.replace("/postgres", f"/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def opened(url: str) -> Connection:
    return psycopg.connect(url, row_factory=dict_row, prepare_threshold=None)


def is_timescale(connection: Connection) -> bool:
    found = connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    connection.commit()
    return found is not None


def fill(connection: Connection) -> None:
    """Every form of id, at one moment and weeks apart; on TimescaleDB an old chunk is packed."""
    for days in (0, 40):
        for number, name in enumerate(IDS):
            time = NOON - timedelta(days=days)
            received = time + timedelta(seconds=number)
            connection.execute(OLD, ("p1", time, name, received, 60 + number))
    connection.commit()
    if is_timescale(connection):
        connection.autocommit = True
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('readings') c LIMIT 1")
        connection.execute("CALL refresh_continuous_aggregate('readings_1h', NULL, NULL)")
        connection.autocommit = False


def test_every_reading_is_carried_over(old_url: str) -> None:
    with opened(old_url) as connection:
        fill(connection)
        before = connection.execute("SELECT * FROM readings ORDER BY received_at").fetchall()
    assert migrate(old_url)[0] == "0008_reading_keys"
    assert migrate(old_url) == []
    with opened(old_url) as connection:
        after = connection.execute("SELECT * FROM readings ORDER BY received_at").fetchall()
        connection.commit()
        names = [one.measurements[0].reading_id for one in read_uploads(connection, "p1", Range())]
        assert connection.execute(
            "SELECT sum(heart_rate_count) AS n FROM readings_1h"
        ).fetchone() == {"n": len(before)}
    assert names == [row["reading_id"] for row in before] == [*IDS, *IDS]
    for old, new in zip(before, after, strict=True):
        assert (new["reading_key"], new["reading_id"]) == split_id(old["reading_id"])
        assert {**old, "reading_id": ""} == {
            key: "" if key == "reading_id" else value
            for key, value in new.items()
            if key != "reading_key"
        }


def test_a_packed_chunk_can_be_packed_again(old_timescale_url: str) -> None:
    with opened(old_timescale_url) as connection:
        fill(connection)
    migrate(old_timescale_url)
    with opened(old_timescale_url) as connection:
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('readings') c")
        assert len(list(read_uploads(connection, "p1", Range()))) == 2 * len(IDS)


def test_averages_of_rows_that_are_gone_are_not_thrown_away(old_timescale_url: str) -> None:
    with opened(old_timescale_url) as connection:
        fill(connection)
        connection.execute(
            "SELECT drop_chunks('readings', older_than => %s)", (NOON - timedelta(days=20),)
        )
        connection.commit()
    with pytest.raises(psycopg.errors.RaiseException, match="no longer stored"):
        migrate(old_timescale_url)
    with opened(old_timescale_url) as connection:  # as the hint says
        connection.execute("CREATE TABLE mine AS SELECT * FROM readings_1h")
        for relation in ("readings_1m", "readings_15m", "readings_1h"):
            connection.execute(f"DROP MATERIALIZED VIEW {relation}")
    migrate(old_timescale_url)
    with opened(old_timescale_url) as connection:
        rows = connection.execute("SELECT count(*) AS n FROM readings").fetchone()
        kept = connection.execute("SELECT sum(heart_rate_count) AS n FROM mine").fetchone()
    assert (rows, kept) == ({"n": len(IDS)}, {"n": 2 * len(IDS)})
