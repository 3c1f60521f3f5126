"""The store's tests run on every kind of database: the same names must give the same answers.

Always on an embedded PostgreSQL and on TimescaleDB in WASM; and on the server that
``VIGIL_DATABASE_URL`` named when pytest was started, in databases of the tests' own.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.database.migrate import migrate
from tests.support import timescale
from tests.support.timescale.copyless import without_copy
from tests.support.timescale.migrated import migrated

SERVER = os.environ.get("VIGIL_TEST_DATABASE_URL")
KINDS = ["postgresql", "timescaledb", *(["server"] if SERVER else [])]


@pytest.fixture(autouse=True)
def only_by_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of patients and devices are read when they are notified, and not by themselves."""
    monkeypatch.setattr("store.people.directory.REREAD_SECONDS", 3600.0)


@pytest.fixture(scope="session")
def timescale_url() -> Iterator[str]:
    """A TimescaleDB server of this test process; skips where it cannot be had."""
    with timescale.serving() as url:
        yield url


@contextmanager
def database_on(server: str) -> Iterator[str]:
    """A new database, empty, for the length of the block; its URL."""
    name = f"vigil_test_{secrets.token_hex(6)}"
    make = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(make.format(sql.Identifier(name)))
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(params=KINDS)
def empty_either_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database; in WASM it serves one connection at a time."""
    if request.param == "timescaledb":
        url = str(request.getfixturevalue("timescale_url"))
        timescale.emptied(url)
        with pytest.MonkeyPatch.context() as patch:
            without_copy(patch)
            yield url
        return
    embedded = request.param == "postgresql"
    with database_on(request.getfixturevalue("postgres_url") if embedded else str(SERVER)) as url:
        yield url


@pytest.fixture(params=KINDS)
def either_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh, migrated database; in WASM it serves one connection at a time."""
    if request.param == "postgresql":
        yield str(request.getfixturevalue("database_url"))
    elif request.param == "timescaledb":
        url = str(request.getfixturevalue("timescale_url"))
        migrated(url)
        with pytest.MonkeyPatch.context() as patch:
            without_copy(patch)
            yield url
    else:
        with database_on(str(SERVER)) as url:
            migrate(url)
            yield url


@pytest.fixture
def connection(either_url: str) -> Iterator[Connection]:
    """A connection to a fresh, migrated database of either kind."""
    with psycopg.connect(either_url, row_factory=dict_row, prepare_threshold=None) as opened:
        yield opened
