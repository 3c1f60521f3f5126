"""Where episodes are put: calm, well-covered stretches of a recording, chosen by a seed.

A stretch is calm when no step was counted in it and in the ten minutes before it; where the set
counts no steps, when nine in ten of its readings are at or below the person's own median. Choosing
looks at the whole recording, since it makes the truth; no detector does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from random import Random
from statistics import median

from benchmarks.detection.injection import Shape, Site
from benchmarks.detection.sets import MINUTE, Recording

COVER = 0.8
"""Share of the expected readings that a stretch must have."""
BEFORE_SECONDS = 10 * MINUTE
TRIES = 400
MOST_SITES = 12


class Ground:
    """A recording, prepared for looking for stretches."""

    def __init__(self, recording: Recording, warm_up_seconds: float):
        rows = recording.measurements
        self.recording = recording
        self.times = [row.time.timestamp() for row in rows]
        self.first = recording.start + warm_up_seconds
        gaps = [b - a for a, b in zip(self.times, self.times[1:], strict=False)]
        self.interval = median(gaps) if gaps else MINUTE
        self.steps = any(row.context.steps_per_min is not None for row in rows)
        rates = [row.values["heart_rate"] for row in rows if "heart_rate" in row.values]
        self.usual = median(rates) if rates else 0.0

    def calm(self, start: float, seconds: float) -> bool:
        """True where an episode of the heart rate can be put."""
        low = bisect_left(self.times, start - BEFORE_SECONDS)
        high = bisect_left(self.times, start + seconds)
        rows = self.recording.measurements[low:high]
        if len(rows) < COVER * (seconds + BEFORE_SECONDS) / self.interval or not rows:
            return False
        if self.steps:
            return not any(row.context.steps_per_min for row in rows)
        above = sum(row.values.get("heart_rate", 0.0) > self.usual for row in rows)
        return above <= 0.1 * len(rows)

    def holds(self, start: float, shape: Shape) -> bool:
        """True where the span has the readings that the shape needs."""
        low = bisect_left(self.times, start)
        high = bisect_left(self.times, start + shape.seconds)
        rows = self.recording.measurements[low:high]
        return sum(shape.signals <= row.values.keys() for row in rows) >= shape.readings


def spread(
    ground: Ground, shapes: Sequence[Shape], spacing_seconds: float, seed: int,
    left_out: tuple[float, float] | None = None,
) -> list[Site]:  # fmt: skip
    """One site in every ``spacing_seconds`` where there is a calm stretch; shapes take turns."""
    random = Random(f"{seed}:{ground.recording.patient_id}")
    turn = _turns(shapes, random)
    longest = max(shape.seconds for shape in shapes)
    low, high = left_out or (0.0, 0.0)
    result: list[Site] = []
    shape = next(turn)
    day = ground.first
    while day + spacing_seconds <= ground.recording.end:
        room = max(0.0, spacing_seconds - 2 * longest)
        for _ in range(TRIES):
            start = day + random.uniform(0, room)
            if start < high and start + longest > low:
                continue
            if shape.at_rest and not ground.calm(start, longest):
                continue
            if ground.holds(start, shape):
                result.append(Site(shape, start))
                shape = next(turn)
                break
        day += spacing_seconds
    return result


def everywhere(
    ground: Ground, shape: Shape, after_readings: int, seed: int, most: int = MOST_SITES
) -> list[Site]:
    """Readings of a short recording, after the first so many, at which the shape can begin.

    At most ``most``, drawn, so that one person with many readings is not the whole result.
    """
    starts = [time for time in ground.times[after_readings:] if ground.holds(time, shape)]
    if len(starts) > most:
        random = Random(f"{seed}:{ground.recording.patient_id}:{shape.name}")
        starts = sorted(random.sample(starts, most))
    return [Site(shape, time) for time in starts]


def _turns(shapes: Sequence[Shape], random: Random) -> Iterator[Shape]:
    """All shapes in a drawn order, again and again."""
    while True:
        yield from random.sample(list(shapes), len(shapes))
