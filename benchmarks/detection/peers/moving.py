"""Classical charts on a moving mean and spread: z-score, EWMA, CUSUM."""

from __future__ import annotations

from collections import deque
from math import sqrt

from benchmarks.detection.rows import Row

LEAST_SPREAD = 1.0
"""In the signal's unit: a sensor that repeats itself has no spread."""
READY = 8
"""Readings before anything is said."""


class Window:
    """Mean and standard deviation of the last ``memory`` values of a signal."""

    __slots__ = ("_squares", "_sum", "_values", "memory")

    def __init__(self, memory: int):
        self.memory = memory
        self._values: deque[float] = deque()
        self._sum = self._squares = 0.0

    def z(self, value: float) -> float:
        """Signed distance in spreads; 0 until there are enough values."""
        n = len(self._values)
        if n < READY:
            return 0.0
        mean = self._sum / n
        spread = sqrt(max(0.0, self._squares / n - mean * mean))
        return (value - mean) / max(spread, LEAST_SPREAD)

    def learn(self, value: float) -> None:
        """Take it in; the oldest leaves."""
        self._values.append(value)
        self._sum += value
        self._squares += value * value
        if len(self._values) > self.memory:
            old = self._values.popleft()
            self._sum -= old
            self._squares -= old * old


class _Windows:
    """A window a signal."""

    def __init__(self, memory: int):
        self._memory = memory
        self._windows: dict[str, Window] = {}

    def z(self, signal: str, value: float) -> float:
        """Judge, then learn."""
        window = self._windows.get(signal)
        if window is None:
            window = self._windows[signal] = Window(self._memory)
        distance = window.z(value)
        window.learn(value)
        return distance


class RollingZ:
    """Score: the farthest signal's distance from its moving mean, in spreads."""

    def __init__(self, memory: int):
        self._windows = _Windows(memory)

    def score(self, row: Row) -> float:
        """Two-sided."""
        return max((abs(self._windows.z(*item)) for item in row.values.items()), default=0.0)


class Ewma:
    """Exponentially weighted moving average chart (Roberts 1959), two-sided."""

    WEIGHT = 0.2

    def __init__(self, memory: int):
        self._windows = _Windows(memory)
        self._smoothed: dict[str, float] = {}

    def score(self, row: Row) -> float:
        """In standard deviations of the smoothed value."""
        worst = 0.0
        for signal, value in row.values.items():
            z = self._windows.z(signal, value)
            smoothed = self._smoothed.get(signal, 0.0)
            smoothed += self.WEIGHT * (z - smoothed)
            self._smoothed[signal] = smoothed
            worst = max(worst, abs(smoothed))
        return worst / sqrt(self.WEIGHT / (2 - self.WEIGHT))


class Cusum:
    """Cumulative sums (Page 1954), two-sided, of a person's own z-scores."""

    SLACK = 1.0
    """Spreads; half of the shift that it is best at."""
    CAP = 100.0
    """What has lasted does not take for ever to forget."""

    def __init__(self, memory: int):
        self._windows = _Windows(memory)
        self._sums: dict[str, tuple[float, float]] = {}

    def score(self, row: Row) -> float:
        """The larger sum, of the worst signal."""
        worst = 0.0
        for signal, value in row.values.items():
            z = self._windows.z(signal, value)
            up, down = self._sums.get(signal, (0.0, 0.0))
            up = min(self.CAP, max(0.0, up + z - self.SLACK))
            down = min(self.CAP, max(0.0, down - z - self.SLACK))
            self._sums[signal] = (up, down)
            worst = max(worst, up, down)
        return worst
