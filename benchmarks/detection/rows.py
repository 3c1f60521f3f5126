"""What the peers are given: the same readings, made as easy for them as can be.

Vigil takes readings as they come. A peer has no idea of activity, of a missing minute or of how
long a state must last, so all of that is done for it before, and the same for every one:

- only rows *at rest*: no steps in this minute and the ten before, where the set counts steps;
- one row a minute, whose heart rate is the *median of the last ten minutes* at rest, given when at
  least five of them were measured. A spike does not reach a peer, and what lasts five minutes does;
- of a cuff, the readings as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from statistics import fmean, median
from typing import NamedTuple

from benchmarks.detection.sets import MINUTE, Recording
from vigil.domain.reading import Measurement

LEVEL_SECONDS = 10 * MINUTE
LEVEL_READINGS = 5


class Row(NamedTuple):
    """One moment, as a peer sees it."""

    time: float
    values: dict[str, float]


def levels(recording: Recording) -> list[Row]:
    """Resting heart-rate levels, one a minute."""
    return list(_levels(recording))


def readings(recording: Recording) -> list[Row]:
    """Every reading as it is."""
    return [
        Row(row.time.timestamp(), dict(row.values)) for row in recording.measurements if row.values
    ]


def _levels(recording: Recording) -> Iterator[Row]:
    recent: deque[tuple[float, float]] = deque()
    walked = -LEVEL_SECONDS - 1.0
    for minute, group in groupby(recording.measurements, _minute):
        rows = list(group)
        if any(row.context.steps_per_min for row in rows):
            walked = minute
        rates = [row.values["heart_rate"] for row in rows if "heart_rate" in row.values]
        if not rates or minute - walked <= LEVEL_SECONDS:
            continue
        time = rows[-1].time.timestamp()
        recent.append((minute, fmean(rates)))
        while recent[0][0] <= minute - LEVEL_SECONDS:
            recent.popleft()
        if len(recent) >= LEVEL_READINGS:
            yield Row(time, {"heart_rate": median(rate for _, rate in recent)})


def _minute(row: Measurement) -> float:
    return row.time.timestamp() // MINUTE * MINUTE
