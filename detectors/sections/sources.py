"""Which device is believed where two measure the same signal of one person."""

from __future__ import annotations

from detectors.sections.base import Section


class Sources(Section, frozen=True):
    """Which device is believed where two measure the same signal of one person."""

    enabled: bool = True
