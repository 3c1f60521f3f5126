"""The built-in detectors, in the order in which they examine a moment; adding one adds a row."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from detectors.baseline.detector import Baseline
from detectors.baseline.novelty import Novelty
from detectors.blood_pressure_over_days.detector import PressureDays
from detectors.configuration.patient import PatientConfig
from detectors.context.local_time import LocalClock
from detectors.contract import Detector
from detectors.early_warning.deterioration import Risk
from detectors.early_warning.news2 import EarlyWarningScore
from detectors.irregularity.detector import IrregularRate
from detectors.limits.combination import Combination
from detectors.limits.detector import Limits
from detectors.limits.total_exertion import TotalExertion
from detectors.rate_scorer.detector import RateScorer
from detectors.resting_heart_rate.detector import Resting
from detectors.river_plugin.detector import Plugins


def make_baseline(config: PatientConfig) -> Baseline:
    """The personal baseline, whose parts of the day are local."""
    return Baseline(config.baseline, LocalClock(config.context))


def make_novelty(config: PatientConfig) -> Novelty:
    """Residuals together, of the signals that have a personal baseline."""
    signals = [name for name, row in config.baseline.signals.items() if row.enabled]
    return Novelty(config.novelty, signals)


BUILT_IN: MappingProxyType[str, Callable[[PatientConfig], Detector]] = MappingProxyType(
    {
        Limits.name: lambda config: Limits(config.limits, config.age, config.exertion),
        Combination.name: lambda config: Combination(config.limits, config.age, config.exertion),
        TotalExertion.name: lambda config: TotalExertion(
            config.limits, config.age, config.exertion
        ),
        Baseline.name: make_baseline,
        RateScorer.name: lambda config: RateScorer(config.scorer),
        Resting.name: lambda config: Resting(config.resting, LocalClock(config.context)),
        PressureDays.name: lambda config: PressureDays(
            config.pressure_days, LocalClock(config.context), config.age.band
        ),
        IrregularRate.name: lambda config: IrregularRate(config.irregularity),
        EarlyWarningScore.name: lambda config: EarlyWarningScore(
            config.early_warning, config.age.band
        ),
        Novelty.name: make_novelty,
        Risk.name: lambda config: Risk(config.deterioration),
        Plugins.name: lambda config: Plugins(config.plugins),
    }
)
"""Name → how it is made from its own section of a patient's configuration.

A detector's name also names its memory in the saved state.
"""
