"""When a heart rate is irregular."""

from __future__ import annotations

from detectors.configuration_section import Positive, Seconds, Section


class IrregularityConfig(Section, frozen=True):
    """When a heart rate is irregular."""

    above: Positive
    """Irregularity (:mod:`detectors.irregularity.detector`) from which the condition holds …"""
    clear: Positive
    """… and up to which it has ended."""
    seconds: Seconds
    """How long it must have held."""
    longest_interval_seconds: Positive
    """Rates further apart show nothing of it."""
    window_seconds: Positive
    """Older steps fade with this time constant."""
    largest_step: Positive
    """A step counts for no more than this, so that a few ectopic beats do not make an alarm."""
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse a hysteresis above its limit."""
        if self.clear > self.above:
            raise ValueError("`clear` lies above the limit `above`")
