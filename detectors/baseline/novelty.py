"""Whether several signals together are unusual for this person.

The Mahalanobis distance (1936) of the signals' residuals from nothing. A residual is how many
spreads a value is from the person's usual; the baseline puts it in ``Moment.scores``. The squared
distance z' S^-1 z falls apart exactly into one summand a signal, z_i (S^-1 z)_i: its
*contribution*. S is learned online: a fading mean of products of residuals, shrunk toward
independence by ``prior_readings`` and never under a spread of 1, so that a calm week makes nobody
unusual. So the distance exceeds that of independent signals only where two that go together have
parted.

Range: 0 and up, in spreads. It is announced only where at least two signals contribute
``least_share`` each: a lone one is the limits' and the baseline's. Robust: residuals are clipped
before they are learned, and nothing is learned while an episode is open on one of the signals or on
the pattern. Warm-up: ``ready_readings`` joint readings over ``ready_seconds``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import sqrt
from typing import ClassVar

from detectors.baseline.novelty_configuration import NoveltyConfig
from detectors.baseline.novelty_memory import Together
from detectors.contract import (
    BETWEEN,
    BEYOND,
    CLEAR,
    MUTED,
    Finding,
    Moment,
    Remembering,
    Rule,
    Stance,
)
from detectors.limits.detector import NOTHING
from vigil.domain.figures import figure
from vigil.values.rounding import half_up
from vigil.values.sums import total

KIND = "pattern_unusual"
LEAST_PIVOT = 0.05
"""A covariance nearer to singular than this is taken as independent."""
NONE = (0.0, 0.0)
Matrix = list[list[float]]


class Novelty(Remembering[Together]):
    """Judges residuals of signals measured together.

    Args:
        signals: those that have a personal baseline.
    """

    name: ClassVar[str] = "novelty"
    memory: ClassVar[type[Together]] = Together

    def __init__(self, config: NoveltyConfig, signals: Iterable[str]):
        self._config = own = config
        judged = sorted(signals)
        self._keys = {signal: f"baseline.{signal}" for signal in judged}
        self._pairs = {one: {two: _pair(one, two) for two in judged} for one in judged}
        self.signals = frozenset(judged if own.enabled else ())
        self._calm = own.clear * own.clear * LEAST_PIVOT
        self._rule = Rule(
            name=self.name,
            detector=self.name,
            kind=KIND,
            signal="pattern",
            direction="above",
            priority="low",
            rank=2,
            seconds=own.seconds,
            unknown_seconds=own.seconds,
            readings=own.readings,
        )

    def rules(self) -> Iterable[str]:
        """One, where it is in force."""
        return [self.name] if self._config.enabled else []

    def examine(self, moment: Moment, memory: Together) -> Iterable[Finding]:
        """One finding, where two signals or more were measured together and are not calm."""
        if len(moment.values) < 2 and len(memory.latest) < 2:
            return NOTHING
        own = self._config
        ready = moment.time - memory.first >= own.ready_seconds
        if memory.readings < own.ready_readings or not ready:
            return NOTHING
        residuals = self._residuals(moment, memory)
        size = total(z * z for z in residuals.values())
        if len(residuals) < 2 or (size <= self._calm and KIND not in moment.watched):
            return NOTHING
        parts = _contributions(self._covariance(memory, list(residuals)), list(residuals.values()))
        squared = total(parts)
        distance = moment.scores[self.name] = sqrt(squared)
        if distance <= own.clear and KIND not in moment.watched:
            return NOTHING
        shares = dict(
            zip(residuals, (part / squared if squared else 0.0 for part in parts), strict=True)
        )
        return (self._judge(distance, shares, residuals=residuals, moment=moment),)

    def _judge(
        self,
        distance: float,
        shares: Mapping[str, float],
        residuals: Mapping[str, float],
        moment: Moment,
    ) -> Finding:
        own = self._config
        several = sum(share >= own.least_share for share in shares.values()) >= 2
        stance: Stance = BETWEEN
        read = figure("pattern", distance)
        if read >= own.above:
            beyond: Stance = BEYOND if several else BETWEEN
            stance = MUTED if moment.activity == "active" else beyond
        elif read <= own.clear:
            stance = CLEAR
        facts = {
            "contributions": {signal: half_up(share, 3) for signal, share in shares.items()},
            "residuals": {signal: half_up(z, 2) for signal, z in residuals.items()},
        }
        return Finding(self._rule, stance, distance, limit=own.above, clear=own.clear, facts=facts)

    def _residuals(self, moment: Moment, memory: Together) -> dict[str, float]:
        """Signal → residual, of what was measured now or shortly before, in order of name."""
        oldest, scores = moment.time - self._config.together_seconds, moment.scores
        found = {}
        for signal, key in self._keys.items():
            if signal in moment.values:
                if key in scores:
                    found[signal] = scores[key]
            elif signal in memory.latest and memory.latest[signal][0] >= oldest:
                found[signal] = memory.latest[signal][1]
        return found

    def _covariance(self, memory: Together, signals: list[str]) -> Matrix:
        prior, products = self._config.prior_readings, memory.products
        matrix: Matrix = [[0.0] * len(signals) for _ in signals]
        for i, one in enumerate(signals):
            keys = self._pairs[one]
            for j in range(i, len(signals)):
                mean, weight = products.get(keys[signals[j]], NONE)
                shrunk = weight * mean / (weight + prior)
                matrix[i][j] = matrix[j][i] = shrunk
            matrix[i][i] = max(
                1.0,
                matrix[i][i] + prior / (products[keys[one]][1] + prior)
                if keys[one] in products
                else 1.0,
            )
        return matrix

    def learn(self, moment: Moment, memory: Together, frozen: Collection[str]) -> None:
        """Learn how the signals go together, at most once in ``learn_every_seconds``."""
        own, time, latest = self._config, moment.time, memory.latest
        several = len(moment.values) > 1 or len(latest) > 1
        due = several and time - memory.learned >= own.learn_every_seconds
        residuals = self._residuals(moment, memory) if due else {}
        scores = moment.scores
        for signal in moment.values:
            key = self._keys.get(signal)
            if key in scores:
                latest[signal] = [time, scores[key]]
        if not residuals:
            return
        held = KIND in moment.watched or any(signal in frozen for signal in residuals)
        if len(residuals) < 2 or held or moment.activity == "active":
            return
        memory.first = memory.first if memory.readings else time
        memory.learned = time
        memory.readings += 1
        reach = own.clip_spreads
        clipped = {name: min(max(z, -reach), reach) for name, z in residuals.items()}
        names = list(clipped)
        for i, one in enumerate(names):
            for two in names[i:]:
                row = memory.products.setdefault(self._pairs[one][two], [0.0, 0.0])
                row[1] = min(row[1] + 1.0, float(own.memory_readings))
                row[0] += (clipped[one] * clipped[two] - row[0]) / row[1]


def _pair(one: str, two: str) -> str:
    return f"{one}*{two}" if one <= two else f"{two}*{one}"


def _contributions(matrix: Matrix, z: list[float]) -> list[float]:
    """The summands of z' S^-1 z, by elimination; of independent signals where S is near singular.

    >>> _contributions([[1.0, 0.0], [0.0, 4.0]], [3.0, 4.0])
    [9.0, 4.0]
    """
    count = len(z)
    rows = [row.copy() for row in matrix]
    left = z.copy()
    for i in range(count):
        top, pivot = rows[i], rows[i][i]
        if pivot < LEAST_PIVOT * matrix[i][i]:
            return [value * value / matrix[k][k] for k, value in enumerate(z)]
        for j in range(i + 1, count):
            row, factor = rows[j], rows[j][i] / pivot
            for k in range(i + 1, count):
                row[k] -= factor * top[k]
            left[j] -= factor * left[i]
    for i in range(count - 1, -1, -1):
        top = rows[i]
        for k in range(i + 1, count):
            left[i] -= top[k] * left[k]
        left[i] /= top[i]
    return [value * part for value, part in zip(z, left, strict=True)]
