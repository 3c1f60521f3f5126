"""The built-in detectors, in the order in which they examine a moment; adding one adds a row."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from detectors.baseline.detector import Baseline
from detectors.baseline.novelty import Novelty
from detectors.blood_pressure_over_days.detector import PressureDays
from detectors.contract import Detector
from detectors.early_warning.deterioration import Risk
from detectors.early_warning.news2 import EarlyWarningScore
from detectors.irregularity.detector import IrregularRate
from detectors.limits.combination import Combination
from detectors.limits.detector import Limits
from detectors.resting_heart_rate.detector import Resting
from detectors.river_plugin.detector import Plugins
from detectors.sections.patient import PatientConfig

BUILT_IN: MappingProxyType[str, Callable[[PatientConfig], Detector]] = MappingProxyType(
    {
        Limits.name: Limits,
        Combination.name: Combination,
        Baseline.name: Baseline,
        Resting.name: Resting,
        PressureDays.name: PressureDays,
        IrregularRate.name: IrregularRate,
        EarlyWarningScore.name: EarlyWarningScore,
        Novelty.name: Novelty,
        Risk.name: Risk,
        Plugins.name: Plugins,
    }
)
"""Name → how to make it. A detector's name also names its memory in the saved state."""
