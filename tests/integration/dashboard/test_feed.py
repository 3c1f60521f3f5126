"""The feed on a real database: it wakes whoever waits, gathers, and outlives the database."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg

from local import parts
from store.database.connections import BOARD_CHANNEL
from store.episodes.feed import BoardFeed
from tests.support.processes import end, launch, open_folder, wait_ready
from tests.support.timeouts import TIMEOUT
from vigil.service.settings import Settings


@asynccontextmanager
async def listening(database_url: str, gather_seconds: float = 0.2) -> AsyncIterator[BoardFeed]:
    feed = BoardFeed(Settings(demo=True, database_url=database_url), gather_seconds)
    task = asyncio.create_task(feed.run())
    try:
        await until(lambda: feed.listening)
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(check: object, seconds: float = TIMEOUT) -> None:
    deadline = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def notify(database_url: str, times: int = 1) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(times):
            connection.execute("SELECT pg_notify(%s, 'x')", (BOARD_CHANNEL,))


def test_a_notification_wakes_everyone_who_waits(database_url: str) -> None:
    async def go() -> None:
        async with listening(database_url) as feed:
            seen = feed.version
            waiting = [asyncio.create_task(feed.wait(seen, TIMEOUT)) for _ in range(20)]
            await asyncio.to_thread(notify, database_url)
            assert {await task for task in waiting} == {seen + 1}

    asyncio.run(go())


def test_many_notifications_are_gathered(database_url: str) -> None:
    async def go() -> int:
        async with listening(database_url, gather_seconds=1) as feed:
            seen = feed.version
            await asyncio.to_thread(notify, database_url)
            await until(lambda: feed.version == seen + 1)
            await asyncio.to_thread(notify, database_url, 29)
            await until(lambda: feed.version >= seen + 2)
            return feed.version - seen

    woken = asyncio.run(go())
    assert 2 <= woken <= 10


def test_waiting_ends_after_its_time(database_url: str) -> None:
    async def go() -> None:
        async with listening(database_url) as feed:
            seen = feed.version
            assert await feed.wait(seen, 0.05) == seen

    asyncio.run(go())


def test_the_feed_says_that_the_database_is_away_and_comes_back() -> None:
    async def go(part: parts.Part) -> None:
        server = launch(part)
        try:
            await asyncio.to_thread(wait_ready, part, server)
            async with listening(part.address) as feed:
                seen = feed.version
                server.send_signal(signal.SIGINT)  # at once, without waiting for whoever listens
                await until(lambda: not feed.listening)
                assert await feed.wait(seen, 1) > seen
                await asyncio.to_thread(server.wait)
                server = launch(part)
                await asyncio.to_thread(wait_ready, part, server)
                await until(lambda: feed.listening)
        finally:
            await asyncio.to_thread(end, server)

    with open_folder() as folder:
        asyncio.run(go(parts.postgres(folder / "data", durable=False)))
