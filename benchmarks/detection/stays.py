"""Stays in intensive care, hour by hour: what was alerted before an onset, and without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.detection import scoring, sets
from benchmarks.detection.rows import readings
from benchmarks.detection.scoring import Alert, Rate, Tally
from benchmarks.detection.sets import HOUR, Recording
from benchmarks.detection.sweep import Series
from detectors.configuration.loading import DetectionConfig
from detectors.contract import Moment
from detectors.early_warning.deterioration import Risk

SET = "icu_hourly"
BEFORE_SECONDS = 12 * HOUR
DRAWS = 200
"""Of the AUROC's interval: each sorts some 20,000 hours."""
NO_SCORE = -99.0
"""Score of an hour of which a detector says nothing."""
Alerts = dict[str, list[Alert]]
Scores = dict[str, Series]


class Person(NamedTuple):
    """One stay."""

    recording: Recording
    onset: float | None
    days: float

    @property
    def first(self) -> float:
        """The end of the warm-up."""
        return self.recording.start + sets.SETTINGS[SET].warm_up_seconds

    def in_window(self, alerts: Sequence[Alert]) -> float | None:
        """The first alerted moment of the twelve hours before the onset."""
        if self.onset is None:
            return None
        begin = max(self.first, self.onset - BEFORE_SECONDS)
        times = [max(a.start, begin) for a in alerts if a.start <= self.onset and a.end >= begin]
        return min(times, default=None)


def people() -> list[Person]:
    """Everybody who stayed longer than the warm-up."""
    onsets = {row["patient_id"]: sets.seconds_of(row["onset"]) for row in sets.labels(SET)}
    warm_up = sets.SETTINGS[SET].warm_up_seconds
    found = []
    for one in sets.load(SET):
        begin = one.start + warm_up
        hours = sum(row.time.timestamp() >= begin for row in one.measurements)
        found.append(Person(one, onsets.get(one.patient_id), hours / 24))
    return found


def scores(crowd: Sequence[Person], make: Callable[[], Any]) -> Scores:
    """A peer's score of each row."""
    result = {}
    for person in crowd:
        scorer, rows = make(), readings(person.recording)
        values = np.array([scorer.score(row) for row in rows], float)
        result[person.recording.patient_id] = Series(np.array([r.time for r in rows]), values)
    return result


def risks(crowd: Sequence[Person], config: DetectionConfig) -> Scores:
    """Vigil's risk of deterioration of each row: its detector alone, driven by the readings."""
    result = {}
    for person in crowd:
        detector = Risk(config.config_for(person.recording.patient_id).deterioration)
        memory = detector.fresh()
        times, values = [], []
        for row in person.recording.measurements:
            time = row.time.timestamp()
            moment = Moment(time, time, row.values, "rest", "rest:day", scores={})
            detector.examine(moment, memory)
            detector.learn(moment, memory, ())
            times.append(time)
            values.append(moment.scores.get(detector.name, NO_SCORE))
        result[person.recording.patient_id] = Series(np.array(times), np.array(values))
    return result


def at(crowd: Sequence[Person], own: Scores, threshold: float) -> Alerts:
    """Hours at or above a threshold as alerts; consecutive ones are one span."""
    return {
        p.recording.patient_id: list(own[p.recording.patient_id].alerts(threshold, HOUR))
        for p in crowd
    }  # fmt: skip


def found(crowd: Sequence[Person], alerts: Alerts) -> Rate:
    """Share of onsets that were alerted in their window."""
    return scoring.rate([
        Tally(p.recording.patient_id, p.in_window(alerts[p.recording.patient_id]) is not None, 1)
        for p in crowd if p.onset is not None
    ])  # fmt: skip


def false(crowd: Sequence[Person], alerts: Alerts) -> Rate:
    """False episodes a patient-day, of people without sepsis."""
    return scoring.rate([
        Tally(p.recording.patient_id, len(episodes(p, alerts)), p.days)
        for p in crowd if p.onset is None
    ])  # fmt: skip


def episodes(person: Person, alerts: Alerts) -> list[Alert]:
    """After the warm-up, merged."""
    own = [
        a._replace(start=max(a.start, person.first))
        for a in alerts[person.recording.patient_id]
        if a.end >= person.first
    ]
    return scoring.merged(own, sets.SETTINGS[SET].merge_seconds)


def alerted_share(crowd: Sequence[Person], alerts: Alerts) -> Rate:
    """Share of the hours of people without sepsis that an alert covers."""
    tallies = []
    for person in crowd:
        if person.onset is None:
            times = [row.time.timestamp() for row in person.recording.measurements]
            scored = [time for time in times if time >= person.first]
            own = alerts[person.recording.patient_id]
            covered = sum(any(a.start <= time <= a.end for a in own) for time in scored)
            tallies.append(Tally(person.recording.patient_id, covered, len(scored)))
    return scoring.rate(tallies)


def precision(crowd: Sequence[Person], alerts: Alerts) -> Rate:
    """Share of alert episodes that are about an onset; each onset counts once."""
    tallies = []
    for person in crowd:
        own = episodes(person, alerts)
        right = person.in_window(alerts[person.recording.patient_id]) is not None
        tallies.append(Tally(person.recording.patient_id, float(right), len(own)))
    return scoring.rate(tallies)


def matched(crowd: Sequence[Person], own: Scores, sensitivity: float) -> float:
    """The highest threshold that finds so many."""
    values = np.unique(np.concatenate([s.scores for s in own.values()]))[::-1]
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        if found_share(crowd, at(crowd, own, float(values[middle]))) >= sensitivity:
            high = middle
        else:
            low = middle + 1
    return float(values[low])


def found_share(crowd: Sequence[Person], alerts: Alerts) -> float:
    """:func:`found` without an interval."""
    ill = [p for p in crowd if p.onset is not None]
    hits = sum(p.in_window(alerts[p.recording.patient_id]) is not None for p in ill)
    return hits / len(ill) if ill else 0.0


def auroc(crowd: Sequence[Person], own: Scores, earlier: bool = True) -> Rate:
    """Of hours, with an interval over people; ``earlier``: against those before the window too."""
    parts = [_hours(person, own[person.recording.patient_id], earlier) for person in crowd]
    low, high = scoring.interval(parts, _auroc, draws=DRAWS)
    return Rate(_auroc(parts), low, high, 0, len(parts))


def _hours(person: Person, series: Series, earlier: bool) -> tuple[Any, Any]:
    """Scores of the hours before sepsis, and of the others."""
    kept = series.times >= person.first
    if person.onset is None:
        return np.array([]), series.scores[kept]
    kept &= series.times <= person.onset
    near = series.times >= person.onset - BEFORE_SECONDS
    return series.scores[kept & near], series.scores[kept & ~near & earlier]


def _auroc(parts: Sequence[tuple[Any, Any]]) -> float | None:
    before, others = (np.concatenate(side) for side in zip(*parts, strict=True))
    return scoring.auroc(before, others)
