"""Home blood pressure: the average over days against the guidelines' categories.

One reading is no category. The mean of the last seven days' means is one, if they hold three days
and twelve readings beside the first day of a series, which runs high (ESH practice guidelines for
home monitoring°; Stergiou and others saw 2.8/1.4 mmHg in 2,122 people). A series begins after a
week without a reading. Who measures less often is judged by a longer span, with less certainty
(:mod:`detectors.blood_pressure_over_days.averages`).

Only readings at rest and awake count. A device that measures by itself, also at night, is thereby
judged by its waking hours, for which the guidelines' limits are those of home readings; its nights,
whose limits are lower, and its 24-hour mean are not judged. Where neither a device nor steps
tell, the night of ``context`` is the night; but a sitting in it counts where nothing was measured
for hours before it: a device that measures by itself does so all night, and whoever takes one
pressure at 11 in the evening is awake.

Systolic pressures alone, as palpation gives them, are averaged where there are too few pairs, and
judged by the systolic limit alone.

A day is judged by the first pressure of a later one, once. The means are of values as sent; what is
judged, given a category and shown is their figure, in whole mmHg (:mod:`vigil.domain.figures`). The
score of an average is the distance of the pressure that is further from its limit, in mmHg; 0 is
the limit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from operator import attrgetter
from typing import Any, ClassVar, Literal

from detectors.blood_pressure_over_days.averages import (
    Average,
    Day,
    Memory,
    average_before,
    figure,
    needed_days,
    series_of,
    since_pause,
)
from detectors.blood_pressure_over_days.configuration import PressureDaysConfig
from detectors.context.local_time import LocalClock
from detectors.contract import BETWEEN, BEYOND, Finding, Moment, Remembering, Rule, stance_above
from detectors.limits.detector import NOTHING
from detectors.limits.exertion_configuration import ADULT_ASSUMED
from vigil.domain.kinds import KINDS
from vigil.values.rounding import half_up

KIND = "blood_pressure_raised_over_days"
EPOCH = date(1970, 1, 1).toordinal()
DAY = 86400.0
WEEK = 7
_number = attrgetter("number")
_NOT_COUNTED = frozenset({"active", "asleep"})


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
        age_band: whose limits they are, for the evidence.
    """

    name: ClassVar[str] = "pressure_days"
    memory: ClassVar[type[Memory]] = Memory

    def __init__(
        self, config: PressureDaysConfig, local: LocalClock, age_band: str = ADULT_ASSUMED
    ):
        self._settings = config
        self._age_band = age_band
        self._categories = config.guidelines[config.guideline]
        self._local = local
        self.signals = frozenset({"systolic"} if self._settings.enabled else ())

    def rules(self) -> Iterable[str]:
        """One a pressure."""
        return (SYSTOLIC.name, DIASTOLIC.name) if self.signals else ()

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """A finding a pressure, when a day has just ended and the average is, or was, raised."""
        today = self._today(moment)
        newest = memory.newest
        if newest is None or newest >= today or not self._judged(moment, memory):
            return NOTHING
        return self._found(memory, today, moment)

    def examine_again(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """The same of the days before the newest one, to which late readings were added since it
        began. What is open is judged by its next day."""
        newest = memory.newest
        if newest is None or KIND in moment.watched:
            return NOTHING
        return self._found(memory, newest, moment)

    def _found(self, memory: Memory, today: int, moment: Moment) -> Iterable[Finding]:
        """A finding a pressure, if the average of the days before ``today`` is, or was, raised."""
        average = average_before(memory, today, self._settings)
        if average is None:
            return NOTHING
        limits = self._categories.limits
        assert limits.diastolic is not None  # noqa: S101  (the section holds it)
        over = [average.systolic - limits.systolic]
        if average.diastolic is not None:
            over.append(average.diastolic - limits.diastolic)
        if max(over) < 0 and KIND not in moment.watched:
            return NOTHING
        facts = self._facts(average, max(over))
        since = self._local.instant(average.days[0].number * DAY)
        found = [self._finding(SYSTOLIC, average, limit=limits.systolic, since=since, facts=facts)]
        if average.diastolic is not None:
            found.append(
                self._finding(DIASTOLIC, average, limit=limits.diastolic, since=since, facts=facts)
            )
        return found

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Add a reading to its day. An open alarm is no reason to leave it out of an average."""
        del frozen
        judged = self._judged(moment, memory)
        if "systolic" in moment.values:
            memory.alone, memory.last = self._is_alone(moment, memory), moment.time
        if not judged:
            return
        today, alone = self._today(moment), "diastolic" not in moment.values
        days = memory.systolic_days if alone else memory.days
        if not days or days[-1].number < today:
            if not alone and (not days or today - days[-1].number > self._settings.window_days):
                memory.series = today
            days = [*needed_days(days, today, self._settings), Day(today)]
            if alone:
                memory.systolic_days = days
            else:
                memory.days = days
        days[-1].add(moment.values)

    def learn_late(self, moment: Moment, memory: Memory) -> None:
        """Add a reading that came after newer ones to its day, whatever order such ones come in.
        One of the night counts only where it is known that the person was awake and at rest."""
        activity = moment.activity
        if "systolic" not in moment.values or activity in _NOT_COUNTED:
            return
        awake = activity == "rest" and moment.context_source in {"device", "steps"}
        if not awake and moment.period.endswith("night"):
            return
        today, alone = self._today(moment), "diastolic" not in moment.values
        days = list(memory.systolic_days if alone else memory.days)
        place = bisect_left(days, today, key=_number)
        if place == len(days) or days[place].number != today:
            days.insert(place, Day(today))
        days[place].add(moment.values)
        days = needed_days(days, days[-1].number, self._settings)
        if alone:
            memory.systolic_days = days
            return
        memory.days = days
        going_on = since_pause(days, self._settings)
        series = series_of(going_on, self._settings.window_days)
        if series != days[0].number or memory.series >= series:
            memory.series = series

    def evidence(self, moment: Moment, memory: Memory, signal: str) -> dict[str, Any]:
        """Local time, by which days are named, in the evidence of any event."""
        del moment, memory, signal
        return dict(self._local.stated)

    def withdraw(self, memory: Memory, moments: Sequence[Moment]) -> None:
        """Forget the days of withdrawn pressures, of which the single readings are not kept."""
        gone = {self._today(moment) for moment in moments if "systolic" in moment.values}
        memory.days = [day for day in memory.days if day.number not in gone]
        memory.systolic_days = [day for day in memory.systolic_days if day.number not in gone]

    def _judged(self, moment: Moment, memory: Memory) -> bool:
        """Whether a reading counts: at rest as far as anyone knows, and awake."""
        activity = moment.activity
        if "systolic" not in moment.values or activity in _NOT_COUNTED:
            return False
        if activity == "rest" and moment.context_source in {"device", "steps"}:
            return True
        return not moment.period.endswith("night") or self._is_alone(moment, memory)

    def _is_alone(self, moment: Moment, memory: Memory) -> bool:
        """Whether a reading is of a sitting before which nothing was measured for long."""
        since = moment.time - memory.last
        if since <= self._settings.sitting_seconds:
            return memory.alone
        return since >= self._settings.alone_seconds

    def _today(self, moment: Moment) -> int:
        return int((moment.time + self._local.seconds(moment.time)) // DAY)

    def _finding(
        self, rule: Rule, average: Average, *, limit: float, since: float, facts: dict[str, Any]
    ) -> Finding:
        """Where one of the pressures is. Any but a full average is beyond by its standard error
        too."""
        clear = limit - self._settings.clear_margin
        value, error = average.systolic, average.systolic_error
        if average.diastolic is not None and average.diastolic_error is not None:
            diastolic = rule is DIASTOLIC
            value = average.diastolic if diastolic else value
            error = average.diastolic_error if diastolic else error
        stance = stance_above(value, limit, clear)
        if stance == BEYOND and average.protocol != "full":
            certain = value - limit >= self._settings.sparse.standard_errors * error
            stance = BEYOND if certain else BETWEEN
        return Finding(rule, stance, value, limit=limit, clear=clear, since=since, facts=facts)

    def _facts(self, average: Average, over: float) -> dict[str, Any]:
        """What the average rests on, and what it is called."""
        systolic, diastolic, days = average.systolic, average.diastolic, average.days
        names = ("systolic",) if diastolic is None else ("systolic", "diastolic")
        errors = {"systolic": average.systolic_error, "diastolic": average.diastolic_error}
        return {
            "average": {name: getattr(average, name) for name in names},
            "category": {
                name: row.category_of(systolic, diastolic) or "normal"
                for name, row in sorted(self._settings.guidelines.items())
            },
            "guideline": self._settings.guideline,
            "age_band": self._age_band,
            "protocol": average.protocol,
            "readings": average.readings,
            "days_with_readings": len(days),
            "span_days": average.span_days,
            "standard_error": {name: half_up(errors[name] or 0.0, 2) for name in names},
            "confidence": self._confidence(average),
            "days": [
                {
                    "day": date.fromordinal(day.number + EPOCH).isoformat(),
                    **{name: figure(name, day.means[n]) for n, name in enumerate(names)},
                    "readings": day.readings,
                }
                for day in days
            ],
            "scores": {self.name: half_up(over, 2)},
        }

    def _confidence(self, average: Average) -> float:
        """Readings a week, as a share of those that a full week holds at least: 0 to 1."""
        if average.protocol == "full":
            return 1.0
        a_week = average.readings * WEEK / average.span_days
        return half_up(min(1.0, a_week / self._settings.least_readings), 2)
