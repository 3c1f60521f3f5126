"""The messages to an open page: changed fragments, a pulse while nothing changes, and errors.

A message with content names the version that it starts from and the one that it leads to, and has
what changed between them. A browser that shows another version than the first, because a message
was lost, asks again and names its own; a server that does not know a version asks for the browser's
list (:mod:`dashboard.live.versions`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.board.rows import Fragment
from dashboard.live.versions import Shown, Versions, find_difference, make_piece
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
        self,
        context: WebContext,
        read: ReadContent,
        *,
        versions: Versions,
        start: Mapping[str, Any],
    ):
        """``start`` is the browser's request, which has the stream's number and what it shows."""
        self._context = context
        self._read = read
        self._versions = versions
        self._number = int(start["stream"])
        self._version = str(start.get("version") or "")
        self._shown: Shown | None = versions.find(start)
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
        return self._changes(content)

    def _changes(self, content: PageContent) -> Message:
        """What leads from what the browser shows to this content."""
        now = self._versions.remember(content.fragments, content.head)
        before, base = self._shown, self._version
        if before is None:
            return self._message(unknown=True)
        self._shown, self._version = now, now.version
        difference = find_difference(before.rows, now.rows)
        had = dict(before.rows)
        fields: Message = {
            "base": base,
            "version": self._version,
            "count": len(now.rows),
            "gone": difference.gone,
            "places": difference.places,
            "pieces": {
                piece.key: make_piece(piece, had.get(piece.key))
                for piece in content.fragments
                if had.get(piece.key) != piece.digest
            },
            "turn": content.turn,
        }
        if before.head != now.head:
            fields["head"] = content.head
        return self._message(**fields)
