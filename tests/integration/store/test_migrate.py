"""Migrations: from empty, repeated, from several processes at once, and on either database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from store.database import migrate as module
from store.database.columns import columns
from store.database.connections import Connection
from store.database.migrate import MIGRATIONS, migrate
from tests.support import timescale
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.signals import NAMES
from vigil.service.errors import UnavailableError

ALL = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    name = f"m_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres_url.replace("/postgres", f"/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_from_empty_then_nothing(empty_url: str) -> None:
    assert migrate(empty_url) == ALL
    assert migrate(empty_url) == []


def test_from_empty_then_nothing_on_timescale(timescale_url: str) -> None:
    timescale.emptied(timescale_url)
    assert migrate(timescale_url) == ALL
    assert migrate(timescale_url) == []


def test_several_at_once_apply_each_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate, [empty_url] * 4))
    assert sorted(name for names in applied for name in names) == ALL


def test_a_failed_migration_leaves_nothing(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIGRATIONS", tmp_path)
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE a (x int);")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE b (x int);\nSELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_url)
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE b (x int);")
    assert migrate(empty_url) == ["0002_bad"]


def test_a_killed_migration_is_not_half_done_and_holds_no_lock(
    empty_url: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIGRATIONS", tmp_path)
    script = tmp_path / "0001_slow.sql"
    script.write_text("CREATE TABLE a (x int);\nSELECT pg_sleep(30);")
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    )
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_url, autocommit=True) as other:
        killed = pool.submit(migrate, empty_url)
        while not other.execute(kill).fetchall():
            assert not killed.done()
        with pytest.raises(UnavailableError):
            killed.result()
    script.write_text("CREATE TABLE a (x int);")
    assert migrate(empty_url) == ["0001_slow"]


def test_a_migration_and_its_mark_commit_together(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIGRATIONS", tmp_path)
    (tmp_path / "0001_table.sql").write_text("CREATE TABLE a (x int);")

    def cut(*_arguments: object, **_options: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(module.Backend, "mark_one", cut)
        with pytest.raises(ConnectionAbortedError):
            migrate(empty_url)
    assert migrate(empty_url) == ["0001_table"]


def test_an_unreachable_database_is_reported() -> None:
    with pytest.raises(UnavailableError) as raised:
        migrate("postgresql://nobody:x@127.0.0.1:1/none")
    assert raised.value.code == "unavailable.database"


def test_readings_have_a_column_a_signal(connection: Connection) -> None:
    columns = {row["column_name"] for row in connection.execute(COLUMNS, ("readings",))}
    assert columns >= set(NAMES)


@pytest.mark.parametrize(
    ("table", "struct"),
    [("events", Event), ("alerts", Alert), ("actions", Action), ("phrases", Phrase)],
)
def test_tables_have_a_column_a_field(connection: Connection, table: str, struct: type) -> None:
    there = {row["column_name"] for row in connection.execute(COLUMNS, (table,))}
    assert there >= set(columns(struct))


def test_aggregates_have_the_same_columns_everywhere(connection: Connection) -> None:
    figures = ("avg", "min", "max", "count", "p10", "p50", "p90")
    for relation, of_it in (
        ("readings_1m", figures[:4]), ("readings_15m", figures), ("readings_1h", figures),
        ("readings_1d", figures),
    ):  # fmt: skip
        expected = ["patient_id", "bucket"] + [f"{s}_{f}" for s in NAMES for f in of_it]
        rows = connection.execute(COLUMNS + " ORDER BY ordinal_position", (relation,))
        assert [row["column_name"] for row in rows] == expected
        one = connection.execute(f"SELECT * FROM {relation}_of('p1', now(), now())")
        assert [column.name for column in one.description or ()] == expected
