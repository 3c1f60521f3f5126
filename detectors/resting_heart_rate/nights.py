"""One night's resting heart rate, gathered reading by reading in a small histogram.

The value of a night is the *lower quartile* of its minutes at rest. NightSignal (Alavi et al.,
Nature Medicine 2022, doi 10.1038/s41591-021-01593-2) takes their mean at zero steps between 0 and
7 o'clock. A quartile also holds where nobody knows steps: while the person sleeps at least a
quarter of the measured time, minutes awake or out of bed cannot reach it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from vigil.values.rounding import half_up

LOWEST = 25
"""Beats a minute of the first bin; slower ones count there."""
BINS = 176
"""One a beat: the last counts what is 200 and faster."""
QUARTILE = 0.25
SLOT_SECONDS = 900.0
"""Coverage is counted in quarters of an hour that hold at least one minute at rest."""


class Night(Struct, array_like=True):
    """The night that is being gathered. Plain numbers: it is saved as it is."""

    ends: float = -1e12
    """When it is over; the first reading from then on concludes it."""
    minute: int = -1
    """The last minute counted, since 1970: one reading a minute counts."""
    slots: int = 0
    """Bit i: the i-th quarter of an hour has a minute at rest."""
    first: int = 0
    """The bin of ``counts[0]``."""
    counts: list[int] = []
    """Minutes by heart rate, from the lowest seen to the highest."""

    def add(self, rate: float, minute: int, slot: int) -> None:
        """Count a minute at rest."""
        self.minute = minute
        self.slots |= 1 << slot
        place, counts = int(half_up(rate)) - LOWEST, self.counts
        if not 0 <= place < BINS:
            place = 0 if place < 0 else BINS - 1
        if not counts:
            self.first, self.counts = place, [1]
            return
        at = place - self.first
        if at < 0:
            self.first, self.counts = place, [1] + [0] * (-at - 1) + counts
        elif at < len(counts):
            counts[at] += 1
        else:
            counts.extend([0] * (at - len(counts)))
            counts.append(1)

    @property
    def hours(self) -> float:
        """How much of the night it covers."""
        return self.slots.bit_count() * SLOT_SECONDS / 3600

    @property
    def minutes(self) -> int:
        """Minutes counted."""
        return sum(self.counts)

    def value(self) -> float:
        """The night's resting heart rate in beats a minute, to a tenth. Needs a minute counted."""
        return round(quantile(self.counts, QUARTILE) + LOWEST + self.first, 1)


def quantile(counts: Sequence[int], share: float) -> float:
    """Where that share of the counts is below; bin ``i`` reaches from i − ½ to i + ½.

    >>> quantile([0, 4, 0, 4], 0.25)
    1.0
    >>> quantile([10], 0.25)
    -0.25
    """
    left = share * sum(counts)
    for place, count in enumerate(counts):
        if count >= left:
            return place - 0.5 + (left / count if count else 0.0)
        left -= count
    return float(len(counts))
