"""The messages to an open page: changed fragments, a pulse while nothing changes, and errors.

Each message names every fragment with its digest, and contains those that the browser lacks. So no
message depends on an earlier one: a browser that misses a fragment asks again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.board.rows import Fragment
from dashboard.shell import state_view
from vigil.domain.ids import timestamp
from vigil.service import logs
from vigil.service.errors import UnavailableError

log = logs.get("live")

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

PULSE_SECONDS = 5.0
"""By the pulse the browser knows that it is connected; it warns when two are missed."""
REFRESH_SECONDS = 15.0
"""How often the database is read although no change was notified."""
RETRY_SECONDS = 2.0
LEASE_SECONDS = 120.0
"""A stream ends after this and is requested again, so that streams without a reader end."""
POLL_SECONDS = 3
"""How often a browser without a websocket asks: changes are shown within five seconds."""
SLOW_SECONDS = 0.5
"""How often a change of the workers' state is checked for and sent while the database is slow."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PageContent:
    """Everything that a page shows now."""

    fragments: Sequence[Fragment]
    head: str
    turn: str = ""
    """Changes when the chart must be redrawn."""


ReadContent = Callable[[], Awaitable[PageContent]]


class Stream:
    """The messages of one open page, in order."""

    def __init__(
        self, context: WebContext, read: ReadContent, *, number: int, seen: Mapping[str, str]
    ):
        self._context = context
        self._read = read
        self._number = number
        self._seen = dict(seen)
        self._state: state_view.WorkerStateView | None = None

    def _message(self, **fields: Any) -> Message:
        self._state = state_view.worker_state_view(self._context)
        return {
            "stream": self._number,
            "at": timestamp(self._context.clock()),
            "state": {"html": self._state.html, "judged": self._state.judged},
            **fields,
        }

    async def read_once(self) -> Message:
        """The whole content, and when to ask again: for a browser without a websocket."""
        message = await self._refresh()
        return {**message, "again": POLL_SECONDS}

    async def messages(self) -> AsyncIterator[Message]:
        """Every message until the lease ends; the last one has ``again``."""
        feed, ends = self._context.feed, time.monotonic() + LEASE_SECONDS
        due, version = 0.0, -1
        while (now := time.monotonic()) < ends:
            if now >= due or feed.version != version:
                version = feed.version
                reading = asyncio.ensure_future(self._refresh())
                try:
                    async for message in self._state_changes(reading):
                        yield message
                    message = await reading
                finally:
                    reading.cancel()
                due = time.monotonic() + (
                    RETRY_SECONDS if "trouble" in message else REFRESH_SECONDS
                )
                yield message
            else:
                yield self._message(pulse=True)
            await feed.wait(version, min(PULSE_SECONDS, max(0.05, due - time.monotonic())))
        yield self._message(pulse=True, again=0)

    async def _state_changes(self, reading: asyncio.Future[Any]) -> AsyncIterator[Message]:
        """Changes of the workers' state while the page is being read."""
        while not reading.done():
            if self._state not in {None, state_view.worker_state_view(self._context)}:
                yield self._message(meanwhile=True)
            await asyncio.wait({reading}, timeout=SLOW_SECONDS)

    async def _refresh(self) -> Message:
        try:
            content = await self._read()
        except UnavailableError as error:
            return self._message(trouble=error.code)
        except Exception:  # a stream that ended would be requested again, and end again
            log.exception("a page cannot be read")
            return self._message(trouble="unavailable.database")
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
        )
