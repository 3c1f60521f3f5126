"""When several signals together are unusual."""

from __future__ import annotations

from detectors.sections.base import Section


class Novelty(Section, frozen=True):
    """When several signals together are unusual."""

    enabled: bool = True
