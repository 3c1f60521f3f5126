"""How the episodes of one kind are held together."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Seconds, Section


class EpisodePolicy(Section, frozen=True):
    """How the episodes of one kind are held together."""

    gap_seconds: Seconds
    clear_seconds: Seconds
    clear_readings: Count
    update_step: Positive
    update_seconds: Seconds
