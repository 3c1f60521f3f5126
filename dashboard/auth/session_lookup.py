"""Finds the session of a cookie's token, and remembers it for a few seconds."""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from dashboard.auth.signin import token_digest
from dashboard.shell.cookies import host_cookie
from store.people import sessions
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from store.people.sessions import Session
    from vigil.service.settings import Settings

REMEMBERED_SECONDS = 5.0
"""A session that ended elsewhere is still accepted for so long."""
WAIT_SECONDS = 0.5
"""How long an open page waits for the database to confirm its session. A database that hangs must
not delay the state of the workers on the page."""
TOUCHED_EVERY = timedelta(minutes=1)
MAX_REMEMBERED = 4096

SESSION: ContextVar[Session] = ContextVar("vigil_session")
"""The session of the current request; set by the guard for everything under ``/board/``."""


def cookie_name(settings: Settings) -> str:
    """The name of the session cookie."""
    return host_cookie(settings, "vigil_session")


def read_cookie(header: str, name: str) -> str | None:
    """One cookie of a ``Cookie`` header.

    >>> read_cookie("a=1; vigil_session=xyz", "vigil_session")
    'xyz'
    """
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


@dataclass(frozen=True, slots=True)
class _KnownSession:
    session: Session
    checked: float
    """Seconds on the monotonic clock."""


class SessionLookup:
    """Finds sessions by token; one a process."""

    def __init__(self, context: WebContext):
        self._context = context
        self._known: dict[str, _KnownSession] = {}
        self._pending: dict[str, asyncio.Task[Session | None]] = {}

    async def session(self, token: str | None, *, in_use: bool = False) -> Session | None:
        """The session that a token belongs to, or None.

        While the database is unavailable or hangs, a known session that has not expired is
        accepted, so that an open board can show that, and which workers do not work.

        Args:
            in_use: a person made the request (and not a page that renews itself): the session is
                extended.

        Raises:
            UnavailableError: the database is unavailable, and the session is not known.
        """
        if not token:
            return None
        key, now = token_digest(token), self._context.clock()
        known = self._known.get(key)
        if known is not None and known.session.expires_at <= now:
            self._known.pop(key)
            known = None
        fresh = known and time.monotonic() - known.checked < REMEMBERED_SECONDS
        touch = in_use and (not known or now - known.session.last_seen_at > TOUCHED_EVERY)
        if known and fresh and not touch:
            return known.session
        try:
            if known and not in_use:
                return await self._find_within(key, known.session)
            return await self._find(key, touch=bool(touch))
        except UnavailableError:
            if known is None:
                raise
            return known.session

    async def _find_within(self, key: str, known: Session) -> Session | None:
        """The session by the database; the known one where the database takes long. Its answer is
        then used by the next request."""
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._find(key, touch=False))
            task.add_done_callback(lambda done: self._forget_task(key, done))
        done, _ = await asyncio.wait({task}, timeout=WAIT_SECONDS)
        return task.result() if done else known

    def _forget_task(self, key: str, done: asyncio.Task[Session | None]) -> None:
        self._pending.pop(key, None)
        if not done.cancelled():
            done.exception()  # retrieved: a request that waited for it has raised it

    async def _find(self, key: str, *, touch: bool) -> Session | None:
        now = self._context.clock()
        async with self._context.database() as connection:
            if touch:
                await sessions.touch(connection, key, now)
            found = await sessions.find(connection, key, now)
        if found is None:
            self._known.pop(key, None)
            return None
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[key] = _KnownSession(found, time.monotonic())
        return found

    async def end(self, session: Session) -> None:
        """Sign out."""
        self._known.pop(session.token_sha256, None)
        async with self._context.database() as connection:
            await sessions.end(connection, session.token_sha256)
