"""What a shift summary is made from, and the summary itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from explain.shift_summary.words import Scope, Sentence
from vigil.domain.episode import Event


@dataclass(frozen=True, slots=True)
class Episode:
    """The present state of an episode."""

    event: Event
    """Its newest step."""
    raised_at: datetime
    """When its first step was announced, in event time."""
    acknowledged: bool
    history: bool = False
    """Whether nobody was paged, because each step was past its useful time when it came."""
    waiting: bool = False
    """Whether it waits for an acknowledgement, as the board counts those."""

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.event.phase != "closed"

    @property
    def judged_again(self) -> bool:
        """Whether its newest step came of judging again after a reading was withdrawn."""
        return "withdrawal" in self.event.evidence

    @property
    def withdrawn(self) -> bool:
        """Whether it was closed because readings that it rested on do not count."""
        return bool(self.event.withdrawn)


@dataclass(frozen=True, slots=True)
class Call:
    """A patient's request for help."""

    action_id: str
    episode_id: str
    patient_id: str
    time: datetime
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """The readings of an enrolled patient in the window; a count of 0: none."""

    patient_id: str
    readings: int
    newest: datetime | None = None
    """When the newest of them was measured."""
    lowest: float | None = None
    """Of the heart rates, beats a minute."""
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The last hours."""

    end: datetime
    hours: int

    @property
    def start(self) -> datetime:
        """The exclusive lower bound."""
        return self.end - timedelta(hours=self.hours)

    def holds(self, moment: datetime | None) -> bool:
        """Whether a time lies within the window."""
        return moment is not None and self.start < moment <= self.end


@dataclass(frozen=True, slots=True)
class Summary:
    """The sentences, in order."""

    scope: Scope
    name: str
    """The ward, empty for all; or the patient's id."""
    window: Window
    sentences: tuple[Sentence, ...]
    synthetic: bool
    """Some of it is based on simulated data."""

    @property
    def text(self) -> str:
        """As it reads, patients by id."""
        return " ".join(sentence.text for sentence in self.sentences)
