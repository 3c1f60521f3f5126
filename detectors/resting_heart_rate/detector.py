"""Night-time resting heart rate, tracked over days: is it raised against the person's own nights?

One value a night (:mod:`detectors.resting_heart_rate.nights`), three questions of it
(:mod:`detectors.resting_heart_rate.reference`). A night is judged by the first heart rate after its
end, once. Nothing is judged before ``ready_nights``. The score of a night is the mean distance of
the last two from the reference in spreads; 0 is usual, clipped both ways.

The night is by local time. Minutes that a device or steps call
active do not count; where nobody knows, all do. Nights are gathered during alarms too: what they
may teach is decided by what they show, not by what is open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, ClassVar

from msgspec import Struct, convert, field, to_builtins

from detectors.context.local_time import LocalClock
from detectors.contract import BETWEEN, BEYOND, CLEAR, Finding, FindingsOnly, Moment, Rule, Stance
from detectors.limits.detector import NOTHING
from detectors.resting_heart_rate.configuration import RestingConfig
from detectors.resting_heart_rate.nights import SLOT_SECONDS, Night
from detectors.resting_heart_rate.reference import DAY, NEVER, Chart, History, Known, Level
from detectors.resting_heart_rate.shift import Shift, basis
from vigil.domain.kinds import KINDS
from vigil.values.rounding import half_up

KIND = "resting_heart_rate_raised"
SIGNAL = "resting_heart_rate"
"""What is judged: a figure of the night, not a heart rate of a moment."""
USUAL_SPREADS = 2.0


class Memory(Struct, array_like=True):
    """The night that is being gathered, and those before."""

    night: Night = field(default_factory=Night)
    history: History = field(default_factory=History)


def _rule(name: str) -> Rule:
    return Rule(
        name=name,
        detector="resting",
        kind=KIND,
        signal=SIGNAL,
        direction="above",
        priority=KINDS[KIND].priority,
        rank=2,
    )


PAIR, SHIFT, DRIFT = (_rule(f"resting.{name}") for name in ("nights", "shift", "drift"))


class Resting(FindingsOnly):
    """Finds nights that are raised, at once or slowly.

    Args:
        local: local time, by whose hours it is night.
    """

    name: ClassVar[str] = "resting"

    def __init__(self, config: RestingConfig, local: LocalClock):
        self._settings = settings = config
        self._local = local
        self._begins = settings.from_hour * 3600.0
        self._length = settings.hours * 3600.0
        self.signals = frozenset({"heart_rate"} if settings.enabled else ())

    def rules(self) -> Iterable[str]:
        """Nights against the reference, at once and over days, and against the anchor."""
        return (PAIR.name, SHIFT.name, DRIFT.name) if self.signals else ()

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """A finding a question when a night has just ended, unless all is calm."""
        night = memory.night
        if moment.time < night.ends or not night.counts or "heart_rate" not in moment.values:
            return NOTHING
        known, history, settings = self._known(night), memory.history, self._settings
        if known is None or not history.ready(settings):
            return NOTHING
        usual, anchor = history.usual(settings), history.anchored()
        after = deepcopy(history)
        after.conclude(known, settings)
        if not after.raised and KIND not in moment.watched:
            return NOTHING
        return list(self._answers(known, after, usual=usual, anchor=anchor))

    def _answers(
        self, night: Known, after: History, *, usual: Level, anchor: Level | None
    ) -> Iterable[Finding]:
        """What each question finds of a night. ``after``: the history with it."""
        own, facts = self._settings, self._facts(after, usual, anchor)
        asked: list[tuple[Rule, Chart | Shift, Level, float, float, float]] = [
            (PAIR, after.fast, usual, own.pair_spreads, own.least_rise, own.clear_spreads),
            (SHIFT, after.shift, usual, own.dead_band, 0.0, own.shift_clear_spreads),
        ]
        if anchor is not None:
            drift = (DRIFT, after.slow, anchor, own.drift_slack, own.drift_rise, own.clear_spreads)
            asked.append(drift)
        for rule, chart, level, spreads, least, clear in asked:
            more = {"detector": basis(after.shift, own)} if rule is SHIFT else {}
            yield Finding(
                rule,
                _stance(chart, night.value, level.above(clear)),
                night.value,
                limit=level.centre + max(spreads * level.spread, least),
                clear=level.above(clear),
                since=chart.since if chart.raised else None,
                facts={**facts, **more},
            )

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Count a minute at rest of the night; conclude one that is over."""
        del frozen  # see the module
        rate = moment.values.get("heart_rate")
        if rate is None:
            return
        time, night = moment.time, memory.night
        if time >= night.ends and night.counts:
            known = self._known(night)
            if known is not None:
                memory.history.conclude(known, self._settings)
            night = memory.night = Night()
        minute = int(time // 60)
        if minute <= night.minute:
            return
        east = self._local.seconds(time)
        into = (time + (east - self._begins)) % DAY
        if into >= self._length or not _at_rest(moment):
            return
        ends = time - into + self._length
        night.ends = ends + (east - self._local.seconds(ends))
        night.add(rate, minute, int(into // SLOT_SECONDS))

    def withdraw(self, memory: Memory, moments: Sequence[Moment]) -> None:
        """Gather the night anew that a withdrawn heart rate is of. Nights before stay as they are,
        since a night's value is kept without its minutes."""
        ends = memory.night.ends
        rates = [moment.time for moment in moments if "heart_rate" in moment.values]
        if any(ends - self._length <= time < ends for time in rates):
            memory.night = Night()

    def fresh(self) -> Memory:
        """No night yet."""
        return Memory()

    def dump(self, memory: Memory) -> Any:
        """``[night, history]``, without a test over nights that has seen none; ``[]``: nothing."""
        if memory == Memory():
            return []
        night, history = to_builtins(memory)
        if memory.history.shift == Shift():
            del history[-1]
        return [night, history]

    def load(self, plain: Any) -> Memory:
        """The memory again, also one that was saved before there was such a test."""
        return convert(plain, Memory)

    def _known(self, night: Night) -> Known | None:
        """The value of a night that is over; None: it covers too little."""
        if night.hours < self._settings.least_hours:
            return None
        return Known(night.ends, night.value(), night.hours)

    def _facts(self, history: History, usual: Level, anchor: Level | None) -> dict[str, Any]:
        """What a sceptical clinician asks of it: each night, and what it was compared with."""
        reach, count = USUAL_SPREADS * usual.spread, len(history.reference)
        facts: dict[str, Any] = {
            "nights": [
                {"ended": self._date(n.ended), "value": n.value, "hours": n.hours}
                for n in history.recent
            ],
            "nights_used": count,
            "baseline": {
                "median": half_up(usual.centre, 2),
                "spread": half_up(usual.spread, 2),
                "low": half_up(usual.centre - reach, 2),
                "high": half_up(usual.centre + reach, 2),
                "n": count,
                "bin": "nights",
                "confidence": half_up(min(1.0, count / self._settings.reference_nights), 2),
            },
        }
        scores = {
            "resting": history.fast.pair,
            "resting.shift": history.shift.score,
            "resting.drift": history.slow.total,
        }
        facts["scores"] = {k: half_up(v, 2) for k, v in scores.items() if v is not None}
        if anchor is not None:
            facts["anchor"] = half_up(anchor.centre, 2)
        if history.adopted > NEVER:
            facts["adopted"] = self._date(history.adopted)
        return facts

    def _date(self, time: float) -> str:
        """The local date on which a night ended."""
        local = time + self._local.seconds(time)
        return datetime.fromtimestamp(local, UTC).date().isoformat()


def _stance(chart: Chart | Shift, value: float, clear: float) -> Stance:
    if not chart.raised:
        return CLEAR
    return BEYOND if value > clear else BETWEEN


def _at_rest(moment: Moment) -> bool:
    """Whether a minute counts: nothing shows that the person moved, now or just before."""
    return not moment.steps_per_min and not moment.period.startswith("active")
