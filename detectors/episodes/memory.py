"""What is remembered of one patient's episodes: plain numbers, saved as they are."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from detectors.contract import LONG_AGO
from vigil.domain.kinds import Priority


class Run(Struct, array_like=True):
    """A rule that has been beyond for a while."""

    since: float
    last: float
    beyond: int = 0
    seen: int = 0
    extreme: float | None = None


class EpisodeMemory(Struct, array_like=True):
    """One kind in one patient, pending or open. Plain numbers: it is saved as it is."""

    runs: dict[str, Run] = {}
    sequence: int = -1
    """Of the last step announced; -1 while it is not open."""
    onset: float = 0.0
    priority: Priority = "low"
    rank: int = 0
    rule: str = ""
    signal: str = ""
    direction: str = ""
    extreme: float | None = None
    announced_extreme: float | None = None
    announced_at: float = 0.0
    clear_since: float = 0.0
    clear_seen: int = 0
    last: float = 0.0
    """Time of the last moment taken."""
    samples: int = 0
    limit: float | None = None
    limit_clear: float | None = None
    condition_seconds: float = 0.0
    """The persistence delay that was in force when it opened."""
    reason: str = ""
    readings: int = 1
    part_of: str = ""
    """The kind whose episode carries it while it is not open
    (:mod:`detectors.episodes.grouping`)."""
    part_announced: bool = False
    value: float | None = None
    """The last judged value, of a part."""
    known: float = LONG_AGO
    """When what was last announced became known. What is announced after a reading that was held
    back became known no sooner, whenever it was measured."""

    @property
    def open(self) -> bool:
        """Whether it was announced, and has not ended."""
        return self.sequence >= 0


EpisodesByKind = dict[str, EpisodeMemory]


class PatientEpisodes(Struct, array_like=True):
    """What is remembered of one patient's episodes."""

    by_kind: EpisodesByKind = {}
    ended: dict[str, float] = {}
    """Kind → when its last episode was closed. Nothing of the kind begins before that, so that no
    two episodes share an onset, and with it an id, whatever order readings come in."""


def open_episodes(by_kind: EpisodesByKind) -> Iterable[tuple[str, EpisodeMemory]]:
    """The episodes that are open."""
    return ((kind, episode) for kind, episode in by_kind.items() if episode.sequence >= 0)
