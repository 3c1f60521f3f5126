"""How many requests are answered at once; no kind of request can block the others."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal

Kind = Literal["devices", "board", "open"]
"""``open``: what an unknown visitor may request: signing in, a phone's pages, files."""
SHARES: MappingProxyType[Kind, float] = MappingProxyType(
    {"devices": 0.75, "board": 0.75, "open": 0.5}
)
"""The part of all slots that one kind may hold. A flood of one leaves room for the others."""
WAIT_SECONDS = 3.0
"""How long a request waits for a slot: a burst passes, and a client that repeats its request is
slowed down."""
WAITING = 4
"""Requests of a kind that may wait, as a multiple of its slots."""


class Slots:
    """The slots of one process; used by its event loop alone.

    Args:
        at_most: slots in all.
    """

    def __init__(self, at_most: int):
        self._free = at_most
        self._held: Counter[Kind] = Counter()
        self._shares = {kind: max(1, int(at_most * part)) for kind, part in SHARES.items()}
        self._waiting: dict[Kind, deque[asyncio.Future[None]]] = {kind: deque() for kind in SHARES}

    async def take(self, kind: Kind) -> Slot | None:
        """A slot, first come first served; None: none was free for this kind in time."""
        waiting = self._waiting[kind]
        if not waiting and self._has(kind):
            self._count(kind)
            return Slot(self, kind)
        if len(waiting) >= WAITING * self._shares[kind]:
            return None
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=WAIT_SECONDS)
        except asyncio.CancelledError:
            if turn.done():  # it was this one's turn already
                self._give_back(kind)
            else:
                waiting.remove(turn)
            raise
        if turn.done():
            return Slot(self, kind)
        waiting.remove(turn)
        return None

    def _has(self, kind: Kind) -> bool:
        return self._free > 0 and self._held[kind] < self._shares[kind]

    def _count(self, kind: Kind) -> None:
        self._free -= 1
        self._held[kind] += 1

    def _give_back(self, kind: Kind) -> None:
        self._free += 1
        self._held[kind] -= 1
        for other in (kind, *(one for one in self._waiting if one != kind)):
            while self._waiting[other] and self._has(other):
                self._waiting[other].popleft().set_result(None)
                self._count(other)


class Slot:
    """The slot of one request; given back once."""

    def __init__(self, slots: Slots, kind: Kind):
        self._slots: Slots | None = slots
        self._kind = kind

    def give_back(self) -> None:
        """Free the slot for another request."""
        if self._slots is not None:
            slots, self._slots = self._slots, None
            slots._give_back(self._kind)


SLOT: ContextVar[Slot | None] = ContextVar("vigil_slot", default=None)


def wait_outside() -> None:
    """Give this request's slot back early: from now on it only waits, which costs nothing."""
    slot = SLOT.get()
    if slot is not None:
        slot.give_back()
