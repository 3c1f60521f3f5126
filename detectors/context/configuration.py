"""How activity and the time of day are known."""

from __future__ import annotations

from typing import Literal

from detectors.configuration_section import Hour, Offset, Positive, Seconds, Section, Steps


class ContextConfig(Section, frozen=True):
    """How activity and the time of day are known."""

    active_steps_per_min: Steps
    recovery_seconds: Seconds
    context_seconds: Seconds
    still_seconds: Seconds
    quiet_below: Positive
    unknown_activity: Literal["unknown", "rest"]
    night_from_hour: Hour
    night_to_hour: Hour
    quiet_from_hour: Hour
    quiet_to_hour: Hour
    steady_below: Positive
    """Mean change of the heart rate from one minute to the next, in beats a minute."""
    steady_memory_seconds: Positive
    steady_seconds: Seconds
    time_zone: str
    """An IANA name; empty: ``utc_offset_hours`` holds all year."""
    utc_offset_hours: Offset
