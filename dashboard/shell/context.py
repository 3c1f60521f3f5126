"""What the pages share: the settings and the open connections of the web process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.worker_state.monitor import Monitor
from store.database.connections import translated
from vigil.values.clock import Clock, utc_now

if TYPE_CHECKING:
    from store.database.connections import AsyncConnection, AsyncPool
    from store.episodes.feed import BoardFeed
    from vigil.kafka.clients import Publisher
    from vigil.service.settings import Settings

PATIENCE_SECONDS = 2.5
"""How long a page waits for a connection: a person is waiting …"""
AWAY_SECONDS = 0.5
"""… and so long while the database is known to be away, so that the board soon says so."""


@dataclass(slots=True)
class WebContext:
    """One a process. Routes are installed with it before the server starts, and so before
    anything is open: a route reads ``context.pool`` when it is called, never when it is defined.
    """

    settings: Settings
    pool: AsyncPool
    """Opened when the server starts: ``async with context.pool.connection() as connection``.
    Wrap what uses it in ``store.database.connections.translated()``: the database being away is
    then an ``UnavailableError``, which the web process answers with status 503."""
    feed: BoardFeed
    """Wakes whoever waits when something that the board shows has changed."""
    clock: Clock = utc_now
    publisher: Publisher | None = field(default=None)
    """None while the broker has not been reached yet. Its calls block: run them in a thread
    (``asyncio.to_thread``), or use :meth:`dashboard.shell.publishing.publish`."""
    monitor: Monitor = field(init=False)
    """Which workers run, as their statuses say."""

    def __post_init__(self) -> None:
        self.monitor = Monitor(self.settings, self.feed, self.now)

    def now(self) -> datetime:
        """The present moment, by the clock that holds now."""
        return self.clock()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[AsyncConnection]:
        """A connection; committed at the end, rolled back on an error.

        Raises:
            UnavailableError: the database is away, or went away.
        """
        patience = PATIENCE_SECONDS if self.feed.listening else AWAY_SECONDS
        with translated():
            async with self.pool.connection(timeout=patience) as connection:
                yield connection
