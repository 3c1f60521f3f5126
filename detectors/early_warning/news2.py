"""Partial NEWS2: the national early warning score of what was measured.

Royal College of Physicians, *National Early Warning Score (NEWS) 2*, 2017: points of heart rate,
systolic pressure, respiratory rate, oxygen saturation (scale 1) and temperature, from the latest
value of each that is not older than ``stale_seconds``. Supplemental oxygen and consciousness are
not known here, so the score is always partial and lists what it lacks; the true one is as high or
higher. Range 0 to 14. Warm-up: none, but ``least_signals`` of the five must be there.

A value scores what its figure scores (:mod:`vigil.domain.figures`), which is how NEWS2 is charted.

Exercise raises heart rate and breaths. So while the person is active a score opens by the points of
the other signals alone; with those of heart rate and breaths, where it has lasted for longer than
their activity explains (``light_motion_seconds`` and ``long_effort_seconds``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from msgspec.structs import replace

from detectors.contract import (
    BETWEEN,
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
from detectors.limits.exertion_configuration import ADULT_ASSUMED
from vigil.domain.figures import DECIMALS, figure
from vigil.domain.kinds import Priority

KIND = "early_warning_score"
NOT_KNOWN = ("supplemental_oxygen", "consciousness")
"""Parts of NEWS2 that no reading brings."""
OF_EXERCISE = frozenset({"heart_rate", "respiratory_rate"})
"""Signals that any exercise raises: their points do not count while the person is active."""
WORST = 3
Memory = dict[str, list[float]]
"""Signal → time and value of its latest value."""
Known = dict[str, tuple[float, float, int]]
"""Signal → time, value and points of a latest value that counts."""


@dataclass(frozen=True, slots=True)
class _Trigger:
    """What a score is announced from."""

    name: str
    priority: Priority
    limit: int | None
    """A sum; None: three points of one signal."""


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
    """Judges the sum of the points.

    Args:
        age_band: whose score it is, for the evidence; NEWS2 is not for anyone under 16.
    """

    name: ClassVar[str] = "early_warning"

    def __init__(self, config: EarlyWarningConfig, age_band: str = ADULT_ASSUMED):
        self._config = own = config
        self._age_band = age_band
        self.signals = frozenset(NEWS2 if own.enabled else ())
        triggers = [
            _Trigger("urgent", "medium", own.urgent),
            _Trigger("emergency", "high", own.emergency),
        ]
        if own.single_three:
            triggers.append(_Trigger("single_three", "medium", None))
        self._triggers = [(trigger, self._rule(trigger)) for trigger in triggers]
        self._lasting = [
            (trigger, self._lasting_rule(trigger, light=light), light)
            for trigger in triggers
            for light in (True, False)
        ]

    def _rule(self, trigger: _Trigger) -> Rule:
        own = self._config
        return Rule(
            name=f"{self.name}.{trigger.name}",
            detector=self.name,
            kind=KIND,
            signal=KIND,
            direction="above",
            priority=trigger.priority,
            rank=1,
            seconds=own.seconds,
            unknown_seconds=own.seconds,
            readings=own.readings,
        )

    def _lasting_rule(self, trigger: _Trigger, light: bool) -> Rule:
        """The rule by which a score counts whatever the activity, in light motion or any."""
        own = self._config
        seconds = max(own.seconds, own.light_motion_seconds if light else own.long_effort_seconds)
        readings = own.light_motion_readings if light else own.long_effort_readings
        return replace(
            self._rule(trigger),
            name=f"{self.name}.{trigger.name}.{'light_motion' if light else 'long_effort'}",
            seconds=seconds,
            unknown_seconds=seconds,
            readings=max(own.readings, readings),
            counts_activity=True,
        )

    def rules(self) -> Iterable[str]:
        """Urgent and emergency, and a single three where it is announced, each of them also by what
        lasts while the person is active."""
        if not self._config.enabled:
            return []
        lasting = [rule.name for _, rule, _ in self._lasting]
        return [*(rule.name for _, rule in self._triggers), *lasting]

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
        score = _sum(known)
        moment.scores[self.name] = score
        single = own.single_three and _has_three(known)
        if score <= own.clear and not single and KIND not in moment.watched:
            return NOTHING
        return self._findings(known, moment)

    def _findings(self, known: Known, moment: Moment) -> list[Finding]:
        """What each rule finds of a score that is not calm."""
        active = moment.activity == "active"
        facts = {**_facts(known), "age_band": self._age_band}
        counted, counted_facts = known, facts
        if active:
            counted = {name: row for name, row in known.items() if name not in OF_EXERCISE}
            counted_facts = {**facts, **_counted_facts(known)}
        found = []
        for trigger, rule in self._triggers:
            stance = self._stance(trigger, counted)
            if stance == BEYOND or not active:
                found.append(self._finding(trigger, rule, stance, counted, counted_facts))
            else:
                whole = self._stance(trigger, known)
                stance = MUTED if whole == BEYOND else whole
                found.append(self._finding(trigger, rule, stance, known, facts))
        return found + self._of_what_lasts(known, moment, facts)

    def _of_what_lasts(
        self, known: Known, moment: Moment, facts: Mapping[str, Any]
    ) -> list[Finding]:
        """What the rules find that count the whole score whatever the activity."""
        found = []
        active = moment.activity == "active"
        explained = active and (moment.pace is None or moment.pace >= self._config.steps_below)
        for trigger, rule, light in self._lasting:
            stance = self._stance(trigger, known)
            if stance == BEYOND and light and explained:
                stance = BETWEEN
            own = facts
            if active:
                own = {**facts, "judged_while_active": "duration"}
                if light:
                    own["steps_below"] = self._config.steps_below
            found.append(self._finding(trigger, rule, stance, known, own))
        return found

    def _stance(self, trigger: _Trigger, known: Known) -> Stance:
        if trigger.limit is None:
            return BEYOND if _has_three(known) else CLEAR
        return stance_above(_sum(known), trigger.limit, clear=self._config.clear)

    def _finding(
        self,
        trigger: _Trigger,
        rule: Rule,
        stance: Stance,
        known: Known,
        facts: Mapping[str, Any],
    ) -> Finding:
        score = _sum(known)
        if trigger.limit is None:
            return Finding(rule, stance, score, facts=facts)
        clear = self._config.clear
        return Finding(rule, stance, score, limit=trigger.limit, clear=clear, facts=facts)

    def _known(self, moment: Moment, memory: Memory) -> Known:
        """Time, value and points of the latest values not too old, in the table's order."""
        oldest = moment.time - self._config.stale_seconds
        known: Known = {}
        for signal, bands in NEWS2.items():
            value = moment.values.get(signal)
            if value is not None:
                known[signal] = (moment.time, value, bands.points_for(value))
            elif signal in memory and memory[signal][0] >= oldest:
                time, value = memory[signal]
                known[signal] = (time, value, bands.points_for(value))
        return known

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Keep the latest values. An open episode holds nothing back: nothing usual is learned."""
        del frozen
        for signal, value in moment.values.items():
            if signal in NEWS2:
                memory[signal] = [moment.time, value]

    def withdraw(self, memory: Memory, moments: Sequence[Moment]) -> None:
        """Forget latest values that were withdrawn; the next reading brings another."""
        for moment in moments:
            for signal in moment.values:
                if signal in memory and memory[signal][0] == moment.time:
                    del memory[signal]

    def dump(self, memory: Memory) -> Any:
        """``{signal: [time, value]}``."""
        return memory

    def load(self, plain: Any) -> Memory:
        """The same; points that were saved with them once are left out."""
        return {signal: list(row[:2]) for signal, row in plain.items()}


def _sum(known: Known) -> int:
    return sum(points for _, _, points in known.values())


def _has_three(known: Known) -> bool:
    return any(points >= WORST for _, _, points in known.values())


def _facts(known: Known) -> dict[str, Any]:
    return {
        "contributions": {signal: int(row[2]) for signal, row in known.items()},
        "used": {signal: figure(signal, row[1]) for signal, row in known.items()},
        "missing": [*(signal for signal in NEWS2 if signal not in known), *NOT_KNOWN],
    }


def _counted_facts(known: Known) -> dict[str, Any]:
    """Those of a score without the points that exercise may explain, which names what it lacks."""
    left_out = [signal for signal in known if signal in OF_EXERCISE]
    counted = {signal: row for signal, row in known.items() if signal not in OF_EXERCISE}
    facts = _facts(counted)
    missing = [name for name in facts["missing"] if name not in left_out]
    return {**facts, "missing": missing, "not_counted_while_active": left_out}
