"""The built-in detectors, in the order in which they examine a moment; adding one adds a row."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from detectors.baseline import Baseline
from detectors.combination import Combination
from detectors.config import PatientConfig
from detectors.contract import Detector
from detectors.irregularity import IrregularRate
from detectors.limits import Limits
from detectors.plugins import Plugins
from detectors.resting import Resting

BUILT_IN: MappingProxyType[str, Callable[[PatientConfig], Detector]] = MappingProxyType(
    {
        Limits.name: Limits,
        Combination.name: Combination,
        Baseline.name: Baseline,
        Resting.name: Resting,
        IrregularRate.name: IrregularRate,
        Plugins.name: Plugins,
    }
)
"""Name → how to make it. A detector's name also names its memory in the saved state."""
