"""Signing in: the password, the waits after failures, the token in the cookie.

Failures count for the account from the place they come from, so that whoever guesses keeps only
himself out; for the account as a whole, much later and not for long, so that many places together
do not guess fast; and for the place, whose refusals come ever later. A browser in which the user
has signed in before counts for itself.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from dashboard.auth import known_browser
from dashboard.auth.attempts import Failures, Places
from dashboard.auth.passwords import BusyError, Checker
from store.people import sessions, users
from vigil.web.slots import wait_outside

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

HOME = "/board/"
RULE = sessions.Backoff()
"""For an account from one place, or in one browser."""
ACCOUNT_RULE = sessions.Backoff(free=50, first=timedelta(seconds=5), longest=timedelta(minutes=1))
"""For an account from all places together: at most a minute, whatever others do."""
STEP_SECONDS = 0.5
MOST_INSIDE = 512
"""Attempts that are checked or wait for their refusal …"""
MOST_KNOWN = 64
"""… and room beside them for browsers that say they are known."""
BUSY_SECONDS = 5
WRONG = "The user name or the password is not right."
_USER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


class SignedIn(NamedTuple):
    """A session that has begun."""

    token: str
    """For the cookie; nothing of ours stores it."""
    user_id: str
    browser: str
    """The cookie that says that this user has signed in in this browser."""


class Refused(NamedTuple):
    """No session, and what the person reads."""

    message: str
    status: int
    retry_after: int = 0
    """Seconds; 0: waiting does not help."""


WRONG_ANSWER = Refused(WRONG, 401)
BUSY = Refused(
    "Vigil is checking too many passwords now, and did not check yours."
    f" Try again in {BUSY_SECONDS} seconds.",
    503,
    BUSY_SECONDS,
)


def digest(token: str) -> str:
    """What the database keeps of a token (256 random bits, so a plain hash is enough)."""
    return sha256(token.encode()).hexdigest()


def valid_user_id(user_id: str) -> bool:
    """Whether a user may be called so: lower case, digits, ``. _ -``; 64 at most.

    >>> valid_user_id("ward-3.nurse"), valid_user_id("../etc")
    (True, False)
    """
    return _USER_ID.fullmatch(user_id) is not None


def safe_next(path: str | None) -> str:
    """Where to go after signing in: a page of the board, or its start.

    >>> safe_next("/board/patient/p1")
    '/board/patient/p1'
    >>> [safe_next(p) for p in ("//evil.example/board/", "https://e.example/board/", None)]
    ['/board/', '/board/', '/board/']
    """
    if not path or not path.startswith(HOME) or _CONTROL.search(path):
        return HOME
    parts = urlsplit(path)
    return path if not parts.scheme and not parts.netloc else HOME


class Asked(NamedTuple):
    """An attempt to sign in."""

    user_id: str
    password: str
    place: str = ""
    """Where it comes from (:func:`dashboard.auth.attempts.source`)."""
    browser: str = ""
    """The cookie of a browser in which this user has signed in
    (:mod:`dashboard.auth.known_browser`)."""


class SignIn:
    """Checks passwords and begins sessions; one a process.

    What fails is answered late, on a grid of half seconds: how long the answer took tells nobody
    whether there is such a user. Who waits for a refusal holds no slot, and whoever is right does
    not wait at all.
    """

    def __init__(self, context: WebContext, checker: Checker | None = None):
        self._context = context
        self._checker = checker or Checker()
        self._failures = Failures()
        self._places = Places(monotonic)
        self._inside = 0

    async def attempt(self, asked: Asked) -> SignedIn | Refused:
        """Check a password and begin a session.

        An unknown user, a disabled one and a wrong password give the same answer, take the same
        time and count the same.

        Raises:
            UnavailableError: the database is away.
        """
        if self._inside >= MOST_INSIDE + (MOST_KNOWN if asked.browser else 0):
            return BUSY
        began = monotonic()
        self._inside += 1
        try:
            result = await self._checked(asked)
            if isinstance(result, Refused):
                if result is not BUSY:
                    self._places.failed(asked.place)
                wait_outside()
                await asyncio.sleep(self._later(began, asked.place))
            return result
        finally:
            self._inside -= 1

    def _later(self, began: float, place: str) -> float:
        took = monotonic() - began
        grid = math.ceil(took / STEP_SECONDS) * STEP_SECONDS
        return grid - took + self._places.delay(place)

    async def _checked(self, asked: Asked) -> SignedIn | Refused:
        user_id, now = asked.user_id.strip().lower(), self._context.clock()
        if not valid_user_id(user_id):
            return WRONG_ANSWER
        async with self._context.database() as connection:
            known = await users.credentials(connection, user_id)
        own = known_browser.of(asked.browser, user_id, known.password_hash) if known else None
        rank = 0 if own else int(self._places.score(asked.place) >= RULE.free) + 1
        if self._checker.full(rank):
            return BUSY
        keys = _Keys(user_id, asked.place, known.password_hash if known else "", own)
        again_at = await self._begin(keys, known, now)
        if again_at is not None:
            return _too_soon(again_at, now)
        try:
            if known is None or not known.active:
                checked = await self._checker.pretend(rank)
            else:
                checked = await self._checker.check(known.password_hash, asked.password, rank)
        except BusyError:
            self._failures.take_back(keys.first)
            return BUSY
        if known is None or not checked.right:
            return WRONG_ANSWER
        return await self._begun(keys, checked.rehashed, known.password_hash)

    async def _begin(
        self, keys: _Keys, known: users.Credentials | None, now: datetime
    ) -> datetime | None:
        """Count the attempt; a moment: not before then."""
        again_at = self._failures.begin(keys.first, now, RULE)
        if again_at is not None or keys.browser is not None:
            return again_at
        if known is None:
            again_at = self._failures.begin(keys.user_id, now, ACCOUNT_RULE)
        else:
            async with self._context.database() as connection:
                again_at = await sessions.begin_attempt(connection, keys.user_id, now, ACCOUNT_RULE)
        if again_at is not None:
            self._failures.take_back(keys.first)
        return again_at

    async def _begun(self, keys: _Keys, rehashed: str | None, password_hash: str) -> SignedIn:
        token, csrf, now = (
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(24),
            self._context.clock(),
        )
        self._failures.clear(keys.first)
        async with self._context.database() as connection:
            if keys.browser is None:
                await sessions.clear_failures(connection, keys.user_id)
            if rehashed is not None:
                await users.rehash(connection, keys.user_id, rehashed)
            await sessions.create(connection, digest(token), keys.user_id, csrf, now)
        browser = known_browser.issue(keys.user_id, rehashed or password_hash)
        return SignedIn(token, keys.user_id, browser)


class _Keys(NamedTuple):
    """What an attempt counts for."""

    user_id: str
    place: str
    password_hash: str
    browser: str | None

    @property
    def first(self) -> str:
        """The browser that the user has signed in with, or the user from this place. A new password
        begins anew."""
        if self.browser is not None:
            return f"browser\0{self.browser}"
        return f"{self.user_id}\0{self.place}\0{self.password_hash[-16:]}"


def _too_soon(again_at: datetime, now: datetime) -> Refused:
    seconds = math.ceil((again_at - now).total_seconds())
    wait = f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
    told = f"Too many attempts for this user. Wait {wait}, then try again."
    return Refused(told, 429, seconds)
