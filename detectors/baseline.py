"""What is usual for this person: a robust centre and spread of each signal, by activity and by
day or night, learned online on river's weighted means.

Each learned value is first clipped to within two spreads of the centre (Huber's M-estimator, Ann.
Math. Stat. 1964, here with a fading memory), so that an outlier pulls no more than a far value
would. The spread is 1.28 times the mean of the clipped deviations, which for a normal distribution
is its standard deviation. A value weighs the minutes since the one before (one to
``longest_weight_minutes``), so that a device that measures every second and one that measures every
hour forget in the same *time*: the memory is ``memory_minutes`` of wearing in that activity and
period.

Cold start: the population's prior counts as ``prior_weight_minutes`` of data, and nothing is called
unusual before ``ready_readings`` readings over ``ready_minutes``. The score is the distance from
the centre in spreads: 0 is usual, unbounded above, signed.

While an episode is open on a signal its baseline stands still. From ``adopt_after_seconds`` on it
learns again: what has lasted so long is becoming this person's normal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import inf
from typing import Any, Literal, NamedTuple

from river.stats import Mean

from detectors import config as cfg
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding, Moment, Rule, Stance
from detectors.limits import NOTHING
from vigil.kinds import KINDS

CLIP_SPREADS = 2.0
DEVIATION_TO_SPREAD = 1.280568522317076
"""A normal distribution's standard deviation over its mean absolute deviation clipped at two."""
USUAL_SPREADS = 2.0
"""What is shown as the usual range: about 95 of 100 readings."""


class Estimate:
    """Centre and spread of one signal in one period, in river's manner: learn_one, score_one.

    >>> resting = Estimate("heart_rate", prior=(74.0, 11.0), weight=60.0, floor=3.0)
    >>> for value in [60, 58, 59, 61, 58] * 400:
    ...     resting.learn_one({"heart_rate": float(value)})
    >>> round(resting.centre), resting.spread, round(resting.score_one({"heart_rate": 74.0}))
    (60, 3.0, 5)
    """

    __slots__ = ("_centre", "_deviation", "centre", "floor", "readings", "signal", "spread")

    def __init__(self, signal: str, prior: tuple[float, float], weight: float, floor: float):
        self.signal = signal
        self.floor = floor
        """The spread is never taken as narrower."""
        self.restore([weight, prior[0], prior[1] / DEVIATION_TO_SPREAD, 0])

    @property
    def weight(self) -> float:
        """Minutes of data that it rests on, the prior's included."""
        return float(self._centre.n)

    def score_one(self, x: Mapping[str, float]) -> float:
        """Signed distance from the centre in spreads; 0 where the signal is missing."""
        value = x.get(self.signal)
        return 0.0 if value is None else (value - self.centre) / self.spread

    def learn_one(self, x: Mapping[str, float], w: float = 1.0, memory: float = inf) -> None:
        """Learn a value that stands for ``w`` minutes, remembering ``memory`` minutes at most."""
        value = x.get(self.signal)
        if value is None:
            return
        reach = CLIP_SPREADS * self.spread
        off = min(max(value - self.centre, -reach), reach)
        centre, deviation = self._centre, self._deviation
        if centre.n + w > memory:
            centre.n = deviation.n = max(0.0, memory - w)
        centre.update(self.centre + off, w)
        deviation.update(abs(off), w)
        self.readings += 1
        self._read()

    def dump(self) -> list[float]:
        """Its numbers."""
        return [self._centre.n, self.centre, self._deviation.get(), self.readings]

    def restore(self, numbers: list[float]) -> None:
        """Take over numbers from :meth:`dump`; exact, since a lone value is its own mean."""
        weight, centre, deviation, readings = numbers
        self._centre, self._deviation = Mean(), Mean()
        self._centre.update(centre, weight)
        self._deviation.update(deviation, weight)
        self.readings = int(readings)
        self._read()

    def _read(self) -> None:
        """``centre``, robust, and ``spread``, the robust standard deviation, for quick reading."""
        self.centre: float = self._centre.get()
        self.spread: float = max(self.floor, DEVIATION_TO_SPREAD * self._deviation.get())


class Memory:
    """What is known of one patient."""

    __slots__ = ("estimates", "learned")

    def __init__(self) -> None:
        self.estimates: dict[str, dict[str, Estimate]] = {}
        """Signal → period → estimate."""
        self.learned: dict[str, float] = {}
        """Signal → time of the last value learned."""


class _Judged(NamedTuple):
    """A signal's settings and rules, made once."""

    usual: cfg.Usual
    above: Rule
    below: Rule
    score: str
    """Its key among the scores of a moment."""


def _rule(signal: str, usual: cfg.Usual, direction: Literal["above", "below"]) -> Rule:
    unknown = usual.seconds if usual.unknown_seconds is None else usual.unknown_seconds
    return Rule(
        name=f"baseline.{signal}.{direction}",
        detector="baseline",
        kind=usual.kind,
        signal=signal,
        direction=direction,
        priority=KINDS[usual.kind].priority,
        rank=2,
        seconds=usual.seconds,
        unknown_seconds=unknown,
        readings=usual.readings,
    )


class Baseline:
    """Finds values that are sustained far from the person's usual ones."""

    name = "baseline"

    def __init__(self, config: cfg.PatientConfig):
        self._config = config.baseline
        self._judged = {
            signal: _Judged(
                usual,
                _rule(signal, usual, "above"),
                _rule(signal, usual, "below"),
                f"{self.name}.{signal}",
            )
            for signal, usual in config.baseline.signals.items()
            if usual.enabled
        }
        self.signals = frozenset(self._judged)

    def rules(self) -> Iterable[str]:
        """Above and below, of each signal."""
        return [rule.name for judged in self._judged.values() for rule in judged[1:3]]

    def fresh(self) -> Memory:
        """Nothing learned yet."""
        return Memory()

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """Two findings a signal, above and below, where the baseline is ready and not calm."""
        found: list[Finding] = []
        for signal, value in moment.values.items():
            judged = self._judged.get(signal)
            if judged is None:
                continue
            estimate = memory.estimates.get(signal, {}).get(moment.period)
            if estimate is None:
                centre, spread = judged.usual.prior[moment.period.partition(":")[0]]
                moment.scores[judged.score] = (value - centre) / spread
                continue
            moment.scores[judged.score] = (value - estimate.centre) / estimate.spread
            if self._ready(estimate):
                found.extend(self._judge(judged, estimate, value, moment))
        return found

    def _judge(
        self, judged: _Judged, estimate: Estimate, value: float, moment: Moment
    ) -> Iterable[Finding]:
        usual, spread, centre = judged.usual, estimate.spread, estimate.centre
        reach = max(usual.raise_spreads * spread, usual.least_change)
        release = reach * usual.clear_spreads / usual.raise_spreads
        off = value - centre
        if -release <= off <= release and usual.kind not in moment.watched:
            return NOTHING
        muted = usual.at_rest_only and moment.period.startswith("active")
        return [
            Finding(rule, _stance(sign * off, reach, release, muted), value,
                    centre + sign * reach, centre + sign * release)
            for rule, sign in ((judged.above, 1.0), (judged.below, -1.0))
        ]  # fmt: skip

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Learn each signal at most once in ``learn_every_seconds``."""
        settings, time, learned = self._config, moment.time, memory.learned
        for signal in moment.values:
            if signal in frozen or signal not in self._judged:
                continue
            past = time - learned.get(signal, time - 60)
            if past < settings.learn_every_seconds and signal in learned:
                continue
            learned[signal] = time
            weight = min(max(past / 60, 1.0), settings.longest_weight_minutes)
            estimate = self._estimate(memory, signal, moment.period)
            estimate.learn_one(moment.values, weight, settings.memory_minutes)

    def evidence(self, moment: Moment, memory: Memory, signal: str) -> dict[str, Any]:
        """``baseline`` and ``scores``, once there is anything of the person's own to show."""
        estimate = memory.estimates.get(signal, {}).get(moment.period)
        if estimate is None or estimate.readings < self._config.ready_readings:
            return {}
        centre, spread = estimate.centre, estimate.spread
        own = max(0.0, estimate.weight - self._config.prior_weight_minutes)
        confidence = min(1.0, own / self._config.ready_minutes)
        basis = {
            "median": round(centre, 2),
            "spread": round(spread, 2),
            "low": round(centre - USUAL_SPREADS * spread, 2),
            "high": round(centre + USUAL_SPREADS * spread, 2),
            "n": estimate.readings,
            "bin": moment.period,
            "confidence": round(confidence, 2),
        }
        scores = {}
        if signal in moment.values:
            scores = {"scores": {self.name: round(estimate.score_one(moment.values), 2)}}
        return {"baseline": basis, **scores}

    def dump(self, memory: Memory) -> Any:
        """``[{signal: {period: numbers}}, {signal: time}]``."""
        numbers = {
            signal: {period: estimate.dump() for period, estimate in periods.items()}
            for signal, periods in memory.estimates.items()
        }
        return [numbers, memory.learned]

    def load(self, plain: Any) -> Memory:
        """The memory from :meth:`dump`. A signal that is no longer judged is let go."""
        memory = Memory()
        numbers, learned = plain
        for signal, periods in numbers.items():
            if signal in self._judged:
                for period, row in periods.items():
                    self._estimate(memory, signal, period).restore(row)
        memory.learned = {k: v for k, v in learned.items() if k in self._judged}
        return memory

    def _estimate(self, memory: Memory, signal: str, period: str) -> Estimate:
        periods = memory.estimates.setdefault(signal, {})
        estimate = periods.get(period)
        if estimate is None:
            usual = self._judged[signal].usual
            prior = usual.prior[period.partition(":")[0]]
            weight = self._config.prior_weight_minutes
            estimate = periods[period] = Estimate(signal, prior, weight, usual.floor)
        return estimate

    def _ready(self, estimate: Estimate) -> bool:
        own = estimate.weight - self._config.prior_weight_minutes
        enough = estimate.readings >= self._config.ready_readings
        return enough and own >= self._config.ready_minutes


def _stance(off: float, reach: float, release: float, muted: bool) -> Stance:
    """``off``: distance from the centre, positive in the rule's direction."""
    if off >= reach:
        return MUTED if muted else BEYOND
    return CLEAR if off <= release else BETWEEN
