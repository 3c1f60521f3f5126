"""A heart rate that is lower than this person's ever is, at any hour.

``river.anomaly.GaussianScorer`` learns the distribution of a person's five-minute means at rest,
day and night together, and scores a new one by the share of that distribution which lies nearer to
its mean: 0 in the middle, 1 far away. Announced is what is low: each of the last ``blocks`` scores
``score`` and more, below the mean, and none is above ``below``. No activity slows a heart, so this
needs no steps, and a rate that is usual for the person asleep is never low: the personal baseline,
which compares with the usual of the hour, must wait an hour where nobody knows who sleeps.

Chosen by measurement over river's HalfSpaceTrees, LODA, OneClassSVM, StandardAbsoluteDeviation and
PredictiveAnomalyDetection (``python -m benchmarks.detection river``).

Robust: a block counts as no further out than three spreads, and none is learned while the person is
active or an episode is open on the heart rate; one that has lasted a day is learned again, as by
the baseline. Kept as plain numbers (count, mean, variance), which river's object is given for each
block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from math import sqrt
from statistics import NormalDist
from typing import Any, ClassVar

from river.anomaly import GaussianScorer

from detectors.contract import BETWEEN, BEYOND, CLEAR, Finding, Moment, Remembering, Rule, Stance
from detectors.limits.detector import NOTHING
from detectors.rate_scorer.configuration import ScorerConfig
from detectors.rate_scorer.memory import Blocks
from vigil.domain.kinds import KINDS
from vigil.values.rounding import half_up

KIND = "heart_rate_unusual"
SIGNAL = "heart_rate"
DETECTOR = "river.anomaly.GaussianScorer"
MOST_SPREADS = 3.0
"""A block further out is learned as one so far: an odd hour widens nobody's distribution."""
LEAST_SPREAD = 3.0
"""Beats a minute; a person whose blocks are all alike is not judged as narrower."""


class RateScorer(Remembering[Blocks]):
    """Finds rates that are low for this person at any hour."""

    name: ClassVar[str] = "scorer"
    memory: ClassVar[type[Blocks]] = Blocks

    def __init__(self, config: ScorerConfig):
        self._config = config
        self.signals = frozenset({SIGNAL} if config.enabled else ())
        self._shared = GaussianScorer(grace_period=config.grace_blocks)
        normal = NormalDist()
        self._far = normal.inv_cdf((1 + config.score) / 2)
        self._near = normal.inv_cdf((1 + config.clear_score) / 2)
        seconds = config.block_seconds * config.blocks
        self._rule = Rule(
            name="scorer.heart_rate.below",
            detector=self.name,
            kind=KIND,
            signal=SIGNAL,
            direction="below",
            priority=KINDS[KIND].priority,
            rank=2,
            seconds=seconds,
            unknown_seconds=seconds,
        )

    def rules(self) -> Iterable[str]:
        """One, where it is in force."""
        return [self._rule.name] if self.signals else []

    def examine(self, moment: Moment, memory: Blocks) -> Iterable[Finding]:
        """A finding when a block has just ended, unless all is calm."""
        own = self._config
        if moment.time - memory.start < own.block_seconds or not memory.count:
            return NOTHING  # as nearly always
        if not self._ready(memory) or moment.time - memory.last > own.gap_seconds:
            return NOTHING
        mean = memory.total / memory.count
        if mean > own.below and KIND not in moment.watched:
            return NOTHING
        means = [*memory.means, mean][-own.blocks :]
        scorer = self._scorer(memory, LEAST_SPREAD)
        centre, spread = scorer.gaussian.mu, scorer.gaussian.sigma
        newest = self._stance(scorer, means[-1])
        if newest == CLEAR and KIND not in moment.watched:
            return NOTHING
        whole = len(means) == own.blocks
        held = whole and all(self._stance(scorer, mean) == BEYOND for mean in means)
        stance = newest if newest != BEYOND or held else BETWEEN
        starts = [*memory.starts, memory.start][-own.blocks :]
        gaps = [after - start for start, after in pairwise([*starts, moment.time])]
        value = max(means)
        finding = Finding(
            self._rule,
            stance,
            value if held else means[-1],
            limit=min(own.below, centre - self._far * spread),
            clear=centre - self._near * spread,
            since=starts[0],
            stretches=len(starts),
            longest_gap=max(gaps),
            facts={"detector": self._basis(scorer.score_one(None, value))},
        )
        return (finding,)

    def learn(self, moment: Moment, memory: Blocks, frozen: Collection[str]) -> None:
        """Carry the block on; learn the one that has ended."""
        own, time, rate = self._config, moment.time, moment.values.get(SIGNAL)
        if rate is None:
            return
        active = moment.period.startswith("active")
        if active or time - memory.last > own.gap_seconds:
            memory.count, memory.means, memory.starts = 0, [], []
        elif memory.count and time - memory.start >= own.block_seconds:
            self._close(memory, moment.period, learns=SIGNAL not in frozen)
        memory.last = time
        if active:
            return
        if not memory.count:
            memory.start, memory.total = time, 0.0
        memory.total += rate
        memory.count += 1

    def withdraw(self, memory: Blocks, moments: Sequence[Moment]) -> None:
        """Drop the blocks that a withdrawn rate may be in. What was learned of it stays."""
        first = min([*memory.starts, memory.start])
        if any(SIGNAL in moment.values and moment.time >= first for moment in moments):
            memory.count, memory.means, memory.starts = 0, [], []

    def _ready(self, memory: Blocks) -> bool:
        """Whether enough was learned, and enough of it at night."""
        own = self._config
        seen_asleep = memory.night_blocks >= own.grace_night_blocks
        return memory.learned >= own.grace_blocks and seen_asleep

    def _close(self, memory: Blocks, period: str, *, learns: bool) -> None:
        """End the block under way, and learn its mean: no further out than ``MOST_SPREADS``."""
        own, mean = self._config, memory.total / memory.count
        memory.means.append(mean)
        memory.starts.append(memory.start)
        if len(memory.means) >= own.blocks:
            del memory.means[0], memory.starts[0]
        memory.count = 0
        if not learns:
            return
        scorer = self._scorer(memory, 0.0)
        if memory.learned >= own.grace_blocks:
            reach = MOST_SPREADS * max(sqrt(memory.variance), LEAST_SPREAD)
            mean = min(max(mean, memory.mean - reach), memory.mean + reach)
        scorer.learn_one(None, mean)
        known = scorer.gaussian._var
        memory.night_blocks += period.endswith(":night") and not self._ready(memory)
        memory.learned, memory.mean, memory.variance = known.mean.n, known.mean._mean, known.get()

    def _scorer(self, memory: Blocks, floor: float) -> GaussianScorer:
        """river's object with a patient's numbers, until it is asked for the next patient's.

        Args:
            floor: its spread is no narrower: 0 to learn, ``LEAST_SPREAD`` to judge.
        """
        known = self._shared.gaussian._var
        known.mean.n = count = min(memory.learned, float(self._config.memory_blocks))
        known.mean._mean = memory.mean
        known._S = max(memory.variance, floor * floor) * max(0.0, count - known.ddof)
        return self._shared

    def _stance(self, scorer: GaussianScorer, mean: float) -> Stance:
        """Where the mean of one block stands."""
        score = scorer.score_one(None, mean)
        if mean >= scorer.gaussian.mu or score < self._config.clear_score:
            return CLEAR
        low = mean <= self._config.below and score >= self._config.score
        return BEYOND if low else BETWEEN

    def _basis(self, score: float) -> dict[str, Any]:
        """The detector as the evidence names it: which, with what parameters, and its score."""
        own = self._config
        return {
            "name": DETECTOR,
            "parameters": {"grace_period": own.grace_blocks},
            "score": half_up(score, 3),
            "limit": own.score,
        }
