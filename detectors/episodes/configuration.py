"""How the episodes of one kind are held together, and when one that lasts is announced again."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Seconds, Section


class EpisodePolicy(Section, frozen=True):
    """How the episodes of one kind are held together."""

    gap_seconds: Seconds
    """Readings further apart are not one run."""
    unobserved_seconds: Positive
    """The longest time without a reading that an open episode may bridge: past it, it ends."""
    observed_gap_seconds: Seconds
    """A duration is observed where no two readings are further apart than this."""
    clear_seconds: Seconds
    clear_readings: Count
    ease_seconds: Seconds
    """How long nothing of its priority was measured before the priority falls."""
    update_step: Positive
    update_seconds: Seconds


class RepeatConfig(Section, frozen=True):
    """After how many seconds an episode that still lasts is announced again; 0: never."""

    high: Seconds
    medium: Seconds
    low: Seconds
