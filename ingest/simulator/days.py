"""A person's day: sleep, bouts of activity, when the cuff is used, when the device is off."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from random import Random

Span = tuple[float, float]
"""Minutes of the day: from, to."""


def dice(*what: Hashable) -> Random:
    """The random numbers of one thing, the same whenever it is asked for.

    >>> dice(1, 2, "day", 5).random() == dice(1, 2, "day", 5).random()
    True
    """
    return Random("/".join(str(part) for part in what))  # noqa: S311  (repeatable, not secret)


@dataclass(frozen=True, slots=True)
class Bout:
    """Walking or exercise."""

    start: float
    end: float
    beats: float
    """How much it adds to the heart rate."""
    steps_per_min: float

    def effect(self, minute: float) -> float:
        """Beats added at a minute of the day: up within minutes, down within a few more."""
        if minute < self.start:
            return 0.0
        reached = 1 - exp(-(min(minute, self.end) - self.start) / 2)
        return self.beats * reached * exp(-max(0.0, minute - self.end) / 3)


@dataclass(frozen=True, slots=True)
class Day:
    """What one UTC day of one person holds."""

    wake: float
    bed: float
    """May be past midnight: above 1440."""
    bouts: tuple[Bout, ...]
    cuffs: frozenset[int]
    thermometer: frozenset[int]
    off: tuple[Span, ...]
    """The device measures nothing."""
    disconnected: tuple[Span, ...]
    """The device measures and sends at the end. Each span is within one hour."""


@lru_cache(maxsize=4096)
def day(seed: int, number: int, ordinal: int) -> Day:
    """The day of person ``number``; ``ordinal`` as :meth:`datetime.date.toordinal`."""
    habits = dice(seed, number, "habits")
    bed_usual, wake_usual = habits.gauss(1350, 30), habits.gauss(405, 30)
    draw = dice(seed, number, "day", ordinal)
    wake = min(max(draw.gauss(wake_usual, 20), 300), 540)
    bed = min(max(draw.gauss(bed_usual, 25), 1260), 1490)
    last = min(bed, 1430) - 60
    bouts = tuple(_bout(draw, wake + 30, last) for _ in range(draw.randint(2, 5)))
    about = [draw.randint(-20, 20) for _ in range(4)]
    times = [hour * 60 + shift for hour, shift in zip((8, 13, 18, 21), about, strict=True)]
    return Day(
        wake,
        bed,
        bouts,
        cuffs=frozenset(minute + again for minute in times for again in (0, 2)),
        thermometer=frozenset(minute + 1 for minute in times),
        off=tuple(_span(draw, 1440, 5, 20) for _ in range(draw.randint(0, 2))),
        disconnected=tuple(_disconnected(draw) for _ in range(draw.randint(0, 2))),
    )


def asleep(seed: int, number: int, ordinal: int, minute: float) -> bool:
    """Whether the person sleeps at that minute."""
    today = day(seed, number, ordinal)
    if minute >= today.bed:
        return True
    return day(seed, number, ordinal - 1).bed - 1440 <= minute < today.wake


def _bout(draw: Random, first: float, last: float) -> Bout:
    start = draw.uniform(first, last - 45)
    strength = draw.uniform(0.2, 1.0)
    return Bout(
        start=start,
        end=start + draw.uniform(8, 40),
        beats=15 + 45 * strength,
        steps_per_min=70 + 80 * strength,
    )


def _span(draw: Random, within: float, shortest: float, longest: float) -> Span:
    length = draw.uniform(shortest, longest)
    start = draw.uniform(0, within - length)
    return (start, start + length)


def _disconnected(draw: Random) -> Span:
    hour = draw.randrange(24) * 60
    start, end = _span(draw, 60, 4, 12)
    return (hour + start, hour + end)
