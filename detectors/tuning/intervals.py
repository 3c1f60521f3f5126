"""Bootstrap intervals over people (Efron 1979; percentile method, seeded).

People are drawn, not alarms or days: the alarms of one person are not independent of each other.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

SEED = 20_260_101
RESAMPLES = 2000
LEAST_PEOPLE = 5
"""Of fewer people an interval would say more than is known; there is none."""


class Interval(Struct, frozen=True, array_like=True):
    """95 %: of the resamples, 2.5 % are below and 2.5 % above."""

    low: float
    high: float


def ratios(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64]
) -> list[Interval | None]:
    """The intervals of Σ numerator / Σ denominator over people.

    Args:
        numerators: a row a person, a column a figure.
        denominators: the same shape, or one column for all figures.

    Returns:
        One interval a column; None where there are too few people, or where most draws have a
        denominator of 0.
    """
    people, figures = numerators.shape
    if people < LEAST_PEOPLE:
        return [None] * figures
    source = np.random.default_rng(SEED)
    drawn = np.empty((RESAMPLES, figures))
    even = np.full(people, 1 / people)
    for row in drawn:
        weights = source.multinomial(people, even)
        below = weights @ denominators
        with np.errstate(divide="ignore", invalid="ignore"):
            row[:] = np.where(below > 0, weights @ numerators / below, np.nan)
    return [_interval(column) for column in drawn.T]


def _interval(drawn: NDArray[np.float64]) -> Interval | None:
    known = drawn[~np.isnan(drawn)]
    if 2 * len(known) < len(drawn):
        return None
    low, high = np.quantile(known, (0.025, 0.975))
    return Interval(round(float(low), 6), round(float(high), 6))
