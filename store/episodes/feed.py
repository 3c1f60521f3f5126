"""Wakes the open boards when data that they show have changed.

One connection per process listens on :data:`~store.database.connections.BOARD_CHANNEL` and wakes
every coroutine that waits on the feed. Changes are debounced: the first is passed on at once, later
ones together, at most every ``gather_seconds``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from store.database.connections import BOARD_CHANNEL, OPTIONS
from store.database.timeouts import AsyncTimeoutConnection
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.settings import Settings

log = logs.get("feed")
KEEPALIVE_SECONDS = 10.0
"""A connection without notifications is checked by a query this often."""
RETRY_SECONDS = 1.0
"""Between two attempts to connect."""


class BoardFeed:
    """A counter that is incremented when the board changes, and that coroutines can wait for."""

    def __init__(self, settings: Settings, gather_seconds: float = 0.5):
        self._settings = settings
        self._gather_seconds = gather_seconds
        self._version = 0
        self._turn = asyncio.Event()
        self.listening = False
        """False while the database is unavailable: no notifications arrive."""

    @property
    def version(self) -> int:
        """Incremented with every change, and when the connection is lost or restored."""
        return self._version

    def wake(self) -> None:
        """Wake every waiter: something outside the database has changed."""
        self._advance()

    async def wait(self, seen: int, timeout_seconds: float) -> int:
        """Wait until the version exceeds ``seen``, at most so long; returns the version."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self._version <= seen:
                    await self._turn.wait()
        return self._version

    async def run(self) -> None:
        """Listen until cancelled; while the database is unavailable, reconnect every second."""
        while True:
            try:
                await self._listen()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if self.listening:
                    log.warning("board feed lost", error=type(error).__name__)
                self._set_listening(False)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await AsyncTimeoutConnection.connect(
            self._settings.database(), autocommit=True, **OPTIONS
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(BOARD_CHANNEL)))
            self._set_listening(True)
            while True:
                if await self._wait_for_notification(connection, KEEPALIVE_SECONDS):
                    self._advance()
                    await asyncio.sleep(self._gather_seconds)
                else:
                    await connection.execute("SELECT 1")

    @staticmethod
    async def _wait_for_notification(connection: psycopg.AsyncConnection, seconds: float) -> bool:
        """Whether a notification arrived within so many seconds; pending ones count as one."""
        received = False
        async for _ in connection.notifies(timeout=seconds, stop_after=1):
            received = True
        if received:
            async for _ in connection.notifies(timeout=0):
                pass
        return received

    def _set_listening(self, listening: bool) -> None:
        if self.listening != listening:
            self.listening = listening
            self._advance()

    def _advance(self) -> None:
        self._version += 1
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
