"""The data of a patient's chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from store.episodes.board import Episode
from store.episodes.evidence import Basis

SPANS: Mapping[str, timedelta] = {
    "6 h": timedelta(hours=6),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
}
"""The time windows that can be chosen."""
DEFAULT_SPAN = "24 h"
NAMES = {"heart_rate": "Heart rate", "systolic": "Systolic", "diastolic": "Diastolic"}
"""The charted signals, and their names in the legend."""


@dataclass(frozen=True, slots=True)
class JudgedEpisode:
    """An episode, and what it was judged by."""

    episode: Episode
    basis: Basis


@dataclass(frozen=True, slots=True)
class Trend:
    """What the chart shows."""

    start: datetime
    end: datetime
    width: timedelta
    """Length of a bucket."""
    points: Sequence[Mapping[str, Any]]
    """The rows of :func:`store.readings.trends.trend`."""
    episodes: Sequence[JudgedEpisode]


def has_spread(trend: Trend, low: str, high: str) -> bool:
    """Whether heart rates differ within a bucket.

    Args:
        low: the lower statistic of a bucket, for example ``min``.
        high: the higher one, for example ``max``.
    """
    pairs = ((p.get(f"heart_rate_{low}"), p.get(f"heart_rate_{high}")) for p in trend.points)
    return any(a is not None and b is not None and b > a for a, b in pairs)
