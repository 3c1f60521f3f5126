"""A detector of river's, put into a patient's pipeline by configuration."""

from __future__ import annotations

from detectors.sections.base import Section


class Plugin(Section, frozen=True):
    """One table ``[plugins.NAME]``."""

    enabled: bool = True
