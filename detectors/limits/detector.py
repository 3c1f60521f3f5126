"""Absolute limits on a value, with hysteresis. They never depend on what was learned.

``above`` and ``below`` are inclusive, as NEWS2 writes them (≤ 90) and a clinician reads them. What
is compared are figures (:mod:`vigil.domain.figures`): 90.0074 mmHg reads 90 and is not above it; a
limit that is finer than its signal is shown counts as its own figure. How long a condition must
hold is in the rule, and kept by :mod:`detectors.episodes.tracker`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Any, ClassVar

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
from detectors.limits.exertion import ExertionThreshold, exertion_thresholds
from detectors.limits.exertion_configuration import ADULT_ASSUMED, AgeConfig, Exertion
from vigil.domain.figures import DECIMALS, figure
from vigil.domain.signals import NAMES
from vigil.values.rounding import half_up

NOTHING: tuple[Finding, ...] = ()
NO_EXERTION: Mapping[str, Exertion] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Threshold:
    """One limit, ready to be judged by."""

    rule: Rule
    limit: float
    clear: float
    at_rest_only: bool
    facts: Mapping[str, Any]
    """For the evidence: whose limit it is."""

    def judge(self, value: float, figure: float, moment: Moment) -> Finding:
        """What this limit finds of a value, by its figure."""
        stance: Stance = BETWEEN
        above = self.rule.direction == "above"
        if (figure >= self.limit) if above else (figure <= self.limit):
            stance = MUTED if self.at_rest_only and moment.activity == "active" else BEYOND
        elif (figure <= self.clear) if above else (figure >= self.clear):
            stance = CLEAR
        return Finding(
            self.rule, stance, value, limit=self.limit, clear=self.clear, facts=self.facts
        )


@dataclass(frozen=True, slots=True)
class Board:
    """All limits on one signal, and the figures for which all of them are clear."""

    calm_from: float
    calm_to: float
    kinds: frozenset[str]
    thresholds: tuple[Threshold, ...]
    decimals: int
    exertion: tuple[ExertionThreshold, ...] = ()
    """What extends these limits to the time in which the person is active."""
    exertion_from: float = inf
    """The figure from which on one of them may begin."""

    def judge(self, value: float, moment: Moment) -> Iterable[Finding]:
        """Findings, or none at once where all is calm: the usual case, and the fast one.

        The bounds of calm are figures, so the figure of a value within them is within them too.
        """
        calm = self.calm_from <= value <= self.calm_to
        unwatched = self.kinds.isdisjoint(moment.watched)
        if calm and unwatched:
            return NOTHING
        read = half_up(value, self.decimals)
        found = [threshold.judge(value, read, moment) for threshold in self.thresholds]
        if read >= self.exertion_from or not unwatched:
            found += [threshold.judge(value, read, moment) for threshold in self.exertion]
        return found


def boards(
    limits: Mapping[str, Limit],
    signals: Iterable[str],
    detector: str,
    rank: int,
    age_band: str = ADULT_ASSUMED,
) -> dict[str, Board]:
    """Signal → its limits, for the signals that have any in force."""
    result = {}
    for signal in signals:
        thresholds = tuple(
            _threshold(name, limit, detector=detector, rank=rank, age_band=age_band)
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


def _threshold(name: str, limit: Limit, detector: str, rank: int, age_band: str) -> Threshold:
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
    return Threshold(
        rule=rule,
        limit=bound,
        clear=clear,
        at_rest_only=limit.at_rest_only,
        facts={"age_band": age_band},
    )


def extend(boards: dict[str, Board], signal: str, rows: Collection[ExertionThreshold]) -> None:
    """Add to a signal's limits what extends them to the time in which the person is active."""
    if rows and signal in boards:
        least = min(row.limit for row in rows)
        boards[signal] = replace(boards[signal], exertion=tuple(rows), exertion_from=least)


def names_of(boards: Mapping[str, Board]) -> list[str]:
    """The rules of some boards: one a limit in force, and one a row that extends a limit."""
    rows = boards.values()
    limits = [row.rule.name for board in rows for row in board.thresholds]
    return limits + [row.rule.name for board in rows for row in board.exertion]


class Limits(Memoryless):
    """Judges each measured value against its limits.

    Args:
        age: whose limits they are; None: an adult's, as nobody gave an age.
        exertion: which of them hold while the person is active too; only with an age.
    """

    name: ClassVar[str] = "limits"

    def __init__(
        self,
        limits: Mapping[str, Limit],
        age: AgeConfig | None = None,
        exertion: Mapping[str, Exertion] = NO_EXERTION,
    ):
        band = ADULT_ASSUMED if age is None else age.band
        self._boards = boards(limits, NAMES, self.name, rank=0, age_band=band)
        if age is not None:
            extend(self._boards, "heart_rate", exertion_thresholds(limits, exertion, age))
        self.signals = frozenset(self._boards)

    def rules(self) -> Iterable[str]:
        """One a limit in force, and one a row that extends a limit."""
        return names_of(self._boards)

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
