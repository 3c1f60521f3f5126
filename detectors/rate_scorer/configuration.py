"""How river's Gaussian scorer judges five-minute means of the heart rate."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from detectors.configuration_section import Count, Positive, Section

Probability = Annotated[float, Meta(gt=0, lt=1)]


class ScorerConfig(Section, frozen=True):
    """How river's Gaussian scorer judges five-minute means of the heart rate."""

    block_seconds: Positive
    """A block is the mean of so long."""
    blocks: Count
    """So many in a row must each be beyond."""
    gap_seconds: Positive
    """Readings further apart are not one stretch."""
    grace_blocks: Count
    """Nothing is scored before so many blocks were learned: river's ``grace_period``."""
    grace_night_blocks: Annotated[int, Meta(ge=0)]
    """Nor before so many of them at night: who was only seen awake would be low when asleep."""
    memory_blocks: Count
    """The distribution rests on no more: older blocks fade."""
    score: Probability
    """The least score that is beyond: the share of this person's blocks nearer to their mean."""
    clear_score: Probability
    """A block that scores less is back."""
    below: Positive
    """Nothing above this is low, whatever the score; beats a minute."""
    enabled: bool = True

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ValueError: reported by the configuration's reader with the table's name.
        """
        if self.clear_score >= self.score:
            raise ValueError("`clear_score` must be under `score`")
        if self.memory_blocks < self.grace_blocks:
            raise ValueError("`grace_blocks` is more than `memory_blocks`")
