"""The patient's chart in a sentence, for those who do not see it."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

from dashboard.patient.chart import NAMES, PANELS, Trend, spread
from vigil.domain.signals import SIGNALS

STRETCHES = {
    timedelta(minutes=15): "each quarter of an hour",
    timedelta(hours=1): "each hour",
    timedelta(days=1): "each day",
}


def words(trend: Trend) -> str:
    """Ranges and medians of what was measured, and what the bands hold."""
    said = []
    for signal in PANELS:
        row = SIGNALS[signal]
        middles = [p[f"{signal}_avg"] for p in trend.points if p[f"{signal}_avg"] is not None]
        if middles:
            low = min(p[f"{signal}_min"] for p in trend.points if p[f"{signal}_min"] is not None)
            high = max(p[f"{signal}_max"] for p in trend.points if p[f"{signal}_max"] is not None)
            said.append(
                f"{NAMES[signal].lower()} {row.display(low)} to {row.display(high)}"
                f" {row.unit_label}, median {row.display(median(middles))}"
            )
    if not said:
        return "No readings of heart rate or blood pressure in this window."
    told = "In this window: " + "; ".join(said) + "."
    if spread(trend, "p10", "p90"):
        told += (
            " Around the heart rate, light: from the lowest to the highest; darker: the middle 80 %"
            f" of {STRETCHES.get(trend.width, 'each stretch of time')}."
        )
    return told
