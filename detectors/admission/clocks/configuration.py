"""When a device's clock counts as constantly off."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Seconds, Section


class ClockOffsetConfig(Section, frozen=True):
    """When a device's clock counts as constantly off."""

    uploads: Count
    """So many uploads, one after the other, are late by about the same amount …"""
    seconds: Seconds
    """… over at least so long of receive time …"""
    spread_seconds: Positive
    """… the latest and the least late of them at most so far apart …"""
    slack_seconds: Positive
    """… and, where they are few, no further than this. An upload that is by more than this less
    late than the others shows that those were delayed, or that the clock was put right …"""
    least_seconds: Positive
    """… and each at least so late."""
    forget_seconds: Positive
    """A device that sent nothing for so long is forgotten."""
    enabled: bool = True
