"""A peer over trials: scores once, then every threshold that matters."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.detection import scoring
from benchmarks.detection.peers.contract import Peer, Scorer
from benchmarks.detection.rows import Row
from benchmarks.detection.scoring import Alert
from benchmarks.detection.sets import MINUTE, Recording
from benchmarks.detection.split import Group
from benchmarks.detection.trials import Outcome, Trial

THRESHOLDS = 60


class Series(NamedTuple):
    """Scores over time, of one person."""

    times: Any
    scores: Any

    def alerts(self, threshold: float, gap_seconds: float) -> tuple[Alert, ...]:
        """Spans at or above the threshold, merged, as :func:`scoring.spans` has them."""
        times = self.times[self.scores >= threshold]
        if not len(times):
            return ()
        cuts = np.flatnonzero(np.diff(times) > gap_seconds)
        starts = times[np.concatenate(([0], cuts + 1))]
        ends = times[np.concatenate((cuts, [len(times) - 1]))]
        return tuple(Alert(float(a), float(b)) for a, b in zip(starts, ends, strict=True))


class Scored(NamedTuple):
    """A peer's scores of a trial."""

    trial: Trial
    background: Series
    copies: tuple[Series, ...]

    def false_episodes(self, threshold: float) -> float:
        """How many the untouched background makes."""
        alerts = self.background.alerts(threshold, self.trial.gap_seconds)
        return Outcome(self.trial, alerts, ()).false_episodes().hits

    def outcome(self, threshold: float) -> Outcome:
        """What it says at a threshold."""
        gap = self.trial.gap_seconds
        copies = tuple(one.alerts(threshold, gap) for one in self.copies)
        return Outcome(self.trial, self.background.alerts(threshold, gap), copies)


class Run(NamedTuple):
    """A peer over everybody."""

    scored: tuple[Scored, ...]
    microseconds: float
    """A row."""


Prepared = Sequence[tuple[Trial, Sequence[Sequence[Row]]]]
"""Each trial with the rows of its background and of its copies."""


def prepare(made: Sequence[Trial], rows_of: Callable[[Recording], list[Row]]) -> Prepared:
    """Make the rows once, for all peers."""
    return [
        (trial, [rows_of(one) for one in (trial.background, *(copy for copy, _ in trial.copies))])
        for trial in made
    ]


def run(peer: Peer, prepared: Prepared, memory: int) -> Run:
    """Score the background and every copy of every trial; ``memory`` in rows of one minute."""
    began, rows = clock.process_time(), 0
    scored = []
    for trial, recordings in prepared:
        series = []
        for one in recordings:
            own = [row for row in one if row.time // MINUTE % peer.every_minutes == 0]
            series.append(_series(peer.make(max(1, memory // peer.every_minutes)), own))
            rows += len(own)
        scored.append(Scored(trial, series[0], tuple(series[1:])))
    spent = clock.process_time() - began
    return Run(tuple(scored), spent / max(1, rows) * 1e6)


def thresholds(scored: Sequence[Scored]) -> list[float]:
    """Where to look: the upper scores of the background after the warm-up, densest at the top."""
    kept = [
        one.background.scores[one.background.times >= one.trial.first]
        for one in scored
    ]  # fmt: skip
    scores = np.sort(np.concatenate(kept)) if kept else np.array([])
    if not len(scores):
        return []
    ranks = np.unique(np.geomspace(1, len(scores), THRESHOLDS).astype(int))
    highest = float(scores[-1])
    above = highest + abs(highest) * 1e-9 + 1e-9
    return sorted({above, *(float(scores[-rank]) for rank in ranks)}, reverse=True)


def at_rate(scored: Sequence[Scored], group: Group, per_day: float) -> list[Outcome] | None:
    """The group's outcomes at the lowest threshold that keeps to a rate of false episodes.

    The threshold is chosen on the same people: the best that this peer could do.
    """
    own = [one for one in scored if one.trial.group == group]
    allowed = per_day * sum(one.trial.days for one in own)

    def episodes(threshold: float) -> float:
        return sum(one.false_episodes(threshold) for one in own)

    chosen = scoring.matched_threshold(episodes, thresholds(own), allowed)
    return None if chosen is None else [one.outcome(chosen) for one in own]


def curve(scored: Sequence[Scored], names: set[str], most: float) -> list[tuple[float, float]]:
    """(false episodes per patient-day, sensitivity) of all people, up to a rate."""
    points: list[tuple[float, float]] = []
    for threshold in thresholds(scored):
        outcomes = [one.outcome(threshold) for one in scored]
        point = point_of(outcomes, names)
        points.append(point)
        if point[0] > most:
            break
    return points


def point_of(outcomes: Sequence[Outcome], names: set[str]) -> tuple[float, float]:
    """(false episodes per patient-day, share of the named events found)."""
    tallies = [outcome.false_episodes() for outcome in outcomes]
    days = sum(tally.of for tally in tallies)
    found = [at is not None for o in outcomes for truth, at, _ in o.verdicts()
             if truth.name in names]  # fmt: skip
    false = sum(tally.hits for tally in tallies)
    return false / days if days else 0.0, sum(found) / len(found) if found else 0.0


def _series(scorer: Scorer, rows: Sequence[Row]) -> Series:
    scores = np.fromiter((scorer.score(row) for row in rows), float, len(rows))
    return Series(np.fromiter((row.time for row in rows), float, len(rows)), scores)
