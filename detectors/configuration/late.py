"""Readings that come after newer ones of the same signal: which are judged, and for how long."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Section


class LateConfig(Section, frozen=True):
    """Readings that come after newer ones of the same signal."""

    gap_seconds: Positive
    usual_intervals: Positive
    """A gap is longer than ``gap_seconds`` and than so many of the patient's usual intervals."""
    keep_seconds: Positive
    """For how long after its end a gap can be filled."""
    most_gaps: Count
    """How many are remembered of one signal, the newest."""
    idle_seconds: Positive
    """Without a late reading for so long, of receive time, no more are expected."""
    fresh_seconds: Positive
    """The same while none that waits is history: an alarm may be among them."""
    wait_seconds: Positive
    """The longest that a late reading waits to be judged in order of time."""
    most_waiting: Count
    """How many wait at most."""
    enabled: bool = True
