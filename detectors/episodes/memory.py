"""What is remembered of one patient's episodes: plain numbers, saved as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

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
    longest_gap: float = 0.0
    """Seconds, between two successive readings of it."""
    same_minute: bool = False
    """Whether several of its readings have one time, of a sender that rounds to the minute."""
    same_time: int = 0
    """How many of its readings have the time of the one before."""


class Furthest(Struct, array_like=True):
    """How far one signal of a kind went past its limits, each way by itself."""

    extreme: float
    announced: float
    """What was known at the last step; before the first, the limit that it passed."""


class EpisodeMemory(Struct, array_like=True):
    """One kind in one patient, pending or open. Plain numbers: it is saved as it is."""

    runs: dict[str, Run] = {}
    sequence: int = -1
    """Of the last step announced; -1 while it is not open."""
    onset: float = 0.0
    """While it is not open: where it may begin, if the reading that ended the last episode of its
    kind was withdrawn; the time of that end: with the reading that opens it; 0: at that end."""
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
    received: float = 0.0
    """Receive time of the last moment taken, as far as the clock had come; 0: not known."""
    beyond: int = 0
    """How many of ``samples`` were beyond a limit of the kind."""
    longest_gap: float = 0.0
    """Seconds, between two successive readings since the onset."""
    highest: Priority | Literal[""] = ""
    """The highest priority that it ever had."""
    severe_at: float = 0.0
    """When it was last beyond a limit of its present priority; 0: not known."""
    less_seen: int = 0
    """Readings since then."""
    repeat_from: float = 0.0
    """From when on its next repeat is counted: the last step that is for a page. ``LONG_AGO``:
    there was none, since all of it came late; 0: not known."""
    same_time: int = 0
    """How many of ``samples`` have the time of the one before."""
    first_onset: float = 0.0
    """The onset with which it was opened, and of which its id is made, where late readings have
    shown since that it began earlier; 0: the onset itself."""
    within: bool = False
    """Whether the last moment taken was beyond no limit of the kind: it may be over, and is not
    closed yet."""
    joined: tuple[str, ...] | None = None
    """Kinds that were announced within this episode as parts of high priority, each once; None: not
    known, as of an older state: those that were announced at all."""
    furthest: dict[str, Furthest] | None = None
    """Of what is open, or a part: ``above systolic`` → how far that went. None: not known, as of an
    older state; then what is measured next counts as announced."""

    @property
    def times(self) -> int:
        """At how many times it was judged: readings with one time are of one moment."""
        return self.samples - self.same_time

    @property
    def last_received(self) -> float:
        """Receive time of the last moment taken; of a state of before, its own time."""
        return self.received or self.last

    @property
    def named_by(self) -> float:
        """The onset that its id is made of."""
        return self.first_onset or self.onset

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
