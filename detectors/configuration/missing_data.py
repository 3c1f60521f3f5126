"""When no reading is too long."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Seconds, Section


class SilenceConfig(Section, frozen=True):
    """When no reading is too long."""

    after_seconds: Positive
    usual_interval_factor: Positive
    unknown_seconds: Positive
    known_after_intervals: Count
    clock_gap_seconds: Positive
    gone_seconds: Positive
    idle_after_seconds: Seconds
    enabled: bool = True
