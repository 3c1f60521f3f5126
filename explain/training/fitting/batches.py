"""Examples to batches of about the same length, in an order that seed and epoch settle."""

from __future__ import annotations

import random
from collections.abc import Sequence

from explain.training.examples import Encoded

POOL = 12
"""Batches whose examples are sorted by length together: less padding, and still a mixed order."""


def shuffled_batches(
    examples: Sequence[Encoded], size: int, seed: int, epoch: int
) -> list[list[Encoded]]:
    """All examples once, in batches of ``size``; the last may be smaller."""
    draw = random.Random(f"{seed}:{epoch}")  # noqa: S311  (an order, no secret)
    order = list(examples)
    draw.shuffle(order)
    pool = size * POOL
    made = [
        list(part[at : at + size])
        for start in range(0, len(order), pool)
        for part in [sorted(order[start : start + pool], key=lambda x: len(x.tokens))]
        for at in range(0, len(part), size)
    ]
    draw.shuffle(made)
    return made


def batches_by_length(examples: Sequence[Encoded], size: int) -> list[list[Encoded]]:
    """All examples once, the shortest first: for judging, where the order does not matter."""
    order = sorted(examples, key=lambda x: len(x.tokens))
    return [order[at : at + size] for at in range(0, len(order), size)]
