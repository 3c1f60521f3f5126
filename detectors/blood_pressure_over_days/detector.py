"""Home blood pressure: the average over days against the guidelines' categories.

One reading is no category. The mean of the last seven days' means is one, if they hold three days
and twelve readings beside the first day of a series, which runs high (ESH practice guidelines for
home monitoring°; Stergiou and others saw 2.8/1.4 mmHg in 2,122 people). A series begins after a
week without a reading.

Only readings at rest and awake count. A device that measures by itself, also at night, is thereby
judged by its waking hours, for which the guidelines' limits are those of home readings; its nights,
whose limits are lower, and its 24-hour mean are not judged. Where neither a device nor steps
tell, the night of ``context`` is the night.

A day is judged by the first pressure of a later one, once. The means are of values as sent; what is
judged, given a category and shown is their figure, in whole mmHg (:mod:`vigil.domain.figures`). The
score of an average is the distance of the pressure that is further from its limit, in mmHg; 0 is
the limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from msgspec import Struct

from detectors.blood_pressure_over_days.configuration import PressureDaysConfig
from detectors.context.local_time import LocalClock
from detectors.contract import Finding, Moment, Remembering, Rule, stance_above
from detectors.limits.detector import NOTHING
from vigil.domain import figures
from vigil.domain.kinds import KINDS
from vigil.values.rounding import half_up

KIND = "blood_pressure_raised_over_days"
EPOCH = date(1970, 1, 1).toordinal()
DAY = 86400.0


class Day(Struct, array_like=True):
    """A local day's readings."""

    number: int
    """Since 1970."""
    readings: int = 0
    systolic: float = 0.0
    """Sums."""
    diastolic: float = 0.0


class Memory(Struct, array_like=True):
    """The days of the window, the oldest first; the last may still be going on."""

    days: list[Day] = []
    series: int = 0
    """The first day of the present series."""


@dataclass(frozen=True, slots=True)
class Average:
    """The figures of the mean of daily means."""

    systolic: float
    diastolic: float
    days: list[Day]


def _rule(signal: Literal["systolic", "diastolic"]) -> Rule:
    return Rule(
        name=f"pressure_days.{signal}",
        detector="pressure_days",
        kind=KIND,
        signal=signal,
        direction="above",
        priority=KINDS[KIND].priority,
        rank=2,
    )


SYSTOLIC, DIASTOLIC = _rule("systolic"), _rule("diastolic")


class PressureDays(Remembering[Memory]):
    """Finds averages over days that belong to a raised category.

    Args:
        local: local time, by which days begin.
    """

    name = "pressure_days"
    memory = Memory

    def __init__(self, config: PressureDaysConfig, local: LocalClock):
        self._settings = config
        self._categories = config.guidelines[config.guideline]
        self._local = local
        self.signals = frozenset({"systolic"} if self._settings.enabled else ())

    def rules(self) -> Iterable[str]:
        """One a pressure."""
        return (SYSTOLIC.name, DIASTOLIC.name) if self.signals else ()

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """Two findings when a day has just ended and the average is, or was, raised."""
        today = self._today(moment)
        if not memory.days or memory.days[-1].number >= today or not _judged(moment):
            return NOTHING
        average = self._average(memory, today)
        if average is None:
            return NOTHING
        limits = self._categories.limits
        assert limits.diastolic is not None  # noqa: S101  (the section holds it)
        over = average.systolic - limits.systolic, average.diastolic - limits.diastolic
        if max(over) < 0 and KIND not in moment.watched:
            return NOTHING
        facts = self._facts(average, max(over))
        since = self._local.instant(average.days[0].number * DAY)
        return [
            self._finding(
                SYSTOLIC, average.systolic, limit=limits.systolic, since=since, facts=facts
            ),
            self._finding(
                DIASTOLIC, average.diastolic, limit=limits.diastolic, since=since, facts=facts
            ),
        ]

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Add a reading to its day. An open alarm is no reason to leave it out of an average."""
        del frozen
        if not _judged(moment):
            return
        today, days = self._today(moment), memory.days
        if not days or days[-1].number < today:
            if not days or today - days[-1].number > self._settings.window_days:
                memory.series = today
            oldest = today - self._settings.window_days
            days = memory.days = [day for day in days if day.number >= oldest]
            days.append(Day(today))
        day = days[-1]
        day.readings += 1
        day.systolic += moment.values["systolic"]
        day.diastolic += moment.values["diastolic"]

    def _today(self, moment: Moment) -> int:
        return int((moment.time + self._local.seconds(moment.time)) // DAY)

    def _average(self, memory: Memory, today: int) -> Average | None:
        """Over the days before ``today``; None: there are too few."""
        oldest = today - self._settings.window_days
        days = [day for day in memory.days if day.number >= oldest and day.number != memory.series]
        readings = sum(day.readings for day in days)
        if len(days) < self._settings.least_days or readings < self._settings.least_readings:
            return None
        return Average(
            _figure("systolic", sum(day.systolic / day.readings for day in days) / len(days)),
            _figure("diastolic", sum(day.diastolic / day.readings for day in days) / len(days)),
            days,
        )

    def _finding(
        self, rule: Rule, value: float, limit: float, since: float, facts: dict[str, Any]
    ) -> Finding:
        clear = limit - self._settings.clear_margin
        stance = stance_above(value, limit, clear)
        return Finding(rule, stance, value, limit=limit, clear=clear, since=since, facts=facts)

    def _facts(self, average: Average, over: float) -> dict[str, Any]:
        """What the average rests on, and what it is called."""
        systolic, diastolic, days = average.systolic, average.diastolic, average.days
        return {
            "average": {"systolic": systolic, "diastolic": diastolic},
            "category": {
                name: row.category_of(systolic, diastolic) or "normal"
                for name, row in sorted(self._settings.guidelines.items())
            },
            "guideline": self._settings.guideline,
            "days": [
                {
                    "day": date.fromordinal(day.number + EPOCH).isoformat(),
                    "systolic": _figure("systolic", day.systolic / day.readings),
                    "diastolic": _figure("diastolic", day.diastolic / day.readings),
                    "readings": day.readings,
                }
                for day in days
            ],
            "scores": {self.name: half_up(over, 2)},
        }


def _figure(name: str, mean: float) -> float:
    """A mean's figure, with what the division left behind the sixth digit taken off first."""
    return figures.figure(name, half_up(mean, 6))


def _judged(moment: Moment) -> bool:
    """Whether a reading counts: both pressures, at rest as far as anyone knows, and awake."""
    values, activity = moment.values, moment.activity
    if "systolic" not in values or "diastolic" not in values or activity in {"active", "asleep"}:
        return False
    known = activity == "rest" and moment.context_source in {"device", "steps"}
    return known or not moment.period.endswith("night")
