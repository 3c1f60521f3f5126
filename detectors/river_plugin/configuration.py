"""A detector of river's, put into a patient's pipeline by configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import field

from detectors.configuration_section import Count, Positive, Seconds, Section


class PluginConfig(Section, frozen=True):
    """One table ``[plugins.NAME]``; ``docs/detection.md`` explains each key."""

    detector: str
    """``river.anomaly.…`` or ``river.drift.…``."""
    kind: str
    """The clinical kind that it opens."""
    signals: tuple[str, ...]
    """Judged when one reading holds them all. A supervised detector is asked about the first."""
    input: Literal["values", "residuals"] = "values"
    """``residuals``: distances from the personal baseline, in spreads."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The class's own; a table that names a ``detector`` is built into an object first."""
    transform: tuple[Any, ...] = ()
    """River transformers that the input goes through first."""
    threshold: float | None = None
    """A score of this and more is beyond. Filters and drift detectors decide themselves."""
    clear: float | None = None
    """A score under this is clear; None: under the threshold."""
    event_above: float | None = None
    """For ``river.drift.binary``: an input at least so far from zero counts as an event."""
    seconds: Seconds = 0.0
    readings: Count = 1
    warmup_readings: Count = 100
    """Nothing is scored before so many were learned."""
    learn_every_seconds: Seconds = 60.0
    hold_seconds: Positive = 3600.0
    """For this long after a drift was detected the condition holds."""
    largest_bytes: Count = 16_384
    """Of its saved state; one that grows past it learns no more."""
    enabled: bool = True
