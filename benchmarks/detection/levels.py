"""Vigil from strict to eager, so that it can be compared at a given rate of false alerts.

Vigil has no one score to put a threshold on. Each level scales how far a value must be from its
reference before it counts: absolute limits from the middle of the normal range, and the personal
baseline's changes and spreads. 1 is what ships; more is stricter. Delays and hysteresis stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.detection.sets import SETTINGS
from detectors.configuration.layers import merged
from detectors.configuration.loading import DetectionConfig, from_tables, load
from detectors.configuration.patient import PatientConfig

LEVELS = (1.5, 1.0, 0.8, 0.6)
SHIPPED = 1.0
MIDDLE: Mapping[str, float] = {
    "heart_rate": 75.0,
    "systolic": 120.0,
    "diastolic": 75.0,
    "mean_arterial_pressure": 90.0,
    "pulse_pressure": 45.0,
    "shock_index": 0.65,
}
"""What limits are scaled from: the middle of a resting adult's range."""
DISTANCES = ("least_change", "most_change", "raise_spreads", "clear_spreads")
"""What says how far from the usual is unusual."""


def config(name: str, level: float = SHIPPED) -> DetectionConfig:
    """The configuration for a set at a level."""
    own = dict(SETTINGS[name].own)
    if level == SHIPPED:
        return from_tables(own)
    shipped = load().everyone
    return from_tables(merged(own, {**_limits(shipped, level), **_baseline(shipped, level)}))


def _limits(shipped: PatientConfig, level: float) -> dict[str, Any]:
    tables: dict[str, dict[str, float]] = {}
    for name, limit in shipped.limits.items():
        middle = MIDDLE.get(limit.signal)
        if middle is None:
            continue
        keys = {"above": limit.above, "below": limit.below, "clear": limit.clear}
        tables[name] = {
            key: round(middle + level * (value - middle), 3)
            for key, value in keys.items()
            if value is not None
        }
    return {"limits": tables}


def _baseline(shipped: PatientConfig, level: float) -> dict[str, Any]:
    signals = {
        name: {
            key: round(getattr(usual, key) * level, 3)
            for key in DISTANCES
            if isinstance(getattr(usual, key, None), float)
        }
        for name, usual in shipped.baseline.signals.items()
    }
    return {"baseline": {"signals": signals}}
