"""When a heart rate is irregular."""

from __future__ import annotations

from detectors.sections.base import Section


class Irregularity(Section, frozen=True):
    """When a heart rate is irregular."""

    enabled: bool = True
