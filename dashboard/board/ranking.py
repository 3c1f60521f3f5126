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


def is_past(episode: Episode) -> bool:
    """Whether it is history and has ended, and the patient does not ask for help: nothing of it
    is urgent, whatever it was."""
    return episode.history and episode.phase == "closed" and episode.help_at is None


def episode_key(
    episode: Episode,
) -> tuple[bool, int, bool, bool, bool, bool, datetime, str]:
    """The sort key of a patient's episodes: not past, priority, not acknowledged, active, not
    history, clinical, then the earliest onset.
    """
    return (
        is_past(episode),
        PRIORITY_ORDER[priority_of(episode)],
        episode.acknowledged,
        episode.phase == "closed",
        episode.history,
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
        """The patient's priority; ``none`` without an episode, or with past ones only."""
        return "none" if self.top is None or is_past(self.top) else priority_of(self.top)

    @property
    def unacknowledged(self) -> int:
        """The number of episodes that wait for an acknowledgement."""
        return sum(episode.waits for episode in self.episodes)


def rank_episodes(episodes: Iterable[Episode]) -> Ranking:
    """Rank the episodes of one patient."""
    return Ranking(sorted(episodes, key=episode_key))


def patient_key(ranking: Ranking, name: str, patient_id: str) -> tuple[object, ...]:
    """The sort key of a ward's patients: priority, not acknowledged, active, not history, then the
    earliest onset. Whose episodes are all past comes before those without any.

    Raises:
        ValueError: an episode has an unknown priority.
    """
    place = LEVELS.index(ranking.level)
    if ranking.top is None:
        return (place, True, False, False, False, 0.0, name.casefold(), patient_id)
    return (
        place,
        False,
        ranking.top.acknowledged,
        ranking.top.phase == "closed",
        ranking.top.history,
        ranking.top.onset.timestamp(),
        name.casefold(),
        patient_id,
    )
