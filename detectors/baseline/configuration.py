"""How the personal baseline learns, and what it calls unusual."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from detectors.configuration_section import Count, Positive, Seconds, Section, Share

Slots = Annotated[int, Meta(ge=1, le=24)]
Blocks = Annotated[int, Meta(ge=1, le=24)]


class LowBand(Section, frozen=True):
    """Where a lower change suffices below, because the value itself is low."""

    below: Positive
    """The sustained level is at or under this."""
    least_change: Positive


class Usual(Section, frozen=True):
    """How far from a person's usual value a signal of theirs is unusual."""

    kind: str
    floor: Positive
    """The spread of single values is never taken as narrower."""
    slots: Slots
    """Parts of the day that are distinguished; 2 are day and night."""
    block_seconds: Seconds
    """Values are judged as means of so long; 0: one by one."""
    blocks: Blocks
    """So many in a row must all be far away."""
    raise_spreads: Positive
    clear_spreads: Positive
    least_change: Positive
    most_change: Positive
    """However wide a person's values spread, this far away is unusual."""
    most_per_day: Positive
    """The usual level moves no faster in silence."""
    adopt_per_day: Positive
    """Nor faster than this while an episode is open and old enough to be a new normal."""
    prior: dict[str, tuple[float, Positive]]
    """Activity → (centre, spread) of the population."""
    unknown_blocks: Blocks | None = None
    """In place of ``blocks`` where the activity is not known; None: the same."""
    low_band: LowBand | None = None
    at_rest_only: bool = False
    enabled: bool = True


class BaselineConfig(Section, frozen=True):
    """How the personal baseline learns."""

    learn_every_seconds: Seconds
    longest_weight_minutes: Positive
    prior_weight_minutes: Positive
    memory_minutes: Positive
    ready_readings: Count
    ready_minutes: Positive
    adopt_after_seconds: Seconds
    recent_share: Share
    gap_seconds: Positive
    signals: dict[str, Usual]
