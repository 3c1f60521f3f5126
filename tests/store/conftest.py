"""The store's tests run on both databases: the same names must give the same answers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database import Connection
from store.migrate import migrate
from tests.support import timescale


@pytest.fixture(scope="session")
def timescale_url() -> Iterator[str]:
    """A TimescaleDB server of this test process; skips where it cannot be had."""
    with timescale.serving() as url:
        yield url


@pytest.fixture(params=["postgresql", "timescaledb"])
def either_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database; on TimescaleDB it serves one connection at a time."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("database_url"))
    url = str(request.getfixturevalue("timescale_url"))
    timescale.emptied(url)
    migrate(url)
    return url


@pytest.fixture
def connection(either_url: str) -> Iterator[Connection]:
    """A connection to a fresh, migrated database of either kind."""
    with psycopg.connect(either_url, row_factory=dict_row, prepare_threshold=None) as opened:
        yield opened
