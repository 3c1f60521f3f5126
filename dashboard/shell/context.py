"""The settings and open connections that the pages of the web process share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.worker_state.monitor import WorkerMonitor
from store.database.connections import translated
from vigil.kafka.async_publisher import AsyncPublisher
from vigil.values.clock import Clock, utc_now

if TYPE_CHECKING:
    from store.database.connections import AsyncConnection, AsyncPool
    from store.episodes.feed import BoardFeed
    from vigil.contracts.wire import Outgoing
    from vigil.service.settings import Settings

TIMEOUT_SECONDS = 2.5
"""How long a page waits for a database connection."""
UNAVAILABLE_TIMEOUT_SECONDS = 0.5
"""The same while the database is known to be unavailable, so that the board soon shows it."""


@dataclass(slots=True)
class WebContext:
    """One for each process. Routes are installed before the server starts, so before anything is
    open: a route reads ``context.pool`` when it is called, never when it is defined.
    """

    settings: Settings
    pool: AsyncPool
    """Opened when the server starts: ``async with context.pool.connection() as connection``.
    Wrap what uses it in ``store.database.connections.translated()``: an unavailable
    database is then an ``UnavailableError``, which the web process answers with status 503."""
    feed: BoardFeed
    """Wakes waiting streams when something that the board shows has changed."""
    clock: Clock = utc_now
    publisher: AsyncPublisher = field(init=False)
    """Opened when the server starts; pages send with :meth:`publish`."""
    monitor: WorkerMonitor = field(init=False)
    """Which workers run, by their statuses."""

    def __post_init__(self) -> None:
        self.publisher = AsyncPublisher(self.settings, "dashboard")
        self.monitor = WorkerMonitor(self.settings, self.feed, self.now)

    def now(self) -> datetime:
        """The current time, by the clock that is set now."""
        return self.clock()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return when the broker has the messages.

        Raises:
            UnavailableError: it does not answer, and the person is to be shown that nothing was
                recorded: what has not left this process is not sent later.
        """
        await self.publisher.publish(messages, withdraw=True)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[AsyncConnection]:
        """A connection; committed at the end, rolled back on an error.

        Raises:
            UnavailableError: the database is unavailable, or became so.
        """
        timeout = TIMEOUT_SECONDS if self.feed.listening else UNAVAILABLE_TIMEOUT_SECONDS
        with translated():
            async with self.pool.connection(timeout=timeout) as connection:
                yield connection
