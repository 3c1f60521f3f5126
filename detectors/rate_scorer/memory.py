"""What is remembered of a patient's heart rate in blocks of five minutes."""

from __future__ import annotations

from msgspec import Struct


class Blocks(Struct, array_like=True):
    """What is remembered of a patient."""

    last: float = -1e12
    """Time of the newest rate."""
    start: float = 0.0
    """When the block under way began."""
    total: float = 0.0
    count: int = 0
    means: list[float] = []
    """Of the last blocks, without a break."""
    starts: list[float] = []
    learned: float = 0.0
    """Blocks that the distribution rests on."""
    mean: float = 0.0
    variance: float = 0.0
    night_blocks: int = 0
    """Of those learned, how many were at night: who was never seen asleep is not judged."""
