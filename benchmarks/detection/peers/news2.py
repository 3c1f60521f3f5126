"""Partial NEWS2 (Royal College of Physicians 2017): the sum of what is measured."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from benchmarks.detection.rows import Row

# Signal → (upper ends of the bands, inclusive; points of each band).
BANDS: Mapping[str, tuple[tuple[float, ...], tuple[int, ...]]] = {
    "heart_rate": ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
    "systolic": ((90, 100, 110, 219), (3, 2, 1, 0, 3)),
    "respiratory_rate": ((8, 11, 20, 24), (3, 1, 0, 2, 3)),
    "spo2": ((91, 93, 95), (3, 2, 1, 0)),
    "temperature": ((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2)),
}


def points(signal: str, value: float) -> int:
    """The points of one value.

    >>> [points("heart_rate", rate) for rate in (40, 41, 90, 91, 131)]
    [3, 1, 0, 1, 3]
    """
    ends, given = BANDS[signal]
    return given[bisect_left(ends, value)]


class PartialNews2:
    """Score: the sum over the newest value of each signal seen."""

    def __init__(self) -> None:
        self._points: dict[str, int] = {}

    def score(self, row: Row) -> float:
        """A signal that is not measured now keeps its last points."""
        for signal in BANDS.keys() & row.values.keys():
            self._points[signal] = points(signal, row.values[signal])
        return float(sum(self._points.values()))
