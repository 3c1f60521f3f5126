"""How the night-time resting heart rate is followed over days."""

from __future__ import annotations

from detectors.sections.base import Section


class Resting(Section, frozen=True):
    """How the night-time resting heart rate is followed over days."""

    enabled: bool = True
