"""What ``vigil replay --offline`` found, in a few lines for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from vigil.domain.episode import Event
from vigil.domain.ids import timestamp
from vigil.domain.kinds import KINDS, PRIORITY_ORDER, Priority

SHOWN_EPISODES = 20


@dataclass(slots=True)
class FoundEpisode:
    """An episode, as its steps so far have it."""

    patient_id: str
    kind: str
    priority: Priority
    """The highest that it had."""
    onset: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class Findings:
    """The episodes of a recording, by id, in the order in which they were announced."""

    episodes: dict[str, FoundEpisode] = field(default_factory=dict)
    events: int = 0

    def add(self, event: Event) -> None:
        """Take in an event."""
        self.events += 1
        before = self.episodes.get(event.episode_id)
        priorities = [event.priority, *([before.priority] if before else [])]
        self.episodes[event.episode_id] = FoundEpisode(
            patient_id=event.patient_id,
            kind=event.kind,
            priority=min(priorities, key=PRIORITY_ORDER.__getitem__),
            onset=event.onset,
            ended_at=event.ended_at if event.phase == "closed" else None,
        )

    def lines(self, out: Path | None) -> Iterator[str]:
        """What was found, and where its events and alerts are.

        Args:
            out: the file that they were written to; None: standard output.
        """
        where = str(out) if out else "standard output"
        if not self.episodes:
            yield f"Found no episode: nothing was written to {where}."
            return
        yield self._count()
        shown = list(self.episodes.values())[:SHOWN_EPISODES]
        yield from (f"  {_in_words(one)}" for one in shown)
        if len(self.episodes) > len(shown):
            yield f"  … and {len(self.episodes) - len(shown)} more"
        hint = "" if out else " (--out FILE.jsonl writes them to a file)"
        yield f"Events and alerts, one JSON object a line: {where}{hint}."

    def _count(self) -> str:
        found = list(self.episodes.values())
        patients = len({one.patient_id for one in found})
        counted = Counter(one.priority for one in found)
        by_priority = ", ".join(f"{counted[p]} {p}" for p in PRIORITY_ORDER if counted[p])
        return (
            f"Found {_many(len(found), 'episode')} of {_many(patients, 'patient')}: {by_priority}."
        )


def _in_words(one: FoundEpisode) -> str:
    label = KINDS[one.kind].label if one.kind in KINDS else one.kind
    end = f"to {timestamp(one.ended_at)}" if one.ended_at else "not over"
    return f"{one.patient_id}: {label}, {one.priority} priority, {timestamp(one.onset)} {end}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
