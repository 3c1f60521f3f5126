"""How many messages the store takes at once. A message carries one reading, or a night's."""

from __future__ import annotations

from collections.abc import Sequence

from vigil.domain.reading import Upload
from vigil.streaming.handler import Received

FULL_ROWS = 20_000
"""Readings that a batch aims at: enough to share what a transaction costs by itself, and what the
board's newest values cost, and few enough to be written in a fraction of a second."""
LEAST_MESSAGES = 200
MOST_MESSAGES = 20_000


def next_size(batch: Sequence[Received], present: int) -> int:
    """Messages to take next, by what the last ones carried.

    A batch that was not full tells nothing: the store keeps up, and takes what is there.

    Args:
        batch: the last batch.
        present: how many it could have been.
    """
    if len(batch) < present:
        return present
    readings = sum(
        len(received.message.measurements)
        for received in batch
        if isinstance(received.message, Upload)
    )
    fitting = FULL_ROWS * len(batch) // max(readings, len(batch))
    return max(LEAST_MESSAGES, min(MOST_MESSAGES, fitting))
