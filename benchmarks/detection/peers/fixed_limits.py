"""Fixed limits, as watches and bedside monitors have them."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.detection.rows import Row

APPLE: Mapping[str, tuple[float, float]] = {"heart_rate": (40.0, 120.0)}
"""Apple Watch defaults°: below 40 or above 120 for ten minutes of inactivity."""
BEDSIDE: Mapping[str, tuple[float, float]] = {
    "heart_rate": (50.0, 120.0),
    "systolic": (90.0, 160.0),
    "diastolic": (50.0, 90.0),
}
"""Usual defaults of a bedside monitor for adults°."""


class FixedLimits:
    """Score: how far out, where 0 is the middle between two limits and 1 is a limit."""

    def __init__(self, limits: Mapping[str, tuple[float, float]]):
        self._limits = limits

    def score(self, row: Row) -> float:
        """The farthest signal's."""
        return max(
            (_out(row.values[name], *pair) for name, pair in self._limits.items()
             if name in row.values),
            default=0.0,
        )  # fmt: skip


def _out(value: float, low: float, high: float) -> float:
    return abs(value - (low + high) / 2) / ((high - low) / 2)
