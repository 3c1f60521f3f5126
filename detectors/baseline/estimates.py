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

from collections.abc import Mapping
from math import inf

from river.base import AnomalyDetector

CLIP_SPREADS = 2.0
DEVIATION_TO_SPREAD = 1.280568522317076
"""A normal distribution's standard deviation over its mean absolute deviation clipped at two."""


class Estimate(AnomalyDetector):  # type: ignore[misc]
    """Centre and spread of one quantity: an anomaly detector of river's.

    >>> resting = Estimate("heart_rate", prior=(74.0, 11.0), weight=60.0, floor=3.0)
    >>> for value in [60, 58, 59, 61, 58] * 400:
    ...     resting.learn_one({"heart_rate": float(value)})
    >>> round(resting.centre), resting.spread, round(resting.score_one({"heart_rate": 74.0}))
    (60, 3.0, 5)
    """

    __slots__ = ("centre", "deviation", "floor", "readings", "signal", "spread", "weight")

    centre: float
    """Robust."""
    deviation: float
    """Mean absolute deviation from it, clipped."""
    spread: float
    """The robust standard deviation."""
    weight: float
    """Minutes of data that they rest on, the prior's included."""

    def __init__(self, signal: str, prior: tuple[float, float], weight: float, floor: float):
        self.signal = signal
        self.floor = floor
        """The spread is never taken as narrower."""
        self.restore([weight, prior[0], prior[1] / DEVIATION_TO_SPREAD, 0])

    @classmethod
    def restored(cls, signal: str, floor: float, numbers: list[float]) -> Estimate:
        """One from what :meth:`dump` gave."""
        one = cls.__new__(cls)
        one.signal, one.floor = signal, floor
        one.restore(numbers)
        return one

    def score_one(self, x: Mapping[str, float]) -> float:
        """Signed distance from the centre in spreads; 0 where the signal is missing."""
        value = x.get(self.signal)
        return 0.0 if value is None else (value - self.centre) / self.spread

    def learn_one(self, x: Mapping[str, float], w: float = 1.0, memory: float = inf) -> None:
        """Learn a value that stands for ``w`` minutes, remembering ``memory`` minutes at most."""
        value = x.get(self.signal)
        if value is not None:
            self.take(value, w, memory)

    def take(
        self, value: float, w: float, memory: float, low: float = -inf, high: float = inf
    ) -> None:
        """Learn a plain value; the centre is not moved past ``low`` or ``high``."""
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

    def restore(self, numbers: list[float]) -> None:
        """Take over numbers from :meth:`dump`."""
        self.weight, self.centre, self.deviation = map(float, numbers[:3])
        self.readings = int(numbers[3])
        self.spread = max(self.floor, DEVIATION_TO_SPREAD * self.deviation)
