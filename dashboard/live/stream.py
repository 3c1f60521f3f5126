"""What an open page is sent: the pieces that changed, a pulse while nothing does, and trouble.

Each message names every piece with its digest, and carries those that the browser has not. So no
message depends on an earlier one having arrived: a browser that finds a piece missing asks again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.board.rows import Fragment
from dashboard.shell import state_view
from vigil.domain.ids import timestamp
from vigil.service import logs
from vigil.service.errors import UnavailableError

log = logs.get("live")

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

PULSE_SECONDS = 5.0
"""The browser knows by the pulse that it is connected; it warns after two were missed."""
REFRESH_SECONDS = 15.0
"""So often the database is asked although nobody said that anything changed."""
RETRY_SECONDS = 2.0
LEASE_SECONDS = 120.0
"""A stream ends after this and is asked for again: what nobody reads any more ends with it."""
POLL_SECONDS = 3
"""How often a browser without a websocket asks: what has changed is there within five seconds."""
SLOW_SECONDS = 0.5
"""While the database takes long to answer, so often it is asked whether the workers' state has
changed: that is said meanwhile."""

Message = dict[str, Any]


class Content(NamedTuple):
    """All that a page shows now."""

    fragments: Sequence[Fragment]
    head: str
    turn: str = ""
    """Changes when the chart should be drawn again."""


Read = Callable[[], Awaitable[Content]]


class Stream:
    """The messages of one open page, in order."""

    def __init__(self, context: WebContext, read: Read, number: int, seen: dict[str, str]):
        self._context = context
        self._read = read
        self._number = number
        self._seen = dict(seen)
        self._state: state_view.State | None = None

    def _message(self, **fields: Any) -> Message:
        self._state = state_view.state(self._context)
        return {
            "stream": self._number,
            "at": timestamp(self._context.clock()),
            "state": self._state._asdict(),
            **fields,
        }

    async def once(self) -> Message:
        """Everything now, and when to ask again: for a browser without a websocket."""
        message, _ = await self._refresh()
        return {**message, "again": POLL_SECONDS}

    async def messages(self) -> AsyncIterator[Message]:
        """Until the lease ends; the last one says so."""
        feed, ends = self._context.feed, time.monotonic() + LEASE_SECONDS
        due, heard = 0.0, -1
        while (now := time.monotonic()) < ends:
            if now >= due or feed.version != heard:
                heard = feed.version
                reading = asyncio.ensure_future(self._refresh())
                try:
                    async for message in self._meanwhile(reading):
                        yield message
                    message, worked = await reading
                finally:
                    reading.cancel()
                due = time.monotonic() + (REFRESH_SECONDS if worked else RETRY_SECONDS)
                yield message
            else:
                yield self._message(pulse=True)
            await feed.wait(heard, min(PULSE_SECONDS, max(0.05, due - time.monotonic())))
        yield self._message(pulse=True, again=0)

    async def _meanwhile(self, reading: asyncio.Future[Any]) -> AsyncIterator[Message]:
        """What is to be said of the workers while the page is being read; ends with the reading."""
        while not reading.done():
            if self._state not in {None, state_view.state(self._context)}:
                yield self._message(meanwhile=True)
            await asyncio.wait({reading}, timeout=SLOW_SECONDS)

    async def _refresh(self) -> tuple[Message, bool]:
        try:
            content = await self._read()
        except UnavailableError as error:
            return self._message(trouble=error.code), False
        except Exception:  # a stream that ended would be asked for again, and end again
            log.exception("a page cannot be read")
            return self._message(trouble="unavailable.database"), False
        digests = {piece.key: piece.digest for piece in content.fragments}
        pieces = {
            piece.key: {"css": piece.css, "html": piece.html}
            for piece in content.fragments
            if self._seen.get(piece.key) != piece.digest
        }
        self._seen = digests
        return self._message(
            order=[[piece.key, piece.digest] for piece in content.fragments],
            pieces=pieces,
            head=content.head,
            turn=content.turn,
        ), True
