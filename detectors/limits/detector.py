"""Absolute limits on a value, with hysteresis. They never depend on what was learned.

``above`` and ``below`` are inclusive, as NEWS2 writes them (≤ 90) and a clinician reads them. What
is compared are figures (:mod:`vigil.domain.figures`): 90.0074 mmHg reads 90 and is not above it; a
limit that is finer than its signal is shown counts as its own figure. How long a condition must
hold is in the rule, and kept by :mod:`detectors.episodes.tracker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from detectors.contract import (
    BETWEEN,
    BEYOND,
    CLEAR,
    MUTED,
    Finding,
    Memoryless,
    Moment,
    Rule,
    Stance,
)
from detectors.limits.configuration import Limit
from vigil.domain.figures import DECIMALS, figure
from vigil.domain.signals import NAMES
from vigil.values.rounding import half_up

NOTHING: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """One limit, ready to be judged by."""

    rule: Rule
    limit: float
    clear: float
    at_rest_only: bool

    def judge(self, value: float, figure: float, moment: Moment) -> Finding:
        """What this limit finds of a value, by its figure."""
        stance: Stance = BETWEEN
        above = self.rule.direction == "above"
        if (figure >= self.limit) if above else (figure <= self.limit):
            stance = MUTED if self.at_rest_only and moment.activity == "active" else BEYOND
        elif (figure <= self.clear) if above else (figure >= self.clear):
            stance = CLEAR
        return Finding(self.rule, stance, value, limit=self.limit, clear=self.clear)


@dataclass(frozen=True, slots=True)
class Board:
    """All limits on one signal, and the figures for which all of them are clear."""

    calm_from: float
    calm_to: float
    kinds: frozenset[str]
    thresholds: tuple[Threshold, ...]
    decimals: int

    def judge(self, value: float, moment: Moment) -> Iterable[Finding]:
        """Findings, or none at once where all is calm: the usual case, and the fast one.

        The bounds of calm are figures, so the figure of a value within them is within them too.
        """
        calm = self.calm_from <= value <= self.calm_to
        if calm and self.kinds.isdisjoint(moment.watched):
            return NOTHING
        read = half_up(value, self.decimals)
        return [threshold.judge(value, read, moment) for threshold in self.thresholds]


def boards(
    limits: Mapping[str, Limit], signals: Iterable[str], detector: str, rank: int
) -> dict[str, Board]:
    """Signal → its limits, for the signals that have any in force."""
    result = {}
    for signal in signals:
        thresholds = tuple(
            _threshold(name, limit, detector=detector, rank=rank)
            for name, limit in limits.items()
            if limit.signal == signal and limit.enabled
        )
        if thresholds:
            lows = [_calm(t, 1) for t in thresholds if t.rule.direction == "below"]
            highs = [_calm(t, -1) for t in thresholds if t.rule.direction == "above"]
            calm_from, calm_to = max(lows, default=-inf), min(highs, default=inf)
            kinds = frozenset(t.rule.kind for t in thresholds)
            result[signal] = Board(
                calm_from=calm_from,
                calm_to=calm_to,
                kinds=kinds,
                thresholds=thresholds,
                decimals=DECIMALS[signal],
            )
    return result


def _calm(threshold: Threshold, inward: int) -> float:
    """The first figure for which a limit is clear: where it ends where it begins, one step on."""
    clear, decimals = threshold.clear, DECIMALS[threshold.rule.signal]
    return (
        half_up(clear + inward * 10.0**-decimals, decimals) if clear == threshold.limit else clear
    )


def _threshold(name: str, limit: Limit, detector: str, rank: int) -> Threshold:
    unknown = limit.seconds if limit.unknown_seconds is None else limit.unknown_seconds
    rule = Rule(
        name=name,
        detector=detector,
        kind=limit.kind,
        signal=limit.signal,
        direction="above" if limit.above is not None else "below",
        priority=limit.priority,
        rank=rank,
        seconds=limit.seconds,
        unknown_seconds=unknown,
        readings=limit.readings,
    )
    bound = limit.above if limit.above is not None else limit.below
    assert bound is not None  # noqa: S101  (detectors.configuration.checks holds it)
    bound, clear = figure(limit.signal, bound), figure(limit.signal, limit.clear)
    return Threshold(rule=rule, limit=bound, clear=clear, at_rest_only=limit.at_rest_only)


class Limits(Memoryless):
    """Judges each measured value against its limits."""

    name = "limits"

    def __init__(self, limits: Mapping[str, Limit]):
        self._boards = boards(limits, NAMES, self.name, rank=0)
        self.signals = frozenset(self._boards)

    def rules(self) -> Iterable[str]:
        """One a limit in force."""
        return [t.rule.name for board in self._boards.values() for t in board.thresholds]

    def examine(self, moment: Moment, memory: None) -> Iterable[Finding]:
        """One finding a limit, for the values that are not calm."""
        del memory
        found: list[Finding] = []
        for signal, value in moment.values.items():
            board = self._boards.get(signal)
            if board is not None:
                own = board.judge(value, moment)
                if own:
                    found.extend(own)
        return found or NOTHING
