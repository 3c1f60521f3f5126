"""The risk of deterioration from hourly charting: a scorecard that adds up signal by signal.

Each signal adds two figures, read from the curves of ``defaults/deterioration.toml``: one of its
*level* (a fading mean over hours) and one of its *unrest* (the fading mean distance of each reading
from the patient's own usual of the last day, begun at the population's). The sum is in log-odds
about the average patient of a ward without sepsis: 0 is average, +1 is odds 2.7 times theirs. As a
sum, what each signal adds is exact, and the evidence shows it.

Learned on intensive-care stays (the card is in the TOML file): it means nothing for a person at
home. Warm-up: ``ready_seconds``, and ``least_signals`` that are not stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import exp
from typing import Any, ClassVar

from msgspec import Struct

from detectors.contract import Finding, Moment, Remembering, Rule, stance_above
from detectors.early_warning.deterioration_configuration import (
    DeteriorationConfig,
    Scorecard,
    Table,
)
from detectors.limits.detector import NOTHING
from vigil.domain.figures import figure
from vigil.values.rounding import half_up
from vigil.values.sums import total

KIND = "pattern_unusual"
SIGNAL = "deterioration"
"""What is judged."""


class Course(Struct, frozen=True, array_like=True, gc=False):
    """The course of one signal, up to its last reading taken."""

    time: float
    level: float
    level_weight: float
    usual: float
    usual_weight: float
    strayed: float
    """Sum of the distances from the usual, fading …"""
    strays: float
    """… and how many readings it rests on."""


class Stay(Struct, array_like=True):
    """What is remembered of a patient."""

    first: float = 0.0
    """Time of the first reading since a long silence."""
    last: float = -1e12
    courses: dict[str, Course] = {}


def read(table: Table, value: float) -> float:
    """The curve at a value.

    >>> table = ((70.0, -0.4), (90.0, 0.2))
    >>> round(read(table, 80.0), 3), read(table, 200.0)
    (-0.1, 0.2)
    """
    low, height = table[0]
    if value <= low:
        return height
    for high, top in table:
        if value < high:
            return height + (top - height) * (value - low) / (high - low)
        low, height = high, top
    return height


class Risk(Remembering[Stay]):
    """Judges the sum of what the signals add."""

    name: ClassVar[str] = "deterioration"
    memory: ClassVar[type[Stay]] = Stay

    def __init__(self, config: DeteriorationConfig):
        self._config = own = config
        self._cards = own.signals
        self.signals = frozenset(own.signals if own.enabled else ())
        self._rule = Rule(
            name=self.name,
            detector=self.name,
            kind=KIND,
            signal=SIGNAL,
            direction="above",
            priority=own.priority,
            rank=1,
            readings=own.readings,
        )

    def rules(self) -> Iterable[str]:
        """One, where it is in force."""
        return [self.name] if self._config.enabled else []

    def examine(self, moment: Moment, memory: Stay) -> Iterable[Finding]:
        """One finding, once there is enough and unless the risk is low."""
        own, time = self._config, moment.time
        gone = time - memory.last > own.forget_seconds
        if gone or time - memory.first < own.ready_seconds:
            return NOTHING
        added = self._added(moment, memory)
        if len(added) < own.least_signals:
            return NOTHING
        risk = moment.scores[self.name] = total(added.values())
        if risk <= own.clear and KIND not in moment.watched:
            return NOTHING
        stance = stance_above(
            figure(SIGNAL, risk), own.above, clear=own.clear, muted=moment.activity == "active"
        )
        facts = {"contributions": {name: half_up(part, 2) for name, part in added.items()}}
        return (Finding(self._rule, stance, risk, limit=own.above, clear=own.clear, facts=facts),)

    def _added(self, moment: Moment, memory: Stay) -> dict[str, float]:
        """Signal → what it adds, with this moment's readings, in the tables' order."""
        oldest, values = moment.time - self._config.stale_seconds, moment.values
        added = {}
        for signal, card in self._cards.items():
            course = memory.courses.get(signal)
            value = values.get(signal)
            if value is not None:
                course = self._onward(course, moment.time, value)
            if course is not None and course.time >= oldest:
                added[signal] = self._points(card, course)
        return added

    def _points(self, card: Scorecard, course: Course) -> float:
        prior = self._config.prior_readings
        unrest = (course.strayed + prior * card.usual_unrest) / (course.strays + prior)
        return read(card.level, course.level) + read(card.unrest, unrest)

    def _onward(self, course: Course | None, time: float, value: float) -> Course:
        """The course with one more reading; as it was where that comes too soon."""
        if course is None:
            return Course(time, value, 1.0, value, 1.0, 0.0, 0.0)
        own, gap = self._config, time - course.time
        if gap < own.every_seconds:
            return course
        hours = gap / 3600.0
        fade = exp(-hours / own.unrest_hours)
        near = course.level_weight * exp(-hours / own.level_hours) + 1.0
        long = course.usual_weight * exp(-hours / own.usual_hours) + 1.0
        off = value - course.usual
        return Course(
            time,
            course.level + (value - course.level) / near,
            near,
            course.usual + off / long,
            long,
            course.strayed * fade + abs(off),
            course.strays * fade + 1.0,
        )

    def learn(self, moment: Moment, memory: Stay, frozen: Collection[str]) -> None:
        """Follow the signals. An open episode holds nothing back: this measures the last days."""
        del frozen
        time, courses = moment.time, memory.courses
        known = [signal for signal in moment.values if signal in self._cards]
        if not known:
            return
        if time - memory.last > self._config.forget_seconds:
            memory.first = time
            courses.clear()
        memory.last = time
        for signal in known:
            courses[signal] = self._onward(courses.get(signal), time, moment.values[signal])

    def load(self, plain: Any) -> Stay:
        """The same. A signal that is no longer in the tables is dropped."""
        stay = super().load(plain)
        stay.courses = {k: v for k, v in stay.courses.items() if k in self._cards}
        return stay
