"""When several signals together are unusual."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from detectors.configuration_section import Count, Positive, Seconds, Section


class NoveltyConfig(Section, frozen=True):
    """When several signals together are unusual."""

    above: Positive
    """Distance from the usual, in spreads, from which the condition holds …"""
    clear: Positive
    """… and up to which it has ended."""
    least_share: Annotated[float, Meta(gt=0, le=0.5)]
    """At least two signals must each contribute this share of the squared distance."""
    seconds: Seconds
    readings: Count
    together_seconds: Positive
    """Values no further apart than this are judged, and learned from, together."""
    learn_every_seconds: Seconds
    ready_readings: Count
    ready_seconds: Positive
    memory_readings: Count
    """How many joint readings the covariance remembers."""
    prior_readings: Positive
    """What no correlation and a spread of 1 weigh beside them."""
    clip_spreads: Positive
    """A residual further out is learned as if it were here."""
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse a hysteresis above its limit."""
        if self.clear > self.above:
            raise ValueError("`clear` lies above the limit `above`")
