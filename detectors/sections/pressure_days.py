"""How blood pressure is averaged over days."""

from __future__ import annotations

from detectors.sections.base import Section


class PressureDays(Section, frozen=True):
    """How blood pressure is averaged over days."""

    enabled: bool = True
