"""A database that Vigil must not work on is refused before anything in it is changed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from store.database import guard
from store.database import migrate as migrating
from store.database.connections import async_pool, connect, open_pool
from store.database.guard import Extension, known_migrations
from store.database.migrate import migrate
from vigil.service.errors import SettingsError, UnavailableError, VigilError
from vigil.service.settings import Settings

RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"


@pytest.fixture
def make_database(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """Makes an empty database with these options; its URL."""
    made = []
    with psycopg.connect(postgres_url, autocommit=True) as admin:

        def make(options: str = "") -> str:
            made.append(f"g_{secrets.token_hex(6)}")
            admin.execute(f"CREATE DATABASE {made[-1]} {options}")
            return postgres_url.replace("/postgres", f"/{made[-1]}")

        yield make
        for name in made:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def relations(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute(RELATIONS)}


def refusal(url: str) -> VigilError:
    """The refusal of a database by `vigil migrate`, which must change nothing in it."""
    before = relations(url)
    with pytest.raises(VigilError) as raised:
        migrate(url)
    assert relations(url) == before
    assert raised.value.how_to_fix
    return raised.value


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ("CREATE TABLE readings (meter int, kwh float)", "readings"),
        ("CREATE TABLE invoices (id int)", "invoices"),
        ("CREATE VIEW events AS SELECT 1 AS x", "events"),
        ("CREATE MATERIALIZED VIEW report AS SELECT 1 AS x", "report"),
    ],
)
def test_another_applications_tables(
    make_database: Callable[..., str], theirs: str, named: str
) -> None:
    url = make_database()
    execute(url, theirs)
    error = refusal(url)
    assert (type(error), error.code) == (SettingsError, "settings.wrong_database")
    assert named in error.message


def test_another_applications_migrations(make_database: Callable[..., str]) -> None:
    url = make_database()
    execute(
        url,
        "CREATE TABLE _yoyo_migrations (migration_hash text, migration_id text)",
        "INSERT INTO _yoyo_migrations VALUES ('x', '0001_shop')",
    )
    error = refusal(url)
    assert error.code == "settings.wrong_database"
    assert "0001_shop" in error.message


def test_text_that_is_not_utf8(make_database: Callable[..., str]) -> None:
    url = make_database("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    error = refusal(url)
    assert error.code == "settings.wrong_database"
    assert "SQL_ASCII" in error.message


def test_what_extensions_bring_is_nobodys_table(make_database: Callable[..., str]) -> None:
    url = make_database()
    execute(url, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements", "CREATE SEQUENCE spare")
    assert migrate(url) == list(known_migrations())


def test_a_first_migration_that_failed_is_begun_again(
    make_database: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database()
    (tmp_path / "0001_bad.sql").write_text("SELECT 1 / 0;")
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "MIGRATIONS", tmp_path)
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(url)
    assert relations(url), "what yoyo keeps"
    assert migrate(url) == list(known_migrations())


def newer(url: str) -> None:
    execute(
        url,
        "INSERT INTO _yoyo_migrations (migration_hash, migration_id, applied_at_utc)"
        " VALUES ('x', '9999_of_next_year', now())",
    )


def older(url: str) -> None:
    execute(url, f"DELETE FROM _yoyo_migrations WHERE migration_id = '{known_migrations()[-1]}'")


def test_a_newer_schema_is_not_migrated(database_url: str) -> None:
    newer(database_url)
    error = refusal(database_url)
    assert error.code == "unavailable.schema_newer"
    assert "9999_of_next_year" in error.message
    assert known_migrations()[-1] in error.message


@pytest.mark.parametrize(
    ("make", "code"), [(newer, "unavailable.schema_newer"), (older, "unavailable.schema")]
)
def test_nobody_works_on_another_schema(
    database_url: str, make: Callable[[str], None], code: str
) -> None:
    make(database_url)
    settings = Settings(demo=True, database_url=database_url)

    async def page() -> None:
        async with async_pool(settings, 1) as pool, pool.connection():
            raise AssertionError("given")

    def worker() -> None:
        with open_pool(settings, 1) as pool, pool.connection():
            raise AssertionError("given")

    for take in (lambda: connect(settings), worker, lambda: asyncio.run(page())):
        with pytest.raises(UnavailableError) as raised:
            take()
        assert (raised.value.code, bool(raised.value.how_to_fix)) == (code, True)
    connect(settings, any_schema=True).close()


def test_a_pool_gives_its_connections_once_the_schema_is_right(database_url: str) -> None:
    settings = Settings(demo=True, database_url=database_url)
    newer(database_url)
    with open_pool(settings, 1) as pool:
        with pytest.raises(UnavailableError), pool.connection():
            raise AssertionError("given")
        execute(database_url, "DELETE FROM _yoyo_migrations WHERE migration_hash = 'x'")
        for _again in range(2):
            with pool.connection() as connection:
                assert connection.info.transaction_status.name == "IDLE"


def test_an_old_server() -> None:
    def server(number: int) -> SimpleNamespace:
        return SimpleNamespace(
            info=SimpleNamespace(server_version=number, parameter_status=lambda _name: "UTF8")
        )

    guard.check_server(server(150_000))
    with pytest.raises(SettingsError) as raised:
        guard.check_server(server(140_012))
    assert raised.value.code == "settings.old_database"
    assert "PostgreSQL 14" in raised.value.message


@pytest.mark.parametrize("version", ["2.20.0", "2.29.2", "3.0", "2.20.0-dev", None])
def test_a_timescaledb_that_will_do(version: str | None) -> None:
    guard.check_timescale(Extension(version, version, None))


@pytest.mark.parametrize(("installed", "offered"), [("2.19.3", "2.29.2"), (None, "2.9.1")])
def test_a_timescaledb_that_is_too_old(installed: str | None, offered: str) -> None:
    with pytest.raises(SettingsError) as raised:
        guard.check_timescale(Extension(installed, offered, "timescale"))
    assert raised.value.code == "settings.old_database"
    assert "ALTER EXTENSION" in raised.value.how_to_fix


def test_what_timescaledb_reports(connection: psycopg.Connection[object]) -> None:
    found = guard.read_extension(connection)
    assert (found.installed is None) == (found.licence is None)
