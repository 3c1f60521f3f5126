"""Absolute limits on a value, or on a figure that two signals make together."""

from __future__ import annotations

from detectors.configuration_section import Count, Seconds, Section
from vigil.domain.kinds import Priority

DERIVED = ("mean_arterial_pressure", "pulse_pressure", "shock_index")
"""Computed from readings of the same moment (:mod:`detectors.limits.combination`)."""


class Limit(Section, frozen=True):
    """One absolute limit: beyond it the condition holds, past ``clear`` it has ended."""

    kind: str
    signal: str
    """A signal, or ``mean_arterial_pressure``, ``pulse_pressure``, ``shock_index``."""
    clear: float
    priority: Priority
    above: float | None = None
    below: float | None = None
    seconds: Seconds = 0.0
    unknown_seconds: Seconds | None = None
    """In place of ``seconds`` where the activity is not known; None: the same."""
    readings: Count = 1
    at_rest_only: bool = False
    enabled: bool = True
