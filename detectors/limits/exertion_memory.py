"""What is remembered of a patient's exertion: plain numbers, saved as they are."""

from __future__ import annotations

from msgspec import Struct


class Effort(Struct, array_like=True):
    """How long a heart rate was one that activity explains for a while only, by one row."""

    time: float
    """Of the newest heart rate."""
    high: bool
    """Whether that one counted."""
    seconds: float
    """Added up, less a share of the pauses."""
    begun: float
    """From when on they are added up: before, there were none."""
    readings: int
    """That counted since then …"""
    counted: float
    """… and the time of the last of them."""
    since: float
    """When the stretch that counts without one between that does not began …"""
    stretch: int
    """… of so many readings …"""
    longest_gap: float
    """… and the longest time between two of them, in seconds."""
