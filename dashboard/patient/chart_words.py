"""The patient's chart in sentences, for readers who do not see it."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

from dashboard.patient.trend import NAMES, Trend, has_spread
from vigil.domain.signals import SIGNALS

BUCKET_NAMES = {
    timedelta(minutes=15): "each quarter of an hour",
    timedelta(hours=1): "each hour",
    timedelta(days=1): "each day",
}


def describe_chart(trend: Trend) -> str:
    """Ranges and medians of the measured signals, and what the bands contain."""
    parts = []
    for signal in NAMES:
        row = SIGNALS[signal]
        middles = [p[f"{signal}_avg"] for p in trend.points if p[f"{signal}_avg"] is not None]
        if middles:
            low = min(p[f"{signal}_min"] for p in trend.points if p[f"{signal}_min"] is not None)
            high = max(p[f"{signal}_max"] for p in trend.points if p[f"{signal}_max"] is not None)
            parts.append(
                f"{NAMES[signal].lower()} {row.display(low)} to {row.display(high)}"
                f" {row.unit_label}, median {row.display(median(middles))}"
            )
    if not parts:
        return "No readings of heart rate or blood pressure in this window."
    text = "In this window: " + "; ".join(parts) + "."
    if has_spread(trend, "p10", "p90"):
        text += (
            " Around the heart rate, light: from the lowest to the highest; darker: the middle 80 %"
            f" of {BUCKET_NAMES.get(trend.width, 'each stretch of time')}."
        )
    return text
