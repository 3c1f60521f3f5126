"""How many requests are answered at once, so that no kind of them keeps the others out."""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal

Kind = Literal["devices", "board", "open"]
"""``open``: whatever a stranger may ask for: signing in, a phone's pages, files."""
SHARES: MappingProxyType[Kind, float] = MappingProxyType(
    {"devices": 0.75, "board": 0.75, "open": 0.5}
)
"""The part of all slots that one kind may hold. A flood of one leaves room for the others."""


class Slots:
    """One a process; used by its event loop alone."""

    def __init__(self, at_most: int):
        self._free = at_most
        self._held: Counter[Kind] = Counter()
        self._shares = {kind: max(1, int(at_most * part)) for kind, part in SHARES.items()}

    def take(self, kind: Kind) -> Slot | None:
        """A slot, or None where none is free for this kind.

        >>> slots = Slots(4)
        >>> held = [slots.take("open") for _ in range(3)]
        >>> [slot is not None for slot in held], slots.take("devices") is not None
        ([True, True, False], True)
        """
        if self._free < 1 or self._held[kind] >= self._shares[kind]:
            return None
        self._free -= 1
        self._held[kind] += 1
        return Slot(self, kind)

    def _give_back(self, kind: Kind) -> None:
        self._free += 1
        self._held[kind] -= 1


class Slot:
    """One request's; given back once."""

    def __init__(self, slots: Slots, kind: Kind):
        self._slots: Slots | None = slots
        self._kind = kind

    def give_back(self) -> None:
        """Let another request have it."""
        if self._slots is not None:
            self._slots._give_back(self._kind)
            self._slots = None


SLOT: ContextVar[Slot | None] = ContextVar("vigil_slot", default=None)


def wait_outside() -> None:
    """Give this request's slot back early: it only waits from now on, which costs nothing."""
    slot = SLOT.get()
    if slot is not None:
        slot.give_back()
