"""Passwords: argon2id with the parameters of RFC 9106 for a machine with little memory."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import monotonic
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
"""Characters of a password that a person may choose (NIST SP 800-63B asks for 8 and more)."""
_HASHER = PasswordHasher()
AT_ONCE = 2
"""Each check takes 64 MiB; so many may run together …"""
WAITING = 32
"""… so many wait for them, and more are told to come back."""
_REMEMBERED = 32


class BusyError(Exception):
    """More checks wait already than may."""


class Checked(NamedTuple):
    """What a check said."""

    right: bool
    rehashed: str | None = None
    """The same password under today's parameters, where the stored hash has older ones."""


def hash_password(password: str) -> str:
    """The password's hash, with a salt of its own."""
    return _HASHER.hash(password)


def check_password(password_hash: str | None, password: str) -> Checked:
    """Whether the password fits the hash; where there is none, it does not.

    >>> check_password(hash_password("a long sentence"), "a long sentence").right
    True
    >>> check_password(None, "nobody has this password").right
    False
    """
    try:
        _HASHER.verify(password_hash or "", password)
    except (VerificationError, InvalidHashError):
        return Checked(False)
    old = _HASHER.check_needs_rehash(password_hash or "")
    return Checked(True, hash_password(password) if old else None)


class Checker:
    """Checks passwords in threads, a few at once; the most trusted first.

    A user who is not there is not checked, only waited for: a flood of invented names costs no time
    that a nurse's check would have to wait for.
    """

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._free, self._most = at_once, waiting
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="passwords")
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    def full(self, rank: int) -> bool:
        """Whether a check of this rank would be turned away now."""
        if self._free > 0:
            return False
        self._line = [one for one in self._line if not one[2].done()]  # who left meanwhile
        heapq.heapify(self._line)
        return len(self._line) >= self._most and all(one[0] <= rank for one in self._line)

    async def check(self, password_hash: str, password: str, rank: int = 1) -> Checked:
        """As :func:`check_password`, in its turn.

        Args:
            rank: 0 goes first. A full line lets go of its lowest for a better one.

        Raises:
            BusyError: too many wait.
        """
        began = monotonic()
        await self._turn(rank)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, check_password, password_hash, password)
        finally:
            self._next()
            self._took.append(monotonic() - began)

    async def pretend(self, rank: int = 1) -> Checked:
        """Take as long as a check does, of late."""
        if not self._took:  # nobody was checked yet: find out how long it takes
            await self.check(_HASHER.hash("nobody has this password"), "nor this one", rank)
        else:
            await asyncio.sleep(max(self._took))
        return Checked(False)

    async def _turn(self, rank: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if self.full(rank):
            raise BusyError
        if len(self._line) >= self._most:
            last = max(self._line)
            self._line.remove(last)
            heapq.heapify(self._line)
            last[2].set_exception(BusyError)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self._next()  # it was this one's turn already
            raise

    def _next(self) -> None:
        while self._line:
            _, _, turn = heapq.heappop(self._line)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
