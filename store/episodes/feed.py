"""Wakes the open boards when something that they show has changed.

One connection a process listens on :data:`~store.database.connections.BOARD_CHANNEL`; everyone who
waits on the feed is woken by it. Changes are gathered: the first is passed on at once, those after
it together, at most every ``gather_seconds``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from store.database.connections import BOARD_CHANNEL, OPTIONS
from store.database.waiting import PatientAsyncConnection
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("feed")
ASK_SECONDS = 10.0
"""A silent connection is asked so often whether it still lives."""
RETRY_SECONDS = 1.0


class BoardFeed:
    """A counter that goes up when the board changes, and lets coroutines wait for it."""

    def __init__(self, settings: Settings, gather_seconds: float = 0.5):
        self._settings = settings
        self._gather_seconds = gather_seconds
        self._version = 0
        self._turn = asyncio.Event()
        self.listening = False
        """False while the database is away: nothing can be heard then."""

    @property
    def version(self) -> int:
        """Goes up with every change, and when the connection is lost or found again."""
        return self._version

    def wake(self) -> None:
        """Wake everybody who waits: something that is not in the database has changed."""
        self._advance()

    async def wait(self, seen: int, timeout_seconds: float) -> int:
        """Wait until the version is beyond ``seen``, at most so long; returns the version."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self._version <= seen:
                    await self._turn.wait()
        return self._version

    async def run(self) -> None:
        """Listen until cancelled; while the database is away, try again every second."""
        while True:
            try:
                await self._listen()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if self.listening:
                    log.warning("board feed lost", error=type(error).__name__)
                self._set_listening(False)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await PatientAsyncConnection.connect(
            self._settings.database(), autocommit=True, **OPTIONS
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(BOARD_CHANNEL)))
            self._set_listening(True)
            while True:
                if await self._hear(connection, ASK_SECONDS):
                    self._advance()
                    await asyncio.sleep(self._gather_seconds)
                else:
                    await connection.execute("SELECT 1")

    @staticmethod
    async def _hear(connection: psycopg.AsyncConnection, seconds: float) -> bool:
        """Whether anything was said within so many seconds; what is waiting is heard together."""
        heard = False
        async for _ in connection.notifies(timeout=seconds, stop_after=1):
            heard = True
        if heard:
            async for _ in connection.notifies(timeout=0):
                pass
        return heard

    def _set_listening(self, listening: bool) -> None:
        if self.listening != listening:
            self.listening = listening
            self._advance()

    def _advance(self) -> None:
        self._version += 1
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
