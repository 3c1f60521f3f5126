"""Passwords: argon2id with the parameters of RFC 9106 for a machine with little memory."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from time import monotonic

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
"""Characters of a password that a person may choose (NIST SP 800-63B asks for 8 and more)."""
_HASHER = PasswordHasher()
AT_ONCE = 2
"""Checks that run at once; each takes 64 MiB."""
WAITING = 32
"""Checks that may wait for them; further ones are refused."""
_REMEMBERED = 32
"""Durations of recent checks that are remembered."""


class BusyError(Exception):
    """Too many checks are waiting."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """The result of a check."""

    right: bool
    rehashed: str | None = None
    """The password hashed with today's parameters, where the stored hash has older ones."""


def hash_password(password: str) -> str:
    """Hash a password, with a random salt."""
    return _HASHER.hash(password)


def check_password(password_hash: str | None, password: str) -> PasswordCheck:
    """Whether the password matches the hash; False where there is no hash.

    >>> check_password(hash_password("a long sentence"), "a long sentence").right
    True
    >>> check_password(None, "nobody has this password").right
    False
    """
    try:
        _HASHER.verify(password_hash or "", password)
    except (VerificationError, InvalidHashError):
        return PasswordCheck(right=False)
    old = _HASHER.check_needs_rehash(password_hash or "")
    return PasswordCheck(right=True, rehashed=hash_password(password) if old else None)


class PasswordChecker:
    """Checks passwords in threads, a few at once; the most trusted first.

    For an unknown user nothing is computed, only waited: a flood of invented names does not delay
    the checks of real users.
    """

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._free, self._max_waiting = at_once, waiting
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="passwords")
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    def is_full(self, rank: int) -> bool:
        """Whether a check of this rank would be refused now."""
        if self._free > 0:
            return False
        self._queue = [one for one in self._queue if not one[2].done()]  # without cancelled ones
        heapq.heapify(self._queue)
        return len(self._queue) >= self._max_waiting and all(one[0] <= rank for one in self._queue)

    async def check(self, password_hash: str, password: str, rank: int = 1) -> PasswordCheck:
        """Like :func:`check_password`, after waiting for a free thread.

        Args:
            rank: 0 goes first. A full queue drops its lowest rank for a better one.

        Raises:
            BusyError: too many checks wait.
        """
        began = monotonic()
        await self._turn(rank)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, check_password, password_hash, password)
        finally:
            self._next()
            self._took.append(monotonic() - began)

    async def simulate_check(self, rank: int = 1) -> PasswordCheck:
        """Wait as long as recent checks took."""
        if not self._took:  # no check yet: measure one
            await self.check(_HASHER.hash("nobody has this password"), "nor this one", rank)
        else:
            await asyncio.sleep(max(self._took))
        return PasswordCheck(right=False)

    async def _turn(self, rank: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if self.is_full(rank):
            raise BusyError
        if len(self._queue) >= self._max_waiting:
            last = max(self._queue)
            self._queue.remove(last)
            heapq.heapify(self._queue)
            last[2].set_exception(BusyError)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self._next()  # its turn had come
            raise

    def _next(self) -> None:
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
