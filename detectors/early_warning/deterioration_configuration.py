"""How the risk of deterioration is read from hourly charting."""

from __future__ import annotations

from itertools import pairwise

from detectors.configuration_section import Count, Positive, Section
from vigil.domain.kinds import Priority
from vigil.domain.signals import NAMES

Table = tuple[tuple[float, float], ...]
"""Points of a piecewise linear curve: (value, log-odds); level beyond both ends."""


class Scorecard(Section, frozen=True):
    """What one signal adds to the risk."""

    level: Table
    unrest: Table
    usual_unrest: Positive
    """The population's unrest, in the signal's unit: where a patient's own begins."""


class DeteriorationConfig(Section, frozen=True):
    """How the risk of deterioration is read from hourly charting."""

    above: float
    clear: float
    priority: Priority
    readings: Count
    least_signals: Count
    ready_seconds: Positive
    """Nothing is judged sooner after the first reading."""
    every_seconds: Positive
    """Readings of a signal closer than this are not learned."""
    stale_seconds: Positive
    """A signal not measured for so long adds nothing."""
    forget_seconds: Positive
    """After a longer silence of everything the patient begins afresh."""
    level_hours: Positive
    usual_hours: Positive
    unrest_hours: Positive
    prior_readings: Positive
    """What the population's unrest weighs beside the patient's own."""
    signals: dict[str, Scorecard]
    enabled: bool = False

    def __post_init__(self) -> None:
        """Refuse tables that cannot be read.

        Raises:
            ValueError: reported by the configuration's reader with the table's name.
        """
        if self.clear >= self.above:
            raise ValueError("`clear` must be under `above`")
        for name, card in self.signals.items():
            if name not in NAMES:
                raise ValueError(f"signal {name!r} is not known")
            for table in (card.level, card.unrest):
                if len(table) < 2 or any(a[0] >= b[0] for a, b in pairwise(table)):
                    raise ValueError(f"{name}: a table needs two points or more, ascending")
