"""Who is signed in: looks a cookie's token up, and remembers the answer for a few seconds."""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, NamedTuple

from dashboard.auth.signin import digest
from store.people import sessions
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext
    from store.people.sessions import Session
    from vigil.service.settings import Settings

REMEMBERED_SECONDS = 5.0
"""A session that ended elsewhere is still let in for so long."""
SOON_SECONDS = 0.5
"""So long an open page waits for the database to say that its session still holds. One that hangs
must not hold back what the page is told of the workers."""
TOUCHED_EVERY = timedelta(minutes=1)
AT_MOST = 4096

SESSION: ContextVar[Session] = ContextVar("vigil_session")
"""Whose request this is; set by the guard for everything under ``/board/``."""


def cookie_name(settings: Settings) -> str:
    """The session cookie. ``__Host-`` binds it to this host and to HTTPS, where there is HTTPS."""
    return "__Host-vigil_session" if settings.served_over_https else "vigil_session"


def cookie(header: str, name: str) -> str | None:
    """One cookie of a ``Cookie`` header.

    >>> cookie("a=1; vigil_session=xyz", "vigil_session")
    'xyz'
    """
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


class _Known(NamedTuple):
    session: Session
    checked: float


class Door:
    """Answers who holds a token."""

    def __init__(self, context: WebContext):
        self._context = context
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[Session | None]] = {}

    async def session(self, token: str | None, *, in_use: bool = False) -> Session | None:
        """The session that a token belongs to, or None.

        While the database is away or hangs, a session that was known and has not run out is let
        in, so that an open board can say so, and what else stands still.

        Args:
            in_use: a person is at it (and not a page that renews itself): the session lives on.

        Raises:
            UnavailableError: the database is away, and the token was not seen lately.
        """
        if not token:
            return None
        key, now = digest(token), self._context.clock()
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
                return await self._soon(key, known.session)
            return await self._ask(key, touch=bool(touch))
        except UnavailableError:
            if known is None:
                raise
            return known.session

    async def _soon(self, key: str, known: Session) -> Session | None:
        """What the database says; what was known, where it takes long to. Its answer then counts
        for whoever asks next."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, touch=False))
            asking.add_done_callback(lambda done: self._asked(key, done))
        done, _ = await asyncio.wait({asking}, timeout=SOON_SECONDS)
        return asking.result() if done else known

    def _asked(self, key: str, done: asyncio.Task[Session | None]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited for it has it; nobody else needs it

    async def _ask(self, key: str, *, touch: bool) -> Session | None:
        now = self._context.clock()
        async with self._context.database() as connection:
            if touch:
                await sessions.touch(connection, key, now)
            found = await sessions.find(connection, key, now)
        if found is None:
            self._known.pop(key, None)
            return None
        if len(self._known) >= AT_MOST:
            self._known.clear()
        self._known[key] = _Known(found, time.monotonic())
        return found

    async def end(self, session: Session) -> None:
        """Sign out."""
        self._known.pop(session.token_sha256, None)
        async with self._context.database() as connection:
            await sessions.end(connection, session.token_sha256)
