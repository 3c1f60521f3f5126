"""A person's recording as it is and with episodes in it, and what a detector made of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from benchmarks.detection import scoring, sets
from benchmarks.detection.injection import Shape, Site, inject
from benchmarks.detection.placing import Ground, everywhere, spread
from benchmarks.detection.scoring import Alert, Tally, Truth
from benchmarks.detection.sets import DAY, Recording
from benchmarks.detection.split import Group

ILLNESS_SECONDS = 21 * DAY
"""So long before and after a known illness nothing is counted as false, or made up."""
Span = tuple[float, float]


class Trial(NamedTuple):
    """One person: the background, and copies of it with episodes."""

    background: Recording
    copies: tuple[tuple[Recording, tuple[Truth, ...]], ...]
    first: float
    """The end of the warm-up."""
    left_out: Span | None
    days: float
    """Patient-days of background that are scored."""
    gap_seconds: float

    @property
    def group(self) -> Group:
        """The person's side of the split."""
        return self.background.group


class Outcome(NamedTuple):
    """What one operating point of one detector said of a trial."""

    trial: Trial
    background: tuple[Alert, ...]
    copies: tuple[tuple[Alert, ...], ...]

    def false_episodes(self) -> Tally:
        """Alert episodes on the untouched background."""
        alerts = scoring.outside(self.background, self.trial.first, self.trial.left_out)
        count = len(scoring.merged(alerts, self.trial.gap_seconds))
        return Tally(self.trial.background.patient_id, count, self.trial.days)

    def verdicts(self) -> Iterable[tuple[Truth, float | None, float | None]]:
        """Each made event, when it was alerted, and when its window is on the background."""
        for (_, truths), alerts in zip(self.trial.copies, self.copies, strict=True):
            for truth in truths:
                yield truth, scoring.found(truth, alerts), scoring.found(truth, self.background)


Detect = Callable[[Recording], Sequence[Alert]]


def judge(trial: Trial, detect: Detect) -> Outcome:
    """Run one operating point over a trial: one pass over the background, one over each copy."""
    background = tuple(detect(trial.background))
    return Outcome(trial, background, tuple(tuple(detect(copy)) for copy, _ in trial.copies))


def continuous(
    name: str,
    shapes: Sequence[Shape],
    spacing_seconds: float,
    seed: int,
    repeats: int = 1,
    *,
    without_context: bool = False,
) -> list[Trial]:
    """Trials of a set worn for weeks: many episodes to a copy, ``spacing_seconds`` apart.

    ``without_context``: steps and activity choose the calm places, and are then taken away.

    Raises:
        Absent: the set is not there.
    """
    setting, ill = sets.SETTINGS[name], illness(name)
    trials = []
    for recording in sets.load(name):
        left_out = ill.get(recording.patient_id)
        ground = Ground(recording, setting.warm_up_seconds)
        copies = []
        for repeat in range(repeats):
            own = 1000 * seed + repeat
            sites = spread(ground, shapes, spacing_seconds, own, left_out)
            if sites:
                copy, truths = inject(recording, sites, own)
                copies.append((copy.bare() if without_context else copy, tuple(truths)))
        days = sets.patient_days(recording, setting.warm_up_seconds, left_out)
        if days > 0:
            first, gap = ground.first, setting.merge_seconds
            background = recording.bare() if without_context else recording
            trials.append(Trial(background, tuple(copies), first, left_out, days, gap))
    return trials


def over_days(name: str, shapes: Sequence[Shape], seed: int) -> list[Trial]:
    """Trials of what lasts for days: one episode to a copy, each shape once a person.

    It begins at a midnight after the warm-up, so that all of it lies outside a known illness; a
    person who has no room for a shape is without it. A copy ends a day after its episode.

    Raises:
        Absent: the set is not there.
    """
    setting, ill = sets.SETTINGS[name], illness(name)
    result = []
    for recording in sets.load(name):
        left_out = ill.get(recording.patient_id)
        first = recording.start + setting.warm_up_seconds
        random = Random(f"{seed}:{recording.patient_id}")
        copies = []
        for shape in shapes:
            starts = _midnights(recording, first, shape.seconds, left_out)
            if starts:
                start = random.choice(starts)
                copy, truths = inject(recording, [Site(shape, start)], seed)
                copies.append((_until(copy, truths[0].end + DAY), tuple(truths)))
        days = sets.patient_days(recording, setting.warm_up_seconds, left_out)
        gap = setting.merge_seconds
        result.append(Trial(recording, tuple(copies), first, left_out, days, gap))
    return result


def sparse(name: str, shapes: Sequence[Shape], after_readings: int, seed: int) -> list[Trial]:
    """Trials of short recordings: one episode to a copy, at every place that can hold it.

    Raises:
        Absent: the set is not there.
    """
    trials = []
    for recording in sets.load(name):
        if len(recording.measurements) <= after_readings:
            continue
        ground = Ground(recording, 0.0)
        sites = [
            site for shape in shapes for site in everywhere(ground, shape, after_readings, seed)
        ]  # fmt: skip
        made = [inject(recording, [site], seed) for site in sites]
        copies = tuple((copy, tuple(truths)) for copy, truths in made)
        first = ground.times[after_readings]
        days = sets.calendar_days(recording, first - recording.start)
        gap = sets.SETTINGS[name].merge_seconds
        trials.append(Trial(recording, copies, first, None, days, gap))
    return trials


def illness(name: str) -> Mapping[str, Span]:
    """Person → the weeks around a known illness; empty for sets without such labels."""
    if name != "wearable_infection":
        return {}
    result = {}
    for row in sets.labels(name):
        known = row["symptom_onset"] or row["diagnosis"]
        if known:
            onset = sets.seconds_of(known)
            result[row["patient_id"]] = (onset - ILLNESS_SECONDS, onset + ILLNESS_SECONDS + DAY)
    return result


def _midnights(
    recording: Recording, first: float, seconds: float, left_out: Span | None
) -> list[float]:
    low, high = left_out or (0.0, 0.0)
    day = (first // DAY + 1) * DAY
    found = []
    while day + seconds <= recording.end:
        if day >= high or day + seconds <= low:
            found.append(day)
        day += DAY
    return found


def _until(recording: Recording, end: float) -> Recording:
    rows = tuple(row for row in recording.measurements if row.time.timestamp() < end)
    return Recording(recording.patient_id, rows)
