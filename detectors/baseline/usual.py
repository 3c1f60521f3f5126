"""What is known of one signal of one patient: a level, and offsets by activity and time of day.

A signal's usual value is the sum of the *level* (one a person, learned from all that is not
activity) and an *offset* (one for each activity and part of the day, learned slowly): a bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from detectors.baseline.configuration import BaselineConfig, Usual
from detectors.baseline.estimates import Estimate, restored
from detectors.baseline.sustained import Window
from detectors.context.activity import PERIODS
from vigil.values.sums import total

DAY = 86400.0
Keys = Mapping[str, tuple[str, ...]]
"""Period → the bin of each part of the day."""


class Known:
    """What is known of one signal of one patient. Changed by what is learned."""

    __slots__ = ("anchor", "bins", "day", "learned", "level", "signal", "usual", "weight", "window")

    def __init__(self, signal: str, usual: Usual, weight: float):
        centre, spread = usual.prior["rest"]
        self.signal, self.usual = signal, usual
        self.weight = weight
        """Minutes of data that the population's prior counts as."""
        self.level = Estimate(prior=(centre, spread), weight=weight, floor=usual.floor)
        self.bins: dict[str, Estimate] = {}
        """``rest:2`` → offset from the level, and spread of single values about the usual."""
        self.window = Window()
        self.learned = -inf
        """Time of the last value learned."""
        self.day = -1.0
        self.anchor = centre
        """The level when that day began."""

    def here(self, key: str) -> tuple[float, float]:
        """Centre and spread of single values in a bin."""
        own = self.bins.get(key)
        if own is None:
            own = self._born(key)
        return self.level.centre + own.centre, own.spread

    def ready(self, settings: BaselineConfig) -> bool:
        """Whether enough is known to call anything unusual."""
        level = self.level
        enough = level.readings >= settings.ready_readings
        return enough and level.weight - self.weight >= settings.ready_minutes

    def confidence(self, activity: str, settings: BaselineConfig) -> float:
        """How far the person's own data of an activity go: 0 to 1."""
        bins = [one for key, one in self.bins.items() if key.partition(":")[0] == activity]
        own = total(one.weight - self.weight for one in bins)
        return max(0.0, min(1.0, own / settings.ready_minutes))

    def learn(
        self,
        value: float,
        time: float,
        key: str,
        settings: BaselineConfig,
        *,
        keep: int,
        frozen: bool,
        watched: bool,
    ) -> None:
        """Carry the window on; learn the value, but once in ``learn_every_seconds`` at most.

        Args:
            key: the bin.
            keep: how many blocks the window holds.
            frozen: an episode is open on the signal, and the value is not learned.
            watched: one is open or on its way, and what is learned is being adopted.
        """
        own = self.bins.get(key)
        if own is None:
            own = self.bins[key] = self._born(key)
        level, window = self.level, self.window
        active = key.startswith("active")
        if not active:
            off = value - level.centre - own.centre
            window.add(time, off, self.usual.block_seconds, settings.gap_seconds, keep)
        elif window.count or window.means:
            (window.drop if frozen else window.interrupt)()
        past = time - self.learned
        if frozen or past < settings.learn_every_seconds:
            return
        weight = 1.0
        if past > 60.0 and self.learned != -inf:
            weight = min(past / 60, settings.longest_weight_minutes)
        self.learned = time
        if not active:
            low, high = self._bounds(time, settings, watched)
            level.take(value - own.centre, weight, settings.memory_minutes, low, high)
        own.take(value - level.centre, weight, settings.memory_minutes)

    def dump(self) -> list[Any]:
        """``[level, bins, window, [learned, day, anchor]]``."""
        return [
            self.level.dump(),
            {key: one.dump() for key, one in self.bins.items()},
            self.window.dump(),
            [self.learned, self.day, self.anchor],
        ]

    def restore(self, plain: list[Any]) -> None:
        """Take over numbers from :meth:`dump`."""
        level, bins, window, days = plain
        self.level.restore(level)
        for key, numbers in bins.items():
            self.bins[key] = restored(self.usual.floor, numbers)
        self.window.restore(window)
        self.learned, self.day, self.anchor = days

    def _bounds(self, time: float, settings: BaselineConfig, watched: bool) -> tuple[float, float]:
        """How far the level may move today; anywhere, until its memory is full."""
        centre = self.level.centre
        day = time // DAY
        if day != self.day:
            self.day, self.anchor = day, centre
        if self.level.weight < settings.memory_minutes:
            return -inf, inf
        most = self.usual.adopt_per_day if watched else self.usual.most_per_day
        return min(self.anchor - most, centre), max(self.anchor + most, centre)

    def _born(self, key: str) -> Estimate:
        """A bin that is new: handed the person's offset of that activity, else the population's."""
        activity = key.partition(":")[0]
        prior = self.usual.prior
        alike = [one for name, one in self.bins.items() if name.partition(":")[0] == activity]
        offset, spread = prior[activity][0] - prior["rest"][0], prior[activity][1]
        if alike:
            weight = total(one.weight for one in alike)
            offset = total(one.centre * one.weight for one in alike) / weight
            spread = total(one.spread * one.weight for one in alike) / weight
        return Estimate(prior=(offset, spread), weight=self.weight, floor=self.usual.floor)


def bins_of(slots: int) -> Keys:
    """Period → bins: parts of the day, or day and night as in the period.

    >>> bins_of(2)["rest:night"], bins_of(3)["rest:night"]
    (('rest:night', 'rest:night'), ('rest:0', 'rest:1', 'rest:2'))
    """
    periods = [period for both in PERIODS.values() for period in both]
    if slots == 2:
        return {period: (period, period) for period in periods}
    return {
        period: tuple(f"{period.partition(':')[0]}:{slot}" for slot in range(slots))
        for period in periods
    }


def of_first_version(plain: list[Any], keys: Mapping[str, Keys]) -> dict[str, Any]:
    """``[{signal: {period: numbers}}, {signal: time}]``, whose centres were the values' own.

    Args:
        keys: signal → its bins, of the signals that are judged.
    """
    periods_of, learned = plain
    result = {}
    for signal, periods in periods_of.items():
        still = [numbers for period, numbers in periods.items() if not period.startswith("active")]
        if signal not in keys or not still:
            continue
        level = max(still, key=lambda numbers: numbers[0])
        bins = {
            key: [weight, centre - level[1], deviation, readings]
            for period, (weight, centre, deviation, readings) in sorted(periods.items())
            for key in keys[signal][period]
        }
        days = [learned.get(signal, -inf), -1.0, level[1]]
        result[signal] = [level, bins, Window().dump(), days]
    return result
