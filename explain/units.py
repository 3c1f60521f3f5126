"""What each quantity can be and how finely it is told, in no language."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from explain.evidence import within
from vigil.signals import SIGNALS


class Unit(NamedTuple):
    """What a quantity can be and how finely it is told."""

    lowest: float
    highest: float
    decimals: int

    def figure(self, value: float | None) -> str | None:
        """The figure alone, with a decimal point, or None where there is none that can be true."""
        value = within(value, self.lowest, self.highest)
        return None if value is None else f"{value:.{self.decimals}f}"


UNITS: MappingProxyType[str, Unit] = MappingProxyType(
    {
        **{name: Unit(s.lowest, s.highest, s.decimals) for name, s in SIGNALS.items()},
        "pressure": Unit(0, 300, 0),
        "pulse_pressure": Unit(0, 300, 0),
        "mean_arterial_pressure": Unit(0, 300, 0),
        "shock_index": Unit(0.05, 10, 2),
        "score": Unit(0, 30, 0),
    }
)  # fmt: skip
"""Quantity → range and rounding. The signals' own come from :mod:`vigil.signals`."""
