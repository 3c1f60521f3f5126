"""How many requests are answered at once, so that no kind of them keeps the others out."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal

Kind = Literal["devices", "board", "open"]
"""``open``: whatever a stranger may ask for: signing in, a phone's pages, files."""
SHARES: MappingProxyType[Kind, float] = MappingProxyType(
    {"devices": 0.75, "board": 0.75, "open": 0.5}
)
"""The part of all slots that one kind may hold. A flood of one leaves room for the others."""
PATIENCE_SECONDS = 3.0
"""How long a request waits for a slot: a burst passes, and whoever only asks again and again is
slowed down."""
WAITING = 4
"""So many times its slots, requests of a kind may wait."""


class Slots:
    """One a process; used by its event loop alone."""

    def __init__(self, at_most: int):
        self._free = at_most
        self._held: Counter[Kind] = Counter()
        self._shares = {kind: max(1, int(at_most * part)) for kind, part in SHARES.items()}
        self._waiting: dict[Kind, deque[asyncio.Future[None]]] = {kind: deque() for kind in SHARES}

    async def take(self, kind: Kind) -> Slot | None:
        """A slot, in the order of asking; None where none came free for this kind in time."""
        waiting = self._waiting[kind]
        if not waiting and self._has(kind):
            self._count(kind)
            return Slot(self, kind)
        if len(waiting) >= WAITING * self._shares[kind]:
            return None
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=PATIENCE_SECONDS)
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
    """One request's; given back once."""

    def __init__(self, slots: Slots, kind: Kind):
        self._slots: Slots | None = slots
        self._kind = kind

    def give_back(self) -> None:
        """Let another request have it."""
        if self._slots is not None:
            slots, self._slots = self._slots, None
            slots._give_back(self._kind)


SLOT: ContextVar[Slot | None] = ContextVar("vigil_slot", default=None)


def wait_outside() -> None:
    """Give this request's slot back early: it only waits from now on, which costs nothing."""
    slot = SLOT.get()
    if slot is not None:
        slot.give_back()
