"""The ward is read once for all open boards, also while changes arrive faster than it is read."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.board import snapshot
from dashboard.board.snapshot import PatientSnapshot, Ward, Wards
from dashboard.shell.context import WebContext
from store.database.connections import async_pool
from store.episodes.feed import BoardFeed
from vigil.service.settings import Settings

BOARDS = 20


class Reads:
    """The database: a read takes until the test lets it end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = Settings(demo=True)
        self.feed = BoardFeed(settings)
        self.feed.listening = True
        self.wards = Wards(WebContext(settings=settings, pool=async_pool(settings), feed=self.feed))
        self.ended = asyncio.Semaphore(0)
        self.found: list[list[PatientSnapshot]] = []
        monkeypatch.setattr(snapshot, "read_ward", self._read)
        monkeypatch.setattr(self.wards, "_sparks_read_at", float("inf"))

    async def _read(self, *_: object) -> Ward:
        self.found.append([])
        await self.ended.acquire()
        return self.found[-1]

    async def begin(self) -> asyncio.Task[Ward]:
        """A board asks, and waits."""
        task = asyncio.create_task(self.wards.read())
        await asyncio.sleep(0)
        return task

    async def end(self) -> None:
        """The current read ends, and whoever waits goes on."""
        self.ended.release()
        for _ in range(4 * BOARDS):
            await asyncio.sleep(0)


def test_one_read_is_for_every_board_that_waits_although_changes_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        reads = Reads(monkeypatch)
        boards = [await reads.begin() for _ in range(BOARDS)]
        reads.feed.wake()
        await reads.end()
        assert [board.done() for board in boards] == [True] * BOARDS
        assert len(reads.found) == 1

    asyncio.run(run())


def test_a_board_is_never_shown_a_read_that_began_before_a_change_it_knows_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        reads = Reads(monkeypatch)
        first = await reads.begin()
        reads.feed.wake()
        second, third = await reads.begin(), await reads.begin()
        await reads.end()
        assert (first.done(), second.done(), third.done()) == (True, False, False)
        await reads.end()
        assert first.result() is reads.found[0]
        assert second.result() is third.result() is reads.found[1]
        assert len(reads.found) == 2

    asyncio.run(run())
