"""How partial NEWS2 is made."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from detectors.configuration_section import Count, Positive, Seconds, Section, Steps

Points = Annotated[int, Meta(ge=1, le=15)]


class EarlyWarningConfig(Section, frozen=True):
    """How partial NEWS2 is made."""

    stale_seconds: Positive
    """A value older than this no longer counts."""
    least_signals: Annotated[int, Meta(ge=1, le=5)]
    """With fewer of the five signals there is no score."""
    urgent: Points
    """The sum from which it is announced …"""
    emergency: Points
    """… and from which with high priority."""
    clear: Annotated[int, Meta(ge=0, le=15)]
    """The sum up to which it has ended."""
    seconds: Seconds
    readings: Count
    single_three: bool
    """Whether three points of one signal alone are announced."""
    steps_below: Steps
    """Fewer steps a minute are light motion."""
    light_motion_seconds: Seconds
    """In light motion or at rest for so long, the points of heart rate and breaths count …"""
    light_motion_readings: Count
    long_effort_seconds: Seconds
    """… and whatever the activity, of a score that holds for so long."""
    long_effort_readings: Count
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse sums that contradict each other."""
        if not self.clear < self.urgent <= self.emergency:
            raise ValueError("needs `clear` under `urgent`, and `urgent` not above `emergency`")
