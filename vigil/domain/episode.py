"""A step of an episode: what detection found, for one patient, from onset to end."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from vigil.domain.ids import fill_episode_names
from vigil.domain.kinds import Category, Priority
from vigil.domain.reading import Context, Identifier, Timestamp

Phase = Literal["opened", "updated", "closed"]


class Event(Struct, frozen=True, kw_only=True):
    """A step of an *episode*: one kind of finding, for one patient, from onset to end."""

    event_id: str = ""
    """The older name of :attr:`episode_id`, for one release; filled in."""
    episode_id: str = ""
    """Required. UUIDv5 of patient, kind and onset; the same for every step of the episode."""
    patient_id: Identifier
    kind: str
    """A row of :data:`vigil.domain.kinds.KINDS`."""
    category: Category
    phase: Phase
    sequence: int
    """0 for ``opened``, then up by one."""
    priority: Priority
    onset: Timestamp
    """When the condition began, in event time."""
    detected_at: Timestamp
    """The event time of the reading (or tick) that made this step known."""
    ended_at: Timestamp | None
    retrospective: bool
    """True where it rests on readings that came late: history, which pages nobody."""
    signals: tuple[str, ...]
    evidence: dict[str, Any]
    """What a sceptical clinician asks for; its keys are in ``docs/detection.md``."""
    context: Context
    detector_version: str
    config_hash: str
    synthetic: bool = False

    def __post_init__(self) -> None:
        fill_episode_names(self)
