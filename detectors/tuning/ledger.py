"""The alarms of a run: one entry an episode, made of its steps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from vigil.domain.episode import Event
from vigil.domain.kinds import PRIORITY_ORDER, Category, Priority

_encode = msgspec.json.Encoder(order="deterministic").encode


class Alarm(Struct):
    """An episode as it was announced. Counted under the highest priority that it reached."""

    episode_id: str
    patient_id: str
    kind: str
    category: Category
    priority: Priority
    rule: str
    """The limit or detector that it was opened by."""
    onset: datetime
    announced_at: datetime
    """When the first step became known, in event time."""
    ended_at: datetime | None = None
    extreme: float | None = None
    """The worst value that a step announced."""
    limit: float | None = None
    """The limit in force when it was opened."""
    retrospective: bool = False
    """True where it was opened by readings that came late: history, which pages nobody."""
    high: bytes = b""
    """Where it was announced at high priority: what was announced, see :func:`high_line`."""


class Ledger:
    """Gathers the steps of one run into alarms, in the order in which they were first announced."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}

    @classmethod
    def from_alarms(cls, alarms: Iterable[Alarm]) -> Ledger:
        """A ledger of some alarms of another."""
        ledger = cls()
        ledger._alarms = {alarm.episode_id: alarm for alarm in alarms}
        return ledger

    def add(self, event: Event) -> None:
        """Take a step."""
        alarm = self._alarms.get(event.episode_id)
        if alarm is None:
            alarm = self._alarms[event.episode_id] = _opened(event)
        if PRIORITY_ORDER[event.priority] < PRIORITY_ORDER[alarm.priority]:
            alarm.priority = event.priority
        if event.priority == "high" and not alarm.high:
            alarm.high = high_line(event)
        alarm.extreme = event.evidence.get("extreme", alarm.extreme)
        alarm.ended_at = event.ended_at

    def all(self) -> list[Alarm]:
        """Every alarm, about late readings too."""
        return list(self._alarms.values())

    def alarms(self) -> list[Alarm]:
        """What would have been announced when it happened: history is left out."""
        return [alarm for alarm in self._alarms.values() if not alarm.retrospective]

    def retrospective(self) -> int:
        """How many episodes rest on late readings."""
        return sum(alarm.retrospective for alarm in self._alarms.values())

    def high(self) -> bytes:
        """Everything announced at high priority, a line an episode, in an order of its own.

        Two runs announced the same at high priority if and only if these bytes are equal: which
        patient and kind, when that was announced, by what rule, value, limit and delay, and when it
        ended. The onset is not in it: where an episode began at a lower priority it belongs to that
        part.
        """
        ends = (
            alarm.high + b" " + _encode(alarm.ended_at) + b"\n"
            for alarm in self._alarms.values()
            if alarm.high
        )
        return b"".join(sorted(ends))


_HIGH = (
    "rule",
    "signal",
    "direction",
    "value",
    "limit",
    "limit_clear",
    "persistence_seconds",
    "persistence_readings",
)


def high_line(event: Event) -> bytes:
    """The first step of an episode that has high priority, as bytes."""
    facts = [event.evidence.get(key) for key in _HIGH]
    return _encode([event.patient_id, event.kind, event.detected_at, event.retrospective, *facts])


def _opened(event: Event) -> Alarm:
    evidence = event.evidence
    return Alarm(
        episode_id=event.episode_id,
        patient_id=event.patient_id,
        kind=event.kind,
        category=event.category,
        priority=event.priority,
        rule=evidence.get("rule", ""),
        onset=event.onset,
        announced_at=event.detected_at,
        ended_at=event.ended_at,
        extreme=evidence.get("extreme"),
        limit=evidence.get("limit"),
        retrospective=event.retrospective,
    )
