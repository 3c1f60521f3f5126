"""What is usual for this person, learned online, and what is unusual for long enough to be told.

A signal's usual value is the sum of a *level* (one a person, learned from all that is not activity)
and an *offset* (one for each activity and part of the day, learned slowly). So a part of the day
that was seldom seen borrows from the rest, and a true new level is adopted everywhere at once. All
are robust estimates (:mod:`detectors.estimates`).

Unusual is what was *sustained* (:mod:`detectors.sustained`): each of the last blocks further from
the usual than ``least_change`` and than ``raise_spreads`` of this person's own blocks. Half of how
far the last hours were off is expected to last.

Cold start: the population's prior counts as ``prior_weight_minutes`` of data; a bin that is new is
handed the person's mean offset of that activity; nothing is called unusual before an activity has
``ready_readings`` readings over ``ready_minutes``. ``confidence`` (0 to 1) says how far that is.

In silence the level moves by ``most_per_day`` at most, so that neither outliers nor a sensor that
drifts drag it. While an episode is open on a signal it stands still; from ``adopt_after_seconds``
on it learns again, by ``adopt_per_day`` at most: what has lasted so long, and was told, is becoming
this person's normal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Literal, NamedTuple

from detectors.config import PatientConfig
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding, Moment, Rule, Stance
from detectors.estimates import Estimate
from detectors.limits import NOTHING
from detectors.sections.baseline import BaselineConfig, Usual
from detectors.sustained import Window
from vigil.kinds import KINDS

USUAL_SPREADS = 2.0
"""What is shown as the usual range: about 95 of 100 readings."""
DAY = 86400.0


class Known:
    """What is known of one signal of one patient."""

    __slots__ = ("anchor", "bins", "day", "learned", "level", "window")

    def __init__(self, signal: str, usual: Usual, weight: float):
        centre, spread = usual.prior["rest"]
        self.level = Estimate(signal, (centre, spread), weight, usual.floor)
        self.bins: dict[str, Estimate] = {}
        """``rest:2`` → offset from the level, and spread of single values about the usual."""
        self.window = Window()
        self.learned = -inf
        """Time of the last value learned."""
        self.day = -1.0
        self.anchor = centre
        """The level when that day began."""


class Memory:
    """What is known of one patient."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}


class _Judged(NamedTuple):
    """A signal's settings and rules, made once."""

    signal: str
    usual: Usual
    above: Rule
    below: Rule
    score: str
    """Its key among the scores of a moment."""
    keys: Mapping[str, tuple[str, ...]]
    """Period → the bin of each part of the day."""
    keep: int
    """Blocks of the window."""


def _rule(signal: str, usual: Usual, direction: Literal["above", "below"]) -> Rule:
    seconds = usual.block_seconds * usual.blocks
    unknown = usual.block_seconds * (usual.unknown_blocks or usual.blocks)
    return Rule(
        name=f"baseline.{signal}.{direction}",
        detector="baseline",
        kind=usual.kind,
        signal=signal,
        direction=direction,
        priority=KINDS[usual.kind].priority,
        rank=2,
        seconds=seconds,
        unknown_seconds=unknown,
    )


def _keys(slots: int) -> dict[str, tuple[str, ...]]:
    """Period → bins: parts of the day, or day and night as the period says."""
    periods = [f"{a}:{half}" for a in ("asleep", "rest", "active", "unknown")
               for half in ("day", "night")]  # fmt: skip
    if slots == 2:
        return {period: (period, period) for period in periods}
    return {
        period: tuple(f"{period.partition(':')[0]}:{slot}" for slot in range(slots))
        for period in periods
    }


class Baseline:
    """Finds values that are sustained far from the person's usual ones."""

    name = "baseline"

    def __init__(self, config: PatientConfig):
        self._config: BaselineConfig = config.baseline
        self._offset = config.context.utc_offset_hours
        self._judged = {
            signal: _Judged(
                signal,
                usual,
                _rule(signal, usual, "above"),
                _rule(signal, usual, "below"),
                f"{self.name}.{signal}",
                _keys(usual.slots),
                max(usual.blocks, usual.unknown_blocks or 0),
            )
            for signal, usual in config.baseline.signals.items()
            if usual.enabled
        }
        self.signals = frozenset(self._judged)

    def rules(self) -> Iterable[str]:
        """Above and below, of each signal."""
        return [rule.name for row in self._judged.values() for rule in (row.above, row.below)]

    def fresh(self) -> Memory:
        """Nothing learned yet."""
        return Memory()

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """Two findings a signal, above and below, when a block is complete and not calm."""
        found: Iterable[Finding] = NOTHING
        for signal, value in moment.values.items():
            row = self._judged.get(signal)
            if row is None:
                continue
            known = memory.known.get(signal)
            centre, spread = self._usual(row, known, moment)
            moment.scores[row.score] = (value - centre) / spread
            if known is None:
                continue
            if row.usual.at_rest_only and moment.period.startswith("active"):
                if row.usual.kind in moment.watched:
                    found = [*found, *_muted(row, value)]
                continue
            closed = known.window.closing(
                moment.time, value - centre, row.usual.block_seconds, self._config.gap_seconds
            )
            if closed and self._ready(known.level):
                told = self._judge(row, known, closed, (centre, spread), moment)
                found = [*found, *told] if told else found
        return found

    def _judge(
        self, row: _Judged, known: Known, closed: Sequence[float], own: tuple[float, float],
        moment: Moment,
    ) -> Iterable[Finding]:  # fmt: skip
        """What the sustained level says. ``own``: the person's centre and spread now."""
        usual, window, (centre, spread) = row.usual, known.window, own
        expected = window.expected(self._config.recent_share)
        wide = usual.raise_spreads * spread
        reach = min(max(wide, usual.least_change), usual.most_change)
        ease = usual.clear_spreads / usual.raise_spreads
        newest = closed[-1] - expected
        band = usual.low_band
        least = reach if band is None else min(reach, max(ease * wide, band.least_change))
        if -least * ease <= newest <= reach * ease and usual.kind not in moment.watched:
            return NOTHING
        means = [*window.means, *closed]
        unknown = moment.activity == "unknown" and usual.unknown_blocks is not None
        longer = (usual.unknown_blocks or usual.blocks) if unknown else usual.blocks
        over, under = means[-longer:], means[-usual.blocks :]
        centre += expected
        high, low = min(over) - expected, max(under) - expected
        banded = band is not None and centre + low <= band.below
        reach_low = least if banded else reach
        up = _stance(high, reach, reach * ease, len(over) == longer)
        down = _stance(-low, reach_low, reach_low * ease, len(under) == usual.blocks)
        return [
            Finding(row.above, up, centre + high, centre + reach, centre + reach * ease,
                    _since(window, len(closed), longer, moment.time)),
            Finding(row.below, down, centre + low, centre - reach_low, centre - reach_low * ease,
                    _since(window, len(closed), usual.blocks, moment.time)),
        ]  # fmt: skip

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Carry the window on; learn each signal at most once in ``learn_every_seconds``."""
        for signal, value in moment.values.items():
            row = self._judged.get(signal)
            if row is None:
                continue
            known = memory.known.get(signal)
            if known is None:
                known = memory.known[signal] = Known(
                    signal, row.usual, self._config.prior_weight_minutes
                )
            self._learn(row, known, value, moment, signal in frozen)

    def _learn(
        self, row: _Judged, known: Known, value: float, moment: Moment, frozen: bool
    ) -> None:
        settings, usual, time = self._config, row.usual, moment.time
        key = self._bin(row, moment)
        own = known.bins.get(key)
        if own is None:
            own = known.bins[key] = self._born(row, known, key)
        active = key.startswith("active")
        off = value - known.level.centre - own.centre
        window = known.window
        if active:
            if window.count or window.means:
                (window.drop if frozen else window.interrupt)()
        else:
            window.add(time, off, usual.block_seconds, settings.gap_seconds, row.keep)
        past = time - known.learned
        if frozen or past < settings.learn_every_seconds:
            return
        first = known.learned == -inf
        known.learned = time
        weight = 1.0 if first else min(max(past / 60, 1.0), settings.longest_weight_minutes)
        if not active:
            low, high = self._bounds(row, known, moment)
            known.level.take(value - own.centre, weight, settings.memory_minutes, low, high)
        own.take(value - known.level.centre, weight, settings.memory_minutes)

    def _bounds(self, row: _Judged, known: Known, moment: Moment) -> tuple[float, float]:
        """How far the level may move today; anywhere, until its memory is full."""
        level, usual = known.level, row.usual
        day = moment.time // DAY
        if day != known.day:
            known.day, known.anchor = day, level.centre
        if level.weight < self._config.memory_minutes:
            return -inf, inf
        most = usual.adopt_per_day if usual.kind in moment.watched else usual.most_per_day
        centre = level.centre
        return min(known.anchor - most, centre), max(known.anchor + most, centre)

    def _born(self, row: _Judged, known: Known, key: str) -> Estimate:
        """A bin that is new: handed the person's offset of that activity, else the population's."""
        activity = key.partition(":")[0]
        prior = row.usual.prior
        alike = [one for name, one in known.bins.items() if name.partition(":")[0] == activity]
        offset, spread = prior[activity][0] - prior["rest"][0], prior[activity][1]
        if alike:
            weight = sum(one.weight for one in alike)
            offset = sum(one.centre * one.weight for one in alike) / weight
            spread = sum(one.spread * one.weight for one in alike) / weight
        weight = self._config.prior_weight_minutes
        return Estimate(row.signal, (offset, spread), weight, row.usual.floor)

    def _bin(self, row: _Judged, moment: Moment) -> str:
        keys = row.keys[moment.period]
        hour = (moment.time / 3600 + self._offset) % 24
        return keys[int(hour * len(keys) / 24)]

    def _usual(self, row: _Judged, known: Known | None, moment: Moment) -> tuple[float, float]:
        """Centre and spread of single values now; the population's, before anything is known."""
        activity = moment.period.partition(":")[0]
        if known is None:
            return row.usual.prior[activity]
        key = self._bin(row, moment)
        own = known.bins.get(key) or self._born(row, known, key)
        return known.level.centre + own.centre, own.spread

    def evidence(self, moment: Moment, memory: Memory, signal: str) -> dict[str, Any]:
        """``baseline`` and ``scores``, once there is anything of the person's own to show."""
        row, known = self._judged.get(signal), memory.known.get(signal)
        if row is None or known is None:
            return {}
        key = self._bin(row, moment)
        own = known.bins.get(key)
        if own is None or known.level.readings < self._config.ready_readings:
            return {}
        centre, spread = self._usual(row, known, moment)
        basis = {
            "median": round(centre, 2),
            "spread": round(spread, 2),
            "low": round(centre - USUAL_SPREADS * spread, 2),
            "high": round(centre + USUAL_SPREADS * spread, 2),
            "n": own.readings,
            "bin": moment.period,
            "confidence": round(self._confidence(known, moment), 2),
        }
        scores = {}
        if signal in moment.values:
            score = (moment.values[signal] - centre) / spread
            scores = {"scores": {self.name: round(score, 2)}}
        return {"baseline": basis, **scores}

    def _confidence(self, known: Known, moment: Moment) -> float:
        """How far the person's own data of this activity go: 0 to 1."""
        activity, given = moment.period.partition(":")[0], self._config.prior_weight_minutes
        bins = [one for key, one in known.bins.items() if key.partition(":")[0] == activity]
        own = sum(one.weight - given for one in bins)
        return max(0.0, min(1.0, own / self._config.ready_minutes))

    def dump(self, memory: Memory) -> Any:
        """``{signal: [level, bins, window, [learned, day, anchor]]}``."""
        return {
            signal: [
                known.level.dump(),
                {key: one.dump() for key, one in known.bins.items()},
                known.window.dump(),
                [known.learned, known.day, known.anchor],
            ]
            for signal, known in memory.known.items()
        }

    def load(self, plain: Any) -> Memory:
        """Signals that are no longer judged are let go. Version 1 saved a list, without levels."""
        memory = Memory()
        plain = _of_first_version(plain, self._judged) if isinstance(plain, list) else plain
        for signal, (level, bins, window, days) in plain.items():
            row = self._judged.get(signal)
            if row is None:
                continue
            known = memory.known[signal] = Known(
                signal, row.usual, self._config.prior_weight_minutes
            )
            known.level.restore(level)
            known.bins = {key: _restored(row, one) for key, one in bins.items()}
            known.window.restore(window)
            known.learned, known.day, known.anchor = days
        return memory

    def _ready(self, level: Estimate) -> bool:
        own = level.weight - self._config.prior_weight_minutes
        return level.readings >= self._config.ready_readings and own >= self._config.ready_minutes


def _restored(row: _Judged, numbers: list[float]) -> Estimate:
    one = Estimate(row.signal, (0.0, 1.0), 1.0, row.usual.floor)
    one.restore(numbers)
    return one


def _of_first_version(plain: list[Any], judged: Mapping[str, _Judged]) -> dict[str, Any]:
    """``[{signal: {period: numbers}}, {signal: time}]``, whose centres were the values' own."""
    periods_of, learned = plain
    result = {}
    for signal, periods in periods_of.items():
        still = [numbers for period, numbers in periods.items() if not period.startswith("active")]
        if signal not in judged or not still:
            continue
        level = max(still, key=lambda numbers: numbers[0])
        bins = {
            key: [weight, centre - level[1], deviation, readings]
            for period, (weight, centre, deviation, readings) in sorted(periods.items())
            for key in judged[signal].keys[period]
        }
        days = [learned.get(signal, -inf), -1.0, level[1]]
        result[signal] = [level, bins, Window().dump(), days]
    return result


def _muted(row: _Judged, value: float) -> Iterable[Finding]:
    return Finding(row.above, MUTED, value), Finding(row.below, MUTED, value)


def _stance(off: float, reach: float, release: float, whole: bool) -> Stance:
    """``off``: distance from the centre, positive in the rule's direction."""
    if off >= reach and whole:
        return BEYOND
    return CLEAR if off <= release else BETWEEN


def _since(window: Window, closed: int, needed: int, time: float) -> float:
    """When the first of the blocks that are judged began; ``closed``: of them, just now."""
    before = needed - closed
    if before > 0 and window.starts:
        return window.starts[-before:][0]
    return window.start if window.count else time
