"""The built-in detectors, in the order in which they examine a moment; adding one adds a row."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from detectors.baseline import Baseline
from detectors.combination import Combination
from detectors.contract import Detector
from detectors.deterioration import Risk
from detectors.early_warning import EarlyWarningScore
from detectors.irregularity import IrregularRate
from detectors.limits import Limits
from detectors.novelty import Novelty
from detectors.plugins import Plugins
from detectors.pressure_days import PressureDays
from detectors.resting import Resting
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
