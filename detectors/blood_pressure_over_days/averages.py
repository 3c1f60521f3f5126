"""Averages of blood pressure over days, by how often somebody measures.

``full``: what the home protocols ask for, within ``window_days``. ``sparse``: who measures less
often, as once a day or on weekends, over a longer span: from the newest day back over
``least_span_days`` and until the average is as certain as one of ``enough_days`` steady days, at
most ``window_days``. So a change shows within two weeks, and pressures that differ much from day to
day are averaged for longer. Where the newest week holds a full average, it counts alone.

``systolic``: where neither is possible, as of pressures that were palpated, the average of systolic
pressures alone, of days with pairs too, by the rules of the sparse form. It says nothing of the
diastolic pressure, and is less certain however often somebody measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import stdev
from typing import Literal

from msgspec import Struct

from detectors.blood_pressure_over_days.configuration import PressureDaysConfig, Sparse
from vigil.domain import figures
from vigil.values.rounding import half_up
from vigil.values.sums import total

Protocol = Literal["full", "sparse", "systolic"]


class Day(Struct, array_like=True):
    """A local day's readings."""

    number: int
    """Since 1970."""
    readings: int = 0
    systolic: float = 0.0
    """Sums."""
    diastolic: float = 0.0

    @property
    def means(self) -> tuple[float, float]:
        """Systolic and diastolic, mmHg."""
        return self.systolic / self.readings, self.diastolic / self.readings

    def add(self, values: Mapping[str, float]) -> None:
        """Take a pressure; of a systolic one alone the diastolic sum stays."""
        self.readings += 1
        self.systolic += values["systolic"]
        self.diastolic += values.get("diastolic", 0.0)


class Memory(Struct, array_like=True):
    """The days that an average may need, the oldest first; the last may still be going on."""

    days: list[Day] = []
    series: int = 0
    """The first day of the present series."""
    last: float = 0.0
    """When a pressure came last."""
    alone: bool = False
    """Whether it was of a sitting before which nothing was measured for long."""
    systolic_days: list[Day] = []
    """Days' readings of a systolic pressure alone; their diastolic sums are 0."""

    @property
    def newest(self) -> int | None:
        """The newest day with a reading of either kind."""
        return max(
            (days[-1].number for days in (self.days, self.systolic_days) if days), default=None
        )


@dataclass(frozen=True, slots=True)
class Average:
    """The mean of daily means, and what it rests on."""

    protocol: Protocol
    systolic: float
    """A figure, mmHg; like ``diastolic``."""
    diastolic: float | None
    """None: it rests on systolic pressures alone."""
    systolic_error: float
    """Standard error of the mean of days, mmHg; like ``diastolic_error``."""
    diastolic_error: float | None
    days: Sequence[Day]

    @property
    def readings(self) -> int:
        """How many pressures it holds."""
        return sum(day.readings for day in self.days)

    @property
    def span_days(self) -> int:
        """From the first day to the last, both counted."""
        return span_of(self.days)


def span_of(days: Sequence[Day]) -> int:
    """Days from the first to the last, both counted; the newest may stand first.

    >>> span_of([Day(3), Day(9)])
    7
    """
    return abs(days[-1].number - days[0].number) + 1 if days else 0


def average_before(memory: Memory, today: int, settings: PressureDaysConfig) -> Average | None:
    """Over the days before ``today``; None: there are too few, or the pause since was too long."""
    pairs = since_pause(memory.days, settings)
    average = _of_pairs(pairs, memory.series, today, settings)
    if average is not None or not memory.systolic_days:
        return average
    days = _joined(pairs, since_pause(memory.systolic_days, settings))
    if _after_pause(days, today, settings):
        return None
    series = series_of(days, settings.window_days)
    return _sparse_average(days, series, today=today, settings=settings.sparse, protocol="systolic")


def _of_pairs(
    known: Sequence[Day], series: int, today: int, settings: PressureDaysConfig
) -> Average | None:
    """Over the days of readings with both pressures."""
    if _after_pause(known, today, settings):
        return None
    oldest = today - settings.window_days
    days = [day for day in known if day.number >= oldest and day.number != series]
    readings = sum(day.readings for day in days)
    if len(days) >= settings.least_days and readings >= settings.least_readings:
        return _average("full", days, settings.sparse)
    return _sparse_average(known, series, today=today, settings=settings.sparse, protocol="sparse")


def needed_days(days: Sequence[Day], today: int, settings: PressureDaysConfig) -> list[Day]:
    """The days that an average of ``today`` or later may need; none after a long pause."""
    if _after_pause(days, today, settings):
        return []
    sparse = settings.sparse
    oldest = today - (sparse.window_days if sparse.enabled else settings.window_days)
    return [day for day in days if day.number >= oldest]


def since_pause(days: Sequence[Day], settings: PressureDaysConfig) -> Sequence[Day]:
    """The days since the last long pause. Such a pause stays only where readings came late: what
    comes later still may fill it."""
    longest = _longest_pause(settings)
    starts = [n for n, (a, b) in enumerate(pairwise(days), 1) if b.number - a.number > longest]
    return days[starts[-1] :] if starts else days


def _after_pause(days: Sequence[Day], today: int, settings: PressureDaysConfig) -> bool:
    """Whether nothing that is remembered says anything of today."""
    return not days or today - days[-1].number > _longest_pause(settings)


def _longest_pause(settings: PressureDaysConfig) -> int:
    return max(settings.sparse.series_days, settings.window_days)


def _joined(pairs: Sequence[Day], alone: Sequence[Day]) -> list[Day]:
    """The days of both, the oldest first, each with all its systolic pressures."""
    found: dict[int, Day] = {}
    for day in (*pairs, *alone):
        sums = found.setdefault(day.number, Day(day.number))
        sums.readings += day.readings
        sums.systolic += day.systolic
    return [found[number] for number in sorted(found)]


def series_of(days: Sequence[Day], window_days: int) -> int:
    """The first day of the newest series."""
    starts = [days[0].number]
    starts += [b.number for a, b in pairwise(days) if b.number - a.number > window_days]
    return starts[-1]


def figure(name: str, mean: float) -> float:
    """A mean's figure, with what the division left behind the sixth digit taken off first."""
    return figures.figure(name, half_up(mean, 6))


def _sparse_average(
    known: Sequence[Day],
    series: int,
    *,
    today: int,
    settings: Sparse,
    protocol: Literal["sparse", "systolic"],
) -> Average | None:
    if not settings.enabled:
        return None
    days, oldest, spread = list[Day](), today - settings.window_days, settings.least_spread
    judged = [_Certainty(spread.systolic, settings.enough_days)]
    if protocol == "sparse":
        judged.append(_Certainty(spread.diastolic, settings.enough_days))
    for day in reversed(known):
        certain = all(one.enough for one in judged)
        if day.number < oldest or (certain and span_of(days) >= settings.least_span_days):
            break
        if day.number != series:
            days.append(day)
            for one, mean in zip(judged, day.means, strict=False):
                one.add(mean)
    readings = sum(day.readings for day in days)
    if len(days) < settings.least_days or readings < settings.least_readings:
        return None
    if span_of(days) < settings.least_span_days:
        return None
    return _average(protocol, days[::-1], settings)


class _Certainty:
    """Whether the mean of the days so far is as certain as that of enough steady days."""

    __slots__ = ("_count", "_least", "_mean", "_squares", "_wanted")

    def __init__(self, least_spread: float, enough_days: int):
        self._least = least_spread**2
        self._wanted = self._least / enough_days
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, mean: float) -> None:
        """Take a day's mean (Welford)."""
        self._count += 1
        change = mean - self._mean
        self._mean += change / self._count
        self._squares += change * (mean - self._mean)

    @property
    def enough(self) -> bool:
        """Asked once the days have a span, which takes two."""
        if self._count < 2:
            return False
        variance = max(self._squares / (self._count - 1), self._least)
        return variance / self._count <= self._wanted * (1 + 1e-9)


def _average(protocol: Protocol, days: Sequence[Day], settings: Sparse) -> Average:
    systolic, diastolic = zip(*(day.means for day in days), strict=True)
    alone = protocol == "systolic"
    error = None if alone else _error(diastolic, settings.least_spread.diastolic)
    return Average(
        protocol,
        systolic=figure("systolic", total(systolic) / len(days)),
        diastolic=None if alone else figure("diastolic", total(diastolic) / len(days)),
        systolic_error=_error(systolic, settings.least_spread.systolic),
        diastolic_error=error,
        days=days,
    )


def _error(means: Sequence[float], least_spread: float) -> float:
    """Of a mean of days: their spread, never taken as narrower than the population's, by root n."""
    own = stdev(means) if len(means) > 1 else 0.0
    return half_up(max(own, least_spread) / sqrt(len(means)), 6)
