"""Which device is preferred where two measure the same signal of one person."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Seconds, Section


class Disagreement(Section, frozen=True):
    """Two devices contradict each other when readings of one moment are ``change`` apart, for
    ``seconds`` and ``readings`` of the one that is not judged."""

    change: Positive
    seconds: Seconds
    readings: Count
    enabled: bool = True


class SourcesConfig(Section, frozen=True):
    """Which device is preferred where two measure the same signal of one person."""

    takeover_seconds: Positive
    same_moment_seconds: Seconds
    priority: dict[str, tuple[str, ...]]
    """Signal → device ids or patterns, the most trusted first. A device that none names comes
    after those that are named."""
    disagree: dict[str, Disagreement]
    enabled: bool = True
