"""What is usual for this person, learned online, and what is unusual for long enough.

A signal's usual value is the sum of a *level* and an *offset* by activity and part of the day
(:mod:`detectors.baseline.usual`). So a part of the day that was rarely seen borrows from the rest,
and a true new level is adopted everywhere at once. All are robust estimates
(:mod:`detectors.baseline.estimates`).

Unusual is what was *sustained* (:mod:`detectors.baseline.sustained`): each of the last blocks
further from the usual than ``least_change`` and than ``raise_spreads`` of this person's own blocks.
Half of how far the last hours were off is expected to last.

What is learned are values as sent. A level and its limit are both of this person's statistics and
are compared as they are; what is shown are their figures (:mod:`vigil.domain.figures`), and since
rounding keeps the order, what is announced as beyond or as over reads so too.

Cold start: the population's prior counts as ``prior_weight_minutes`` of data; a bin that is new is
handed the person's mean offset of that activity; nothing is called unusual before an activity has
``ready_readings`` readings over ``ready_minutes``. ``confidence`` (0 to 1) is how far that is.

In silence the level moves by ``most_per_day`` at most, so that neither outliers nor a sensor that
drifts drag it. While an episode is open on a signal it does not move; from ``adopt_after_seconds``
on it learns again, by ``adopt_per_day`` at most: what has lasted so long, and was announced, is
becoming this person's normal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

from detectors.baseline.configuration import BaselineConfig, Usual
from detectors.baseline.sustained import Window
from detectors.baseline.usual import Keys, Known, bins_of, of_first_version
from detectors.context.local_time import LocalClock
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding, Moment, Rule, Stance
from detectors.limits.detector import NOTHING
from vigil.domain.figures import figure
from vigil.domain.kinds import KINDS
from vigil.values.rounding import half_up

USUAL_SPREADS = 2.0
"""What is shown as the usual range: about 95 of 100 readings."""


class Memory:
    """What is known of one patient."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}


@dataclass(frozen=True, slots=True)
class _Lasting:
    """A rule, and over how many blocks in a row it must hold."""

    rule: Rule
    blocks: int


@dataclass(frozen=True, slots=True)
class _Judged:
    """A signal's settings and rules, made once."""

    signal: str
    usual: Usual
    above: _Lasting
    below: _Lasting
    above_unknown: _Lasting
    below_unknown: _Lasting
    """The same where nobody knows the activity: it must last longer."""
    score: str
    """Its key among the scores of a moment."""
    keys: Keys
    keep: int
    """Blocks of the window."""

    def rules_for(self, moment: Moment) -> tuple[_Lasting, _Lasting]:
        """The rules above and below that hold in a moment's context."""
        if moment.activity != "unknown":
            return self.above, self.below
        # may be asleep: a steady rate is no evidence of rest for a low one
        unknown = moment.period.startswith("unknown")
        return self.above_unknown if unknown else self.above, self.below_unknown


def _lasting(
    signal: str, usual: Usual, direction: Literal["above", "below"], blocks: int
) -> _Lasting:
    seconds = usual.block_seconds * blocks
    rule = Rule(
        name=f"baseline.{signal}.{direction}",
        detector="baseline",
        kind=usual.kind,
        signal=signal,
        direction=direction,
        priority=KINDS[usual.kind].priority,
        rank=2,
        seconds=seconds,
        unknown_seconds=seconds,
    )
    return _Lasting(rule, blocks)


class Baseline:
    """Finds values that are sustained far from the person's usual ones.

    Args:
        local: local time, by which the parts of the day are distinguished.
    """

    name: ClassVar[str] = "baseline"

    def __init__(self, config: BaselineConfig, local: LocalClock):
        self._config = config
        self._local = local
        self._judged = {
            signal: _Judged(
                signal=signal,
                usual=usual,
                above=_lasting(signal, usual, direction="above", blocks=usual.blocks),
                below=_lasting(signal, usual, direction="below", blocks=usual.blocks),
                above_unknown=_lasting(
                    signal, usual, direction="above", blocks=usual.unknown_blocks or usual.blocks
                ),
                below_unknown=_lasting(
                    signal, usual, direction="below", blocks=usual.unknown_blocks or usual.blocks
                ),
                score=f"{self.name}.{signal}",
                keys=bins_of(usual.slots),
                keep=max(usual.blocks, usual.unknown_blocks or 0),
            )
            for signal, usual in config.signals.items()
            if usual.enabled
        }
        self.signals = frozenset(self._judged)

    def rules(self) -> Iterable[str]:
        """Above and below, of each signal."""
        return [
            rule.name for row in self._judged.values() for rule in (row.above.rule, row.below.rule)
        ]

    def fresh(self) -> Memory:
        """Nothing learned yet."""
        return Memory()

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """Two findings a signal, above and below, when a block is complete and not calm.

        The score is against the population's usual value before anything is known.
        """
        found: Iterable[Finding] = NOTHING
        for signal, value in moment.values.items():
            row = self._judged.get(signal)
            if row is None:
                continue
            known = memory.known.get(signal)
            if known is None:
                centre, spread = row.usual.prior[moment.period.partition(":")[0]]
                moment.scores[row.score] = (value - centre) / spread
                continue
            centre, spread = known.here(self._bin(row, moment))
            moment.scores[row.score] = (value - centre) / spread
            if row.usual.at_rest_only and moment.period.startswith("active"):
                if row.usual.kind in moment.watched:
                    found = [*found, *_muted(row, value)]
                continue
            closed = known.window.closing(
                moment.time, value - centre, row.usual.block_seconds, self._config.gap_seconds
            )
            if closed and known.ready(self._config):
                own = self._judge(row, known, closed, moment=moment, centre=centre, spread=spread)
                found = [*found, *own] if own else found
        return found

    def _judge(
        self,
        row: _Judged,
        known: Known,
        closed: Sequence[float],
        *,
        moment: Moment,
        centre: float,
        spread: float,
    ) -> Iterable[Finding]:
        """Findings about the sustained level. ``centre``, ``spread``: the person's own, now."""
        usual, window = row.usual, known.window
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
        above, below = row.rules_for(moment)
        over, under = means[-above.blocks :], means[-below.blocks :]
        centre += expected
        high, low = min(over) - expected, max(under) - expected
        banded = band is not None and figure(row.signal, centre + low) <= band.below
        reach_low = least if banded else reach
        up = _stance(high, reach, release=reach * ease, whole=len(over) == above.blocks)
        down = _stance(-low, reach_low, release=reach_low * ease, whole=len(under) == below.blocks)
        top, calm_top = centre + reach, centre + reach * ease
        bottom, calm = centre - reach_low, centre - reach_low * ease
        return [
            _finding(above, up, (centre + high, top, calm_top), window, len(closed), moment.time),
            _finding(below, down, (centre + low, bottom, calm), window, len(closed), moment.time),
        ]

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Carry the window on; learn each signal at most once in ``learn_every_seconds``."""
        for signal, value in moment.values.items():
            row = self._judged.get(signal)
            if row is None:
                continue
            known = memory.known.get(signal)
            if known is None:
                known = memory.known[signal] = self._begun(row)
            watched = row.usual.kind in moment.watched
            known.learn(
                value,
                moment.time,
                self._bin(row, moment),
                self._config,
                keep=row.keep,
                frozen=signal in frozen,
                watched=watched,
            )

    def withdraw(self, memory: Memory, moments: Sequence[Moment]) -> None:
        """Forget the blocks of a signal that hold a withdrawn value. What the level has learned of
        it stays: one value moves it by its small share, and by two spreads at most."""
        for moment in moments:
            for signal in moment.values:
                known = memory.known.get(signal)
                if known is not None and known.window.holds(moment.time):
                    known.window.forget()

    def _bin(self, row: _Judged, moment: Moment) -> str:
        keys = row.keys[moment.period]
        hour = self._local.hour(moment.time)
        return keys[int(hour * len(keys) / 24)]

    def evidence(self, moment: Moment, memory: Memory, signal: str) -> dict[str, Any]:
        """``baseline`` and ``scores``, once there is anything of the person's own to show."""
        row, known = self._judged.get(signal), memory.known.get(signal)
        if row is None or known is None:
            return {}
        key = self._bin(row, moment)
        own = known.bins.get(key)
        if own is None or known.level.readings < self._config.ready_readings:
            return {}
        centre, spread = known.here(key)
        activity = moment.period.partition(":")[0]
        basis = {
            "median": half_up(centre, 2),
            "spread": half_up(spread, 2),
            "low": half_up(centre - USUAL_SPREADS * spread, 2),
            "high": half_up(centre + USUAL_SPREADS * spread, 2),
            "n": own.readings,
            "bin": moment.period,
            "confidence": half_up(known.confidence(activity, self._config), 2),
        }
        scores = {}
        if signal in moment.values:
            score = (moment.values[signal] - centre) / spread
            scores = {"scores": {self.name: half_up(score, 2)}}
        return {"baseline": basis, **scores}

    def dump(self, memory: Memory) -> Any:
        """``{signal: [level, bins, window, [learned, day, anchor]]}``."""
        return {signal: known.dump() for signal, known in memory.known.items()}

    def load(self, plain: Any) -> Memory:
        """Signals that are no longer judged are dropped. Version 1 saved a list, without levels."""
        memory = Memory()
        if isinstance(plain, list):
            plain = of_first_version(plain, {name: row.keys for name, row in self._judged.items()})
        for signal, saved in plain.items():
            row = self._judged.get(signal)
            if row is not None:
                known = memory.known[signal] = self._begun(row)
                known.restore(saved)
        return memory

    def _begun(self, row: _Judged) -> Known:
        return Known(row.signal, row.usual, self._config.prior_weight_minutes)


def _muted(row: _Judged, value: float) -> Iterable[Finding]:
    return Finding(row.above.rule, MUTED, value), Finding(row.below.rule, MUTED, value)


def _stance(off: float, reach: float, release: float, whole: bool) -> Stance:
    """``off``: distance from the centre, positive in the rule's direction."""
    if off >= reach and whole:
        return BEYOND
    return CLEAR if off <= release else BETWEEN


def _finding(
    row: _Lasting,
    stance: Stance,
    figures: tuple[float, float, float],
    window: Window,
    closed: int,
    time: float,
) -> Finding:
    """A finding about the blocks that are judged, ``closed`` of them just now.

    Args:
        figures: value, limit and its end.
    """
    value, limit, clear = figures
    if stance != BEYOND:
        return Finding(row.rule, stance, value, limit=limit, clear=clear)
    before = row.blocks - closed
    starts = window.starts[-before:] if before > 0 else []
    starts = [*starts, window.start if window.count else time]
    gaps = [after - start for start, after in pairwise([*starts, time])]
    return Finding(
        row.rule,
        stance,
        value,
        limit=limit,
        clear=clear,
        since=starts[0],
        stretches=max(len(starts), row.blocks),
        longest_gap=max(gaps),
    )
