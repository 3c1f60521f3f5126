"""What comes first: episodes of a patient, and patients of a ward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from store.episodes.board import Episode
from vigil.domain.kinds import PRIORITY_ORDER, Priority

Level = Priority | Literal["none"]
LEVELS: tuple[Level, ...] = ("high", "medium", "low", "none")


def level(episode: Episode) -> Priority:
    """How urgently a person is needed. A patient who asks for help is as urgent as can be."""
    return "high" if episode.help_at is not None else episode.priority


def episode_key(episode: Episode) -> tuple[int, bool, bool, bool, datetime, str]:
    """Sorts a patient's episodes: urgency, not yet acknowledged, still going on, clinical, then
    the one that has waited longest.
    """
    return (
        PRIORITY_ORDER[level(episode)],
        episode.acknowledged,
        episode.phase == "closed",
        episode.category == "technical",
        episode.onset,
        episode.event_id,
    )


class Standing(NamedTuple):
    """A patient's episodes on the board, the most urgent first, and the place that they give."""

    episodes: Sequence[Episode]

    @property
    def top(self) -> Episode | None:
        """The one that the board names."""
        return self.episodes[0] if self.episodes else None

    @property
    def level(self) -> Level:
        """The patient's place among the priorities."""
        return level(self.top) if self.top else "none"

    @property
    def unacknowledged(self) -> int:
        """How many nobody has acknowledged."""
        return sum(not episode.acknowledged for episode in self.episodes)


def standing(episodes: Iterable[Episode]) -> Standing:
    """One patient's."""
    return Standing(sorted(episodes, key=episode_key))


def patient_key(stands: Standing, name: str, patient_id: str) -> tuple[object, ...]:
    """Sorts a ward: highest priority, then what nobody has acknowledged, what still goes on before
    what has ended, and the longest first.
    """
    place = LEVELS.index(stands.level)  # one that is no priority is no place: ValueError
    if stands.top is None:
        return (place, False, False, 0.0, name.casefold(), patient_id)
    return (
        place,
        stands.top.acknowledged,
        stands.top.phase == "closed",
        stands.top.onset.timestamp(),
        name.casefold(),
        patient_id,
    )
