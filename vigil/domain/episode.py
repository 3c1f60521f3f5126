"""A step of an episode: what detection found, for one patient, from onset to end."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from vigil.domain.ids import fill_episode_names
from vigil.domain.kinds import PRIORITY_ORDER, Category, Priority
from vigil.domain.reading import Context, Identifier, Timestamp

Phase = Literal["opened", "updated", "closed"]


class Event(Struct, frozen=True, kw_only=True):
    """A step of an *episode*: one kind of finding, for one patient, from onset to end."""

    event_id: str = ""
    """The older name of :attr:`episode_id`, for one release; filled in."""
    episode_id: str = ""
    """Required. UUIDv5 of patient, kind and the onset that the episode was opened with; the same
    for every step of the episode."""
    patient_id: Identifier
    kind: str
    """A row of :data:`vigil.domain.kinds.KINDS`."""
    category: Category
    phase: Phase
    sequence: int
    """0 for ``opened``, then up by one."""
    priority: Priority
    onset: Timestamp
    """When the condition began, in event time. Late readings may show that it was earlier than was
    known when the episode was opened (``first_onset`` in the evidence)."""
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

    @property
    def change(self) -> str:
        """Why an ``updated`` step was announced, by its evidence; ``unobserved`` where an episode
        ended because nothing was measured any more; empty: not stated."""
        if self.phase == "closed" and self._text("reason") == "unobserved":
            return "unobserved"
        return self._text("change")

    @property
    def highest_priority(self) -> str:
        """The highest priority that the episode ever had, by the evidence of a step after a fall;
        else empty."""
        stated = self._text("highest_priority")
        return stated if stated in PRIORITY_ORDER else ""

    @property
    def time_uncertain(self) -> bool:
        """Whether its evidence says that the device's clock is wrong."""
        return self.evidence.get("time_uncertain") is True

    @property
    def withdrawn(self) -> str:
        """Why readings that it rested on were withdrawn, on the step that ends it for that; else
        empty."""
        if "withdrawal" not in self.evidence:  # as in nearly all
            return ""
        return self._withdrawal("reason") if self._text("reason") == "reading_withdrawn" else ""

    @property
    def corrected(self) -> str:
        """Why readings were withdrawn, on a step that lowers what its episode had reached by them
        alone, and that stands; else empty."""
        if "withdrawal" not in self.evidence:
            return ""
        lowered = not self.withdrawn and self._withdrawal("priority") in PRIORITY_ORDER
        return self._withdrawal("reason") if lowered else ""

    def _withdrawal(self, key: str) -> str:
        stated = self.evidence.get("withdrawal")
        value = stated.get(key) if isinstance(stated, dict) else None
        return value if isinstance(value, str) else ""

    def _text(self, key: str) -> str:
        value = self.evidence.get(key)
        return value if isinstance(value, str) else ""
