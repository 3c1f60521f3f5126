"""Signing in: the password, the wait after failures, the token in the cookie."""

from __future__ import annotations

import math
import re
import secrets
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from dashboard.passwords import Checker
from store import sessions, users

if TYPE_CHECKING:
    from dashboard.context import WebContext

HOME = "/board/"
RULE = sessions.Backoff()
WRONG = "The user name or the password is not right."
_USER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


class SignedIn(NamedTuple):
    """A session that has begun."""

    token: str
    """For the cookie; nothing of ours stores it."""


class Refused(NamedTuple):
    """No session, and what the person reads."""

    message: str
    status: int


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


def _wait_words(again_at: datetime, now: datetime) -> str:
    seconds = math.ceil((again_at - now).total_seconds())
    wait = f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
    return f"Too many attempts for this user. Wait {wait}, then try again."


async def sign_in(
    context: WebContext, checker: Checker, user_id: str, password: str
) -> SignedIn | Refused:
    """Check a password and begin a session.

    An unknown user, a disabled one and a wrong password give the same answer, take the same time
    and count the same.

    Raises:
        UnavailableError: the database is away.
    """
    user_id, now = user_id.strip().lower(), context.clock()
    if not valid_user_id(user_id):
        return Refused(WRONG, 401)
    async with context.database() as connection:
        again_at = await sessions.begin_attempt(connection, user_id, now, RULE)
        known = None if again_at else await users.credentials(connection, user_id)
    if again_at is not None:
        return Refused(_wait_words(again_at, now), 429)
    checked = await checker.check(known.password_hash if known else None, password)
    if known is None or not known.active or not checked.right:
        return Refused(WRONG, 401)
    token = secrets.token_urlsafe(32)
    async with context.database() as connection:
        await sessions.clear_failures(connection, user_id)
        if checked.rehashed is not None:
            await users.rehash(connection, user_id, checked.rehashed)
        await sessions.create(connection, digest(token), user_id, secrets.token_urlsafe(24), now)
    return SignedIn(token)
