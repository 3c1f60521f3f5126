"""How partial NEWS2 is made."""

from __future__ import annotations

from detectors.sections.base import Section


class EarlyWarning(Section, frozen=True):
    """How partial NEWS2 is made."""

    enabled: bool = True
