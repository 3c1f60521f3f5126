"""Rounding half up, by the decimal that a number stands for: the one rule of every figure.

That decimal is the shortest spelling of the number, as JSON has it: 35.05 becomes 35.1, though the
nearest double lies below 35.05. Python's ``round`` and ``format`` go by the double and round a half
to even; d3, plotly and PostgreSQL's ``numeric`` round it up. So nothing else rounds what was
measured: neither the database nor the browser.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import floor, isfinite

_SCALES = tuple(10.0**decimals for decimals in range(7))
_WHOLE = 2.0**52
"""From here on a double has no digits after the point."""
_LARGE = 1e6
_NEAR = 1e-6
"""Nearer than this to half a step, the decimal itself is looked at."""


def half_up(value: float, decimals: int = 0) -> float:
    """The nearest decimal of so many digits; of two equally near the one further from zero.

    Args:
        value: any float; what is not finite is given back as it is.
        decimals: digits after the point, 0 to 6.

    >>> half_up(90.5), half_up(35.05, 1), half_up(0.995, 2), half_up(-0.2)
    (91.0, 35.1, 1.0, 0.0)
    """
    if not 0.0 <= value < _WHOLE:
        return _odd(value, decimals)
    if not decimals:  # a half is a binary fraction: nothing is lost in comparing
        whole = floor(value)
        return float(whole + 1 if value - whole >= 0.5 else whole)
    scale = _SCALES[decimals]
    steps = value * scale
    whole = floor(steps)
    rest = steps - whole
    if -_NEAR < rest - 0.5 < _NEAR or value > _LARGE:
        return _exactly(value, decimals)
    return (whole + 1 if rest > 0.5 else whole) / scale


def format_half_up(value: float, decimals: int = 0) -> str:
    """Format :func:`half_up` of a value with all its digits.

    >>> format_half_up(2.5), format_half_up(36.0, 1), format_half_up(1e-9, 2)
    ('3', '36.0', '0.00')
    """
    return f"{half_up(value, decimals):.{decimals}f}"


def _odd(value: float, decimals: int) -> float:
    """A negative, a huge or no finite number."""
    if not isfinite(value) or abs(value) >= _WHOLE:
        return value
    return 0.0 - half_up(-value, decimals)


def _exactly(value: float, decimals: int) -> float:
    """By the decimal that the number stands for."""
    step = Decimal(1).scaleb(-decimals)
    return float(Decimal(repr(value)).quantize(step, ROUND_HALF_UP))
