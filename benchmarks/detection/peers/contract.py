"""What a peer is: something that gives each row a score, from what came before alone.

The harness makes one scorer a person, gives it every row in order of time, and sweeps the threshold
over the scores: a peer never chooses its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from benchmarks.detection.rows import Row


class Scorer(Protocol):
    """One person's."""

    def score(self, row: Row) -> float:
        """How unusual this row is; larger is more so. Judge first, then learn."""


class Peer(NamedTuple):
    """A way of scoring."""

    name: str
    make: Callable[[int], Scorer]
    """How many readings it should remember → a scorer for one person."""
    source: str
    every_minutes: int = 1
    """More than 1: it is slow, and is given one row in so many minutes."""
