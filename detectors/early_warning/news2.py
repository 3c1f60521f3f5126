"""Partial NEWS2: the national early warning score of what was measured.

Royal College of Physicians, *National Early Warning Score (NEWS) 2*, 2017: points of heart rate,
systolic pressure, respiratory rate, oxygen saturation (scale 1) and temperature, from the latest
value of each that is not older than ``stale_seconds``. Supplemental oxygen and consciousness are
not known here, so the score is always partial and lists what it lacks; the true one is as high or
higher. Range 0 to 14. Warm-up: none, but ``least_signals`` of the five must be there.

A value scores what its figure scores (:mod:`vigil.domain.figures`), which is how NEWS2 is charted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from detectors.contract import (
    BEYOND,
    CLEAR,
    MUTED,
    Finding,
    FindingsOnly,
    Moment,
    Rule,
    Stance,
    stance_above,
)
from detectors.early_warning.configuration import EarlyWarningConfig
from detectors.limits.detector import NOTHING
from vigil.domain.figures import DECIMALS, figure
from vigil.domain.kinds import Priority

KIND = "early_warning_score"
NOT_KNOWN = ("supplemental_oxygen", "consciousness")
"""Parts of NEWS2 that no reading brings."""
WORST = 3
Memory = dict[str, list[float]]
"""Signal → time and value of its latest value."""


@dataclass(frozen=True, slots=True)
class Bands:
    """One row of the table."""

    edges: tuple[float, ...]
    """The least value that reads as more than each band's last figure: half a step above it."""
    points: tuple[int, ...]

    def points_for(self, value: float) -> int:
        """Points of a value's figure."""
        return self.points[bisect_right(self.edges, value)]


def _bands(signal: str, upper: tuple[float, ...], points: tuple[int, ...]) -> Bands:
    """A row as NEWS2 prints it: the highest figure of each band, ascending; the last has none."""
    half = Decimal(5).scaleb(-DECIMALS[signal] - 1)
    return Bands(tuple(float(Decimal(str(last)) + half) for last in upper), points)


NEWS2: MappingProxyType[str, Bands] = MappingProxyType(
    {
        name: _bands(name, upper, points)
        for name, upper, points in (
            ("heart_rate", (40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
            ("systolic", (90, 100, 110, 219), (3, 2, 1, 0, 3)),
            ("respiratory_rate", (8, 11, 20, 24), (3, 1, 0, 2, 3)),
            ("spo2", (91, 93, 95), (3, 2, 1, 0)),
            ("temperature", (35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2)),
        )
    }
)


def points(signal: str, value: float) -> int:
    """NEWS2 points of one value.

    >>> points("heart_rate", 131), points("spo2", 94), points("temperature", 35.05)
    (3, 1, 1)
    """
    return NEWS2[signal].points_for(value)


class EarlyWarningScore(FindingsOnly):
    """Judges the sum of the points."""

    name = "early_warning"

    def __init__(self, config: EarlyWarningConfig):
        self._config = own = config
        self.signals = frozenset(NEWS2 if own.enabled else ())
        self._urgent = self._rule("urgent", "medium")
        self._emergency = self._rule("emergency", "high")
        self._single = self._rule("single_three", "medium")

    def _rule(self, name: str, priority: Priority) -> Rule:
        own = self._config
        return Rule(
            name=f"{self.name}.{name}",
            detector=self.name,
            kind=KIND,
            signal=KIND,
            direction="above",
            priority=priority,
            rank=1,
            seconds=own.seconds,
            unknown_seconds=own.seconds,
            readings=own.readings,
        )

    def rules(self) -> Iterable[str]:
        """Urgent and emergency; a single three where it is announced."""
        if not self._config.enabled:
            return []
        names = [self._urgent.name, self._emergency.name]
        return [*names, self._single.name] if self._config.single_three else names

    def fresh(self) -> Memory:
        """Nothing measured yet."""
        return {}

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """A finding a rule, unless the score is calm or cannot be made."""
        own = self._config
        if len(memory) + len(moment.values) < own.least_signals:
            return NOTHING
        known = self._known(moment, memory)
        if len(known) < own.least_signals:
            return NOTHING
        score = sum(row[2] for row in known.values())
        moment.scores[self.name] = score
        single = own.single_three and any(row[2] >= WORST for row in known.values())
        if score <= own.clear and not single and KIND not in moment.watched:
            return NOTHING
        facts = _facts(known)
        found = [
            self._judge(self._urgent, score, limit=own.urgent, moment=moment, facts=facts),
            self._judge(self._emergency, score, limit=own.emergency, moment=moment, facts=facts),
        ]
        if own.single_three:
            stance: Stance = CLEAR if not single else BEYOND
            stance = MUTED if single and moment.activity == "active" else stance
            found.append(Finding(self._single, stance, score, facts=facts))
        return found

    def _judge(
        self, rule: Rule, score: float, limit: float, moment: Moment, facts: Mapping[str, Any]
    ) -> Finding:
        stance = stance_above(
            score, limit, clear=self._config.clear, muted=moment.activity == "active"
        )
        return Finding(rule, stance, score, limit=limit, clear=self._config.clear, facts=facts)

    def _known(self, moment: Moment, memory: Memory) -> dict[str, list[float]]:
        """Time, value and points of the latest values not too old, in the table's order."""
        oldest = moment.time - self._config.stale_seconds
        known = {}
        for signal, bands in NEWS2.items():
            value = moment.values.get(signal)
            if value is not None:
                known[signal] = [moment.time, value, bands.points_for(value)]
            elif signal in memory and memory[signal][0] >= oldest:
                time, value = memory[signal]
                known[signal] = [time, value, bands.points_for(value)]
        return known

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Keep the latest values. An open episode holds nothing back: nothing usual is learned."""
        del frozen
        for signal, value in moment.values.items():
            if signal in NEWS2:
                memory[signal] = [moment.time, value]

    def dump(self, memory: Memory) -> Any:
        """``{signal: [time, value]}``."""
        return memory

    def load(self, plain: Any) -> Memory:
        """The same; points that were saved with them once are left out."""
        return {signal: list(row[:2]) for signal, row in plain.items()}


def _facts(known: Mapping[str, list[float]]) -> dict[str, Any]:
    return {
        "contributions": {signal: int(row[2]) for signal, row in known.items()},
        "used": {signal: figure(signal, row[1]) for signal, row in known.items()},
        "missing": [*(signal for signal in NEWS2 if signal not in known), *NOT_KNOWN],
    }
