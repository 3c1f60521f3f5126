"""The plausible range and the rounding of each quantity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from explain.facts.evidence import within_range
from vigil.domain.figures import DECIMALS
from vigil.domain.signals import SIGNALS
from vigil.values.rounding import half_up


@dataclass(frozen=True, slots=True)
class Unit:
    """The plausible range of a quantity, and the decimals that it is shown with."""

    lowest: float
    highest: float
    decimals: int

    def figure(self, value: float | None) -> str | None:
        """The figure alone, with a decimal point, or None where there is none that can be true."""
        read = None if value is None else half_up(value, self.decimals)
        known = within_range(read, self.lowest, self.highest)
        return None if known is None else f"{known:.{self.decimals}f}"


UNITS: MappingProxyType[str, Unit] = MappingProxyType(
    {
        **{name: Unit(s.lowest, s.highest, s.decimals) for name, s in SIGNALS.items()},
        "pressure": Unit(0, 300, DECIMALS["systolic"]),
        "pulse_pressure": Unit(0, 300, DECIMALS["pulse_pressure"]),
        "mean_arterial_pressure": Unit(0, 300, DECIMALS["mean_arterial_pressure"]),
        "shock_index": Unit(0.05, 10, DECIMALS["shock_index"]),
        "score": Unit(0, 30, DECIMALS["early_warning_score"]),
    }
)
"""Quantity → range and rounding, as everywhere (:mod:`vigil.domain.figures`)."""


@lru_cache(maxsize=16_384)
def figure_of(unit: str, value: float | None) -> str | None:
    """:meth:`Unit.figure` of a unit. Unit and value decide it alone, whoever was measured."""
    return UNITS[unit].figure(value)
