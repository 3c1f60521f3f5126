"""Whether the heart beats irregularly, as far as rates a few seconds apart can show.

A rate is a mean over about the seconds since the one before, so over n = rate × seconds / 60 beats.
Where the intervals between beats vary at random by a share v of their length, two successive rates
differ on average by 1.13 · v / √n of the rate. Turned round, each step of the rate estimates v; the
*irregularity* is the mean of these estimates, each cut off at ``largest_step``, fading over
``window_seconds``. About 0.05 in sinus rhythm, 0.15 and more in atrial fibrillation; frequent
ectopic beats are between; what makes the rate irregular is not known: this is no diagnosis.

It is judged at rest only, and only from rates at most ``longest_interval_seconds`` apart: minute
means average it out, and nothing is judged there. A wrist device that smooths its rates shows less
of it than there is. Warm-up: one ``window_seconds``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import exp, sqrt
from typing import ClassVar

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
from detectors.irregularity.configuration import IrregularityConfig
from detectors.irregularity.memory import Steps
from detectors.limits.detector import NOTHING
from vigil.values.rounding import half_up

KIND = "heart_rate_irregular"
DECIMALS = 3
"""In which the irregularity is judged and shown."""
PER_STEP = 0.886
"""1 / (√2 · √(2/π)): from the mean size of a step of normal noise to its standard deviation."""
READY = 0.6
"""Weight from which the mean is judged: about one ``window_seconds`` of steps."""


class IrregularRate(Remembering[Steps]):
    """Judges how much successive heart rates differ."""

    name: ClassVar[str] = "irregularity"
    memory: ClassVar[type[Steps]] = Steps

    def __init__(self, config: IrregularityConfig):
        self._config = own = config
        self.signals = frozenset({"heart_rate"} if own.enabled else ())
        self._near = own.above - 10.0**-DECIMALS
        self._rule = Rule(
            name=self.name,
            detector=self.name,
            kind=KIND,
            signal="heart_rate",
            direction="above",
            priority="low",
            rank=2,
            seconds=own.seconds,
            unknown_seconds=own.seconds,
            readings=10,
        )

    def rules(self) -> Iterable[str]:
        """One, where it is in force."""
        return [self.name] if self._config.enabled else []

    def examine(self, moment: Moment, memory: Steps) -> Iterable[Finding]:
        """Judge the minutes until the reading before this one."""
        rate = moment.values.get("heart_rate")
        if rate is None or memory.weight < READY:
            return NOTHING
        calm, irregularity = KIND not in moment.watched, memory.total / memory.weight
        if calm and irregularity < self._near:
            return NOTHING
        irregularity = half_up(irregularity, DECIMALS)
        if calm and irregularity < self._config.above:
            return NOTHING
        stance: Stance = BETWEEN
        if moment.activity == "active":
            stance = MUTED
        elif irregularity >= self._config.above:
            stance = BEYOND
        elif irregularity <= self._config.clear:
            stance = CLEAR
        facts = {"irregularity": irregularity, "irregularity_limit": self._config.above}
        return (Finding(self._rule, stance, rate, facts=facts),)

    def learn(self, moment: Moment, memory: Steps, frozen: Collection[str]) -> None:
        """Take the step to this rate. An open episode holds nothing back: this measures the last
        minutes and does not learn what is usual.
        """
        del frozen
        rate = moment.values.get("heart_rate")
        if rate is None:
            return
        own, gap = self._config, moment.time - memory.time
        if moment.activity == "active" or gap > own.longest_interval_seconds * 4:
            memory.total = memory.weight = 0.0
        elif 0 < gap <= own.longest_interval_seconds:
            beats = gap * (rate + memory.rate) / 120
            step = PER_STEP * abs(rate - memory.rate) * sqrt(beats) * 2 / (rate + memory.rate)
            fade = exp(-gap / own.window_seconds)
            memory.total = fade * memory.total + (1 - fade) * min(step, own.largest_step)
            memory.weight = fade * memory.weight + 1 - fade
        memory.time, memory.rate = moment.time, rate

    def withdraw(self, memory: Steps, moments: Sequence[Moment]) -> None:
        """Begin anew where a rate of the last minutes was withdrawn."""
        begun = memory.time - self._config.window_seconds
        rates = [moment.time for moment in moments if "heart_rate" in moment.values]
        if any(begun <= time <= memory.time for time in rates):
            memory.time, memory.rate, memory.total, memory.weight = -1e12, 0.0, 0.0, 0.0
