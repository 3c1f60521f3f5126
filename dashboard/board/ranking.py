"""The order of a patient's episodes, and of the patients of a ward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from store.episodes.board import Episode
from vigil.domain.kinds import PRIORITY_ORDER, Priority

Level = Priority | Literal["none"]
LEVELS: tuple[Level, ...] = ("high", "medium", "low", "none")


def priority_of(episode: Episode) -> Priority:
    """The priority on the board. A patient who asks for help has the highest."""
    return "high" if episode.help_at is not None else episode.priority


def episode_key(episode: Episode) -> tuple[int, bool, bool, bool, datetime, str]:
    """The sort key of a patient's episodes: priority, not acknowledged, active, clinical, then the
    earliest onset.
    """
    return (
        PRIORITY_ORDER[priority_of(episode)],
        episode.acknowledged,
        episode.phase == "closed",
        episode.category == "technical",
        episode.onset,
        episode.episode_id,
    )


@dataclass(frozen=True, slots=True)
class Ranking:
    """A patient's episodes on the board, the most urgent first, and the resulting priority."""

    episodes: Sequence[Episode]

    @property
    def top(self) -> Episode | None:
        """The episode that the row shows."""
        return self.episodes[0] if self.episodes else None

    @property
    def level(self) -> Level:
        """The patient's priority; ``none`` without an episode."""
        return priority_of(self.top) if self.top else "none"

    @property
    def unacknowledged(self) -> int:
        """The number of episodes that are not acknowledged."""
        return sum(not episode.acknowledged for episode in self.episodes)


def rank_episodes(episodes: Iterable[Episode]) -> Ranking:
    """Rank the episodes of one patient."""
    return Ranking(sorted(episodes, key=episode_key))


def patient_key(ranking: Ranking, name: str, patient_id: str) -> tuple[object, ...]:
    """The sort key of a ward's patients: priority, not acknowledged, active, then the earliest
    onset.

    Raises:
        ValueError: an episode has an unknown priority.
    """
    place = LEVELS.index(ranking.level)
    if ranking.top is None:
        return (place, False, False, 0.0, name.casefold(), patient_id)
    return (
        place,
        ranking.top.acknowledged,
        ranking.top.phase == "closed",
        ranking.top.onset.timestamp(),
        name.casefold(),
        patient_id,
    )
