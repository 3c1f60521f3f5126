"""A robust running centre and spread, and what is usual for one signal of one person.

Each learned value is first clipped to within two spreads of the centre (Huber's M-estimator, Ann.
Math. Stat. 1964, here with a fading memory), so that an outlier pulls no more than a far value
would. The spread is 1.28 times the mean of the clipped deviations, which for a normal distribution
is its standard deviation. A value weighs the minutes since the one before, so that a device that
measures every second and one that measures every hour forget in the same *time*.

Both means are river's weighted ``stats.Mean``, its arithmetic written out on plain numbers: a
patient has dozens of them, and two objects each cost most of the memory and a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

CLIP_SPREADS = 2.0
DEVIATION_TO_SPREAD = 1.280568522317076
"""A normal distribution's standard deviation over its mean absolute deviation clipped at two."""


class Estimate:
    """Centre and spread of one quantity.

    >>> resting = Estimate(prior=(74.0, 11.0), weight=60.0, floor=3.0)
    >>> for value in [60, 58, 59, 61, 58] * 400:
    ...     resting.take(float(value), w=1.0, memory=inf)
    >>> round(resting.centre), resting.spread
    (60, 3.0)
    """

    __slots__ = ("centre", "deviation", "floor", "readings", "spread", "weight")

    def __init__(self, prior: tuple[float, float], weight: float, floor: float):
        self.floor = floor
        """The spread is never taken as narrower."""
        self.weight = weight
        """Minutes of data that centre and spread rest on, the prior's included."""
        self.centre = prior[0]
        """Robust."""
        self.deviation = prior[1] / DEVIATION_TO_SPREAD
        """Mean absolute deviation from it, clipped."""
        self.readings = 0
        self.spread = max(floor, DEVIATION_TO_SPREAD * self.deviation)
        """The robust standard deviation."""

    def take(
        self, value: float, w: float, memory: float, low: float = -inf, high: float = inf
    ) -> None:
        """Learn a value that stands for ``w`` minutes.

        Args:
            memory: minutes of data that are remembered at most.
            low: the centre is not moved below it.
            high: nor above this.
        """
        mid = self.centre
        off, reach = value - mid, CLIP_SPREADS * self.spread
        if off > reach:
            off = reach
        elif off < -reach:
            off = -reach
        n = self.weight
        if n + w > memory:
            n = memory - w if memory > w else 0.0
        self.weight = n = n + w
        share = w / n
        self.deviation += share * ((off if off > 0 else -off) - self.deviation)
        if off * share > high - mid:
            off = (high - mid) / share
        elif off * share < low - mid:
            off = (low - mid) / share
        self.centre = mid + share * (mid + off - mid)
        self.readings += 1
        spread = DEVIATION_TO_SPREAD * self.deviation
        self.spread = spread if spread > self.floor else self.floor

    def dump(self) -> list[float]:
        """Its numbers."""
        return [self.weight, self.centre, self.deviation, self.readings]

    def restore(self, numbers: Sequence[float]) -> None:
        """Take over numbers from :meth:`dump`."""
        self.weight = float(numbers[0])
        self.centre = float(numbers[1])
        self.deviation = float(numbers[2])
        self.readings = int(numbers[3])
        self.spread = max(self.floor, DEVIATION_TO_SPREAD * self.deviation)


def restored(floor: float, numbers: Sequence[float]) -> Estimate:
    """An estimate from what :meth:`Estimate.dump` gave."""
    one = Estimate((0.0, 0.0), 0.0, floor)
    one.restore(numbers)
    return one
