"""The plain statistic that every z-score job keeps: a running mean and variance a patient.

Welford's method: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and
Products", Technometrics 4(3), 1962. Three numbers, and only they are the state.
"""

from __future__ import annotations

from math import sqrt

Running = tuple[int, float, float]
"""Count, mean, and sum of squared differences from the mean."""
FRESH: Running = (0, 0.0, 0.0)
SIGNAL = "heart_rate"
WARM_UP = 30
"""Readings before one is flagged."""
LEVEL = 3.0
"""Standard deviations from the mean."""


def step(state: Running, value: float) -> tuple[Running, bool]:
    """Judge a value against what came before it, then learn it.

    >>> state = FRESH
    >>> for value in [70.0, 72.0] * 20:
    ...     state, _ = step(state, value)
    >>> step(state, 90.0)[1], step(state, 71.5)[1]
    (True, False)
    """
    count, mean, squares = state
    off = value - mean
    flagged = count >= WARM_UP and squares > 0 and abs(off) > LEVEL * sqrt(squares / count)
    count += 1
    mean += off / count
    return (count, mean, squares + off * (value - mean)), flagged
