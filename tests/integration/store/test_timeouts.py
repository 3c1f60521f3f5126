"""A database that does not answer is unavailable, whatever the network reports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from store.database import timeouts
from store.database.connections import AsyncPool, Pool, async_pool, connect, open_pool, translated
from tests.support.proxy import Proxy
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

BRIEF = 0.5


@pytest.fixture
def network(database_url: str) -> Iterator[Proxy]:
    """A network to the database that can be broken."""
    with Proxy(urlsplit(database_url).port or 0) as proxy:
        yield proxy


@pytest.fixture
def behind(database_url: str, network: Proxy, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that reach the database through it, and a short timeout."""
    for kind in (timeouts.TimeoutConnection, timeouts.AsyncTimeoutConnection):
        monkeypatch.setattr(kind, "answer_seconds", BRIEF)
    url = database_url.replace(f":{network.to_port}/", f":{network.port}/")
    return Settings(demo=True, database_url=url)


@pytest.mark.parametrize("breaks", [Proxy.half_open, Proxy.stall])
def test_a_wait_for_an_answer_that_never_comes_ends(
    behind: Settings, network: Proxy, breaks: object
) -> None:
    with connect(behind) as connection:
        breaks(network)  # type: ignore[operator]
        with pytest.raises(UnavailableError), translated():
            connection.execute("SELECT 1")
        assert connection.closed
    network.heal()
    with connect(behind) as connection:
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_a_slow_answer_is_waited_for_without_a_timeout(behind: Settings) -> None:
    with connect(behind) as connection:
        assert isinstance(connection, timeouts.TimeoutConnection)
        connection.answer_seconds = None
        connection.execute("SELECT pg_sleep(%s)", (2 * BRIEF,))


def test_a_pool_gives_another_connection_once_the_network_is_back(
    behind: Settings, network: Proxy
) -> None:
    with open_pool(behind, size=1) as pool:
        with pool.connection() as connection:
            connection.execute("SELECT 1")
        network.half_open()
        with pytest.raises(UnavailableError), translated(), pool.connection() as connection:
            connection.execute("SELECT 1")
        network.heal()
        eventually(lambda: _answers(pool))  # an attempt may have begun before


def _answers(pool: Pool) -> bool:
    try:
        with translated(), pool.connection() as connection:
            return connection.execute("SELECT 1").fetchone() is not None
    except UnavailableError:
        return False


def test_a_pool_of_lost_connections_is_found_out_soon(
    database_url: str, network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "CHECK_SECONDS", BRIEF)
    url = database_url.replace(f":{network.to_port}/", f":{network.port}/")
    with open_pool(Settings(demo=True, database_url=url), size=2) as pool:
        with pool.connection() as one, pool.connection() as other:
            one.execute("SELECT 1")
            other.execute("SELECT 1")
        network.half_open()
        network.heal()
        with pool.connection() as connection:
            connection.execute("SELECT 1")


def test_a_wait_in_the_web_process_ends_too(behind: Settings, network: Proxy) -> None:
    async def ask() -> None:
        async with async_pool(behind, size=1) as pool:
            async with pool.connection() as connection:
                network.half_open()
                with pytest.raises(UnavailableError), translated():
                    await connection.execute("SELECT 1")
            network.heal()
            async with asyncio.timeout(TIMEOUT):
                while not await answers(pool):
                    pass

    async def answers(pool: AsyncPool) -> bool:
        try:
            with translated():
                async with pool.connection() as connection:
                    return await (await connection.execute("SELECT 1")).fetchone() is not None
        except UnavailableError:
            return False

    asyncio.run(ask())
