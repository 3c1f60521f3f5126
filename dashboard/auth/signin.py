"""Signing in: the password, the waits after failures, the token in the cookie.

Failures are counted for the account by network, so that whoever guesses locks only themselves out;
for the account as a whole, with a higher limit and a short wait, so that many networks together
cannot guess fast; and for the network, whose refusals are delayed more and more. A browser in which
the user has signed in before is counted by itself.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dashboard.auth import known_browser
from dashboard.auth.attempts import FailureRates, Failures
from dashboard.auth.passwords import BusyError, PasswordChecker
from store.people import sessions, users
from vigil.web.slots import wait_outside

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

HOME = "/board/"
NETWORK_RULE = sessions.Backoff()
"""For an account from one network, or in one browser."""
ACCOUNT_RULE = sessions.Backoff(free=50, first=timedelta(seconds=5), longest=timedelta(minutes=1))
"""For an account from all networks together: the wait is at most a minute."""
STEP_SECONDS = 0.5
"""Refusals are answered on a grid of this step."""
MAX_ATTEMPTS = 512
"""Attempts at once that are checked or wait for their refusal."""
EXTRA_KNOWN = 64
"""Further attempts at once of browsers that present a known-browser cookie."""
BUSY_SECONDS = 5
WRONG = "The user name or the password is not right."
_USER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session."""

    token: str
    """For the cookie; only its digest is stored."""
    user_id: str
    browser: str
    """The cookie that shows that this user has signed in in this browser."""


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """A refusal, and what the person reads."""

    message: str
    status: int
    retry_after: int = 0
    """Seconds; 0: waiting does not help."""


WRONG_CREDENTIALS = SignInRefused(WRONG, 401)
BUSY = SignInRefused(
    "Vigil is checking too many passwords now, and did not check yours."
    f" Try again in {BUSY_SECONDS} seconds.",
    503,
    BUSY_SECONDS,
)


def token_digest(token: str) -> str:
    """The stored digest of a token (256 random bits, so a plain hash is enough)."""
    return sha256(token.encode()).hexdigest()


def valid_user_id(user_id: str) -> bool:
    """Whether a user id is valid: lower case, digits, ``. _ -``; at most 64 characters.

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


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """An attempt to sign in."""

    user_id: str
    password: str
    network: str = ""
    """Where it comes from (:func:`dashboard.auth.attempts.network_of`)."""
    browser: str = ""
    """The cookie of a browser in which this user has signed in
    (:mod:`dashboard.auth.known_browser`)."""


class SignIn:
    """Checks passwords and begins sessions; one a process.

    Failures are answered late, on a grid of half seconds: the time of an answer does not reveal
    whether there is such a user. Waiting for a refusal occupies no request slot, and a right
    password does not wait.
    """

    def __init__(self, context: WebContext, checker: PasswordChecker | None = None):
        self._context = context
        self._checker = checker or PasswordChecker()
        self._failures = Failures()
        self._rates = FailureRates(monotonic)
        self._running = 0

    async def attempt(self, attempt: SignInAttempt) -> SignedIn | SignInRefused:
        """Check a password and begin a session.

        An unknown user, a disabled one and a wrong password give the same answer, take the same
        time and are counted the same.

        Raises:
            UnavailableError: the database is unavailable.
        """
        if self._running >= MAX_ATTEMPTS + (EXTRA_KNOWN if attempt.browser else 0):
            return BUSY
        began = monotonic()
        self._running += 1
        try:
            result = await self._check(attempt)
            if isinstance(result, SignInRefused):
                if result is not BUSY:
                    self._rates.record_failure(attempt.network)
                wait_outside()
                await asyncio.sleep(self._refusal_delay(began, attempt.network))
            return result
        finally:
            self._running -= 1

    def _refusal_delay(self, began: float, network: str) -> float:
        took = monotonic() - began
        grid = math.ceil(took / STEP_SECONDS) * STEP_SECONDS
        return grid - took + self._rates.delay(network)

    async def _check(self, attempt: SignInAttempt) -> SignedIn | SignInRefused:
        user_id, now = attempt.user_id.strip().lower(), self._context.clock()
        if not valid_user_id(user_id):
            return WRONG_CREDENTIALS
        async with self._context.database() as connection:
            known = await users.credentials(connection, user_id)
        own = None
        if known is not None:
            own = known_browser.verify_cookie(attempt.browser, user_id, known.password_hash)
        rank = 0 if own else int(self._rates.score(attempt.network) >= NETWORK_RULE.free) + 1
        if self._checker.is_full(rank):
            return BUSY
        keys = _AttemptKeys(
            user_id=user_id,
            network=attempt.network,
            password_hash=known.password_hash if known else "",
            browser=own,
        )
        again_at = await self._count_attempt(keys, known, now)
        if again_at is not None:
            return _too_soon(again_at, now)
        try:
            if known is None or not known.active:
                checked = await self._checker.simulate_check(rank)
            else:
                checked = await self._checker.check(known.password_hash, attempt.password, rank)
        except BusyError:
            self._failures.undo_attempt(keys.first_key)
            return BUSY
        if known is None or not checked.right:
            return WRONG_CREDENTIALS
        return await self._start_session(keys, checked.rehashed, known.password_hash)

    async def _count_attempt(
        self, keys: _AttemptKeys, known: users.Credentials | None, now: datetime
    ) -> datetime | None:
        """Count the attempt as failed until it succeeds; returns when the next one is allowed."""
        again_at = self._failures.begin_attempt(keys.first_key, now, NETWORK_RULE)
        if again_at is not None or keys.browser is not None:
            return again_at
        if known is None:
            again_at = self._failures.begin_attempt(keys.user_id, now, ACCOUNT_RULE)
        else:
            async with self._context.database() as connection:
                again_at = await sessions.begin_attempt(
                    connection, user_id=keys.user_id, now=now, rule=ACCOUNT_RULE
                )
        if again_at is not None:
            self._failures.undo_attempt(keys.first_key)
        return again_at

    async def _start_session(
        self, keys: _AttemptKeys, rehashed: str | None, password_hash: str
    ) -> SignedIn:
        token, now = secrets.token_urlsafe(32), self._context.clock()
        self._failures.clear(keys.first_key)
        async with self._context.database() as connection:
            if keys.browser is None:
                await sessions.clear_failures(connection, keys.user_id)
            if rehashed is not None:
                await users.rehash(connection, keys.user_id, rehashed)
            await sessions.create(
                connection,
                token_sha256=token_digest(token),
                user_id=keys.user_id,
                csrf=secrets.token_urlsafe(24),
                now=now,
            )
        browser = known_browser.issue_cookie(keys.user_id, rehashed or password_hash)
        return SignedIn(token, keys.user_id, browser)


@dataclass(frozen=True, slots=True)
class _AttemptKeys:
    """The keys that an attempt is counted under."""

    user_id: str
    network: str
    password_hash: str
    browser: str | None

    @property
    def first_key(self) -> str:
        """The browser that the user has signed in with, or the user from this network. A new
        password starts a new count."""
        if self.browser is not None:
            return f"browser\0{self.browser}"
        return f"{self.user_id}\0{self.network}\0{self.password_hash[-16:]}"


def _too_soon(again_at: datetime, now: datetime) -> SignInRefused:
    seconds = math.ceil((again_at - now).total_seconds())
    wait = f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
    message = f"Too many attempts for this user. Wait {wait}, then try again."
    return SignInRefused(message, 429, seconds)
