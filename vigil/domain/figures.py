"""One figure a value: what is judged, scored, shown and charted.

A value is kept and sent on as the device gave it. Wherever it is compared with a limit, given
points or read by a person it is its *figure*: rounded half up at its quantity's precision
(:mod:`vigil.values.rounding`). So 12.0 kPa, 90.0074 mmHg, is 90 on the board, in the words and to a
limit "≤ 90". ``docs/detection.md`` (*One figure*) describes what each derived quantity is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from types import MappingProxyType

from vigil.domain.signals import SIGNALS
from vigil.values.rounding import format_half_up, half_up

DECIMALS: MappingProxyType[str, int] = MappingProxyType(
    {
        **{name: signal.decimals for name, signal in SIGNALS.items()},
        "mean_arterial_pressure": 0,
        "pulse_pressure": 0,
        "shock_index": 2,
        "resting_heart_rate": 0,
        "early_warning_score": 0,
        "pattern": 2,
        "deterioration": 2,
    }
)
"""Quantity → digits after the point, wherever it is judged or shown."""
_SCALES: dict[str, float] = {name: 10.0**decimals for name, decimals in DECIMALS.items()}


def figure(name: str, value: float) -> float:
    """A quantity's value as it is judged and shown; as it is where the quantity is not known.

    >>> figure("systolic", 12.0 * 7.500616827), figure("temperature", 38.04999)
    (90.0, 38.0)
    """
    decimals = DECIMALS.get(name)
    return value if decimals is None else half_up(value, decimals)


def is_same(name: str, one: float, other: float) -> bool:
    """Whether two values of a quantity are the same figure: two ways of conversion, or the same
    measurement sent by two programs, differ in digits that nothing has measured.

    >>> is_same("systolic", 214.0, 214.0000001), is_same("systolic", 214.0, 215.0)
    (True, False)
    """
    return one == other or (abs(one - other) < 1.0 and figure(name, one) == figure(name, other))


def text(name: str, value: float) -> str:
    """The figure as a person reads it, without its unit; of an unknown quantity six digits.

    >>> text("heart_rate", 117.5), text("shock_index", 0.995), text("distance", 3.25)
    ('118', '1.00', '3.25')
    """
    decimals = DECIMALS.get(name)
    return f"{value:g}" if decimals is None else format_half_up(value, decimals)


def is_systolic_above_diastolic(systolic: float, diastolic: float) -> bool:
    """Whether the systolic pressure reads above the diastolic one.

    >>> is_systolic_above_diastolic(120.4, 80.0), is_systolic_above_diastolic(80.4, 79.6)
    (True, False)
    """
    gap = systolic - diastolic
    return gap >= 1.0 or (gap > 0 and half_up(systolic) > half_up(diastolic))


def to_figures(values: Mapping[str, float]) -> Mapping[str, float]:
    """The figures of a reading's values: the same object where each is one already.

    >>> to_figures({"heart_rate": 40.5, "temperature": 35.05})
    {'heart_rate': 41.0, 'temperature': 35.1}
    """
    changed: dict[str, float] | None = None
    for name, value in values.items():
        if value % 1.0:  # most are whole, and most others figures already
            scale = _SCALES.get(name, 0.0)
            if scale and floor(value * scale + 0.5) / scale != value:
                changed = changed or dict(values)
                changed[name] = half_up(value, DECIMALS[name])
    return changed or values
