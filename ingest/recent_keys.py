"""A bounded set of recent keys."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class RecentKeys(Generic[Key]):
    """Remembers the last ``capacity`` keys at least, and twice as many at most.

    Two sets take turns: when the young one is full, the old one is dropped and the young one
    becomes it. Each step is O(1), without the bookkeeping of an exact order.

    >>> recent = RecentKeys[str](2)
    >>> [recent.add(key) for key in ("a", "a", "b", "a")]
    [True, False, True, False]
    """

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._young: set[Key] = set()
        self._old: set[Key] = set()

    def __contains__(self, key: Key) -> bool:
        return key in self._young or key in self._old

    def add(self, key: Key) -> bool:
        """Remember a key; True if it was not known."""
        if key in self:
            return False
        self._young.add(key)
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, set()
        return True
