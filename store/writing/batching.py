"""How many messages the store reads at once. A message has one reading, or those of a night."""

from __future__ import annotations

from collections.abc import Sequence

from vigil.domain.reading import Upload
from vigil.streaming.handler import Received

FULL_ROWS = 20_000
"""Target number of readings in a batch: enough to amortise a transaction and the update of the
newest values, and few enough to be written in a fraction of a second."""
LEAST_MESSAGES = 200
MOST_MESSAGES = 20_000


def next_size(batch: Sequence[Received], present: int) -> int:
    """The number of messages to read next, from the readings in the last batch.

    A batch that was not full changes nothing: the store has no backlog.

    Args:
        batch: the last batch.
        present: its maximum size, in messages.
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
