"""The columnstore's measure refuses a server that has none, and leaves nothing behind."""

from __future__ import annotations

import psycopg
import pytest

from benchmarks.columnstore import measure


def test_a_server_without_timescaledb_is_refused(postgres_url: str) -> None:
    query = "SELECT count(*) FROM pg_database"
    with psycopg.connect(postgres_url) as connection:
        before = connection.execute(query).fetchone()
        with pytest.raises(SystemExit, match="has no TimescaleDB"):
            measure(1, 1, postgres_url)
        assert connection.execute(query).fetchone() == before
