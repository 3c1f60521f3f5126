"""Passwords: argon2id with the parameters of RFC 9106 for a machine with little memory."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
"""Characters of a password that a person may choose (NIST SP 800-63B asks for 8 and more)."""
_HASHER = PasswordHasher()
_AT_ONCE = 2
"""Each check takes 64 MiB; so many may run together, the others wait."""


class Checked(NamedTuple):
    """What a check said."""

    right: bool
    rehashed: str | None = None
    """The same password under today's parameters, where the stored hash has older ones."""


def hash_password(password: str) -> str:
    """The password's hash, with a salt of its own."""
    return _HASHER.hash(password)


@cache
def _nobody() -> str:
    """Checked where there is no such user, so that the answer takes as long."""
    return _HASHER.hash("nobody has this password")


def check_password(password_hash: str | None, password: str) -> Checked:
    """Whether the password fits the hash; takes as long where there is no hash.

    >>> check_password(hash_password("a long sentence"), "a long sentence").right
    True
    >>> check_password(None, "nobody has this password").right
    False
    """
    try:
        _HASHER.verify(password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return Checked(False)
    if password_hash is None:
        return Checked(False)
    old = _HASHER.check_needs_rehash(password_hash)
    return Checked(True, hash_password(password) if old else None)


class Checker:
    """Checks passwords in threads, a few at once."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def check(self, password_hash: str | None, password: str) -> Checked:
        """As :func:`check_password`."""
        async with self._slots:
            return await asyncio.to_thread(check_password, password_hash, password)
