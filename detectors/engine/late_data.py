"""What is remembered of one patient's late readings while they come."""

from __future__ import annotations

from msgspec import Struct, field

from detectors.context.activity import ContextMemory
from detectors.episodes.memory import EpisodesByKind


class LateData(Struct, array_like=True):
    """What late readings have shown so far (:mod:`detectors.engine.late_readings`)."""

    until: dict[str, float] = {}
    """Signal, or ``pressure`` → where the gap ends that is being filled."""
    episodes: EpisodesByKind = {}
    context: ContextMemory = field(default_factory=ContextMemory)
    received: float = 0.0
    """Receive time of the last."""
    quality: float = 1.0
    """Running share of late readings that could be judged, 0 to 1."""
    synthetic: bool = False
