"""NightSignal, written from its papers (Mishra et al. 2020, Alavi et al. 2022).

The resting heart rate of a night is the mean of the minutes without steps between midnight and
seven; it is compared with the median of all nights up to it. A night at or above median + 4 after
another such night is *red*. (At + 3 it is yellow; red is what the papers evaluate.) A night without
data breaks the row: the papers fill such nights in, which looks ahead.
"""

from __future__ import annotations

from statistics import fmean, median
from typing import NamedTuple

from benchmarks.detection.scoring import Alert
from benchmarks.detection.sets import DAY, HOUR, Recording

UNTIL_HOUR = 7.0
RED = 4.0
LEAST_MINUTES = 60


class Night(NamedTuple):
    """One night's resting heart rate."""

    day: float
    """Its midnight."""
    rate: float


def nights(recording: Recording) -> list[Night]:
    """The nights that can be judged, in order."""
    found: dict[float, list[float]] = {}
    for row in recording.measurements:
        time = row.time.timestamp()
        rate = row.values.get("heart_rate")
        if rate is None or time % DAY >= UNTIL_HOUR * HOUR or row.context.steps_per_min:
            continue
        found.setdefault(time // DAY * DAY, []).append(rate)
    return [
        Night(day, round(fmean(rates)))
        for day, rates in sorted(found.items())
        if len(rates) >= LEAST_MINUTES
    ]


def alerts(recording: Recording, red: float = RED) -> list[Alert]:
    """A span for each red night: the moment at which the night is over."""
    result: list[Alert] = []
    before: list[float] = []
    hot: float | None = None
    for night in nights(recording):
        before.append(night.rate)
        if night.rate < median(before) + red:
            continue
        if hot is not None and night.day - hot <= DAY:
            alarm_at = night.day + UNTIL_HOUR * HOUR
            result.append(Alert(alarm_at, alarm_at, "red"))
        hot = night.day
    return result
