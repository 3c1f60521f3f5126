"""What two sets of steps say differently of one patient, episode by episode.

An episode's id is made of patient, kind and onset, so the same episode has the same id in both.
What made a step (the configuration's hash, the detectors' version) is told beside it and is no
difference. Episodes with ids of their own that overlap in time and are of one kind are one episode
whose onset changed; what is left over is in one of the two alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vigil.domain.ids import timestamp

if TYPE_CHECKING:
    from store.episodes.shadow import Step

Verdict = Literal["same", "only live", "only shadow", "changed"]
VERDICTS: tuple[Verdict, ...] = ("same", "only live", "only shadow", "changed")

_BY_CLOCK = frozenset({"detected_at", "ended_at", "evidence", "context"})
"""What of a step follows from the second at which a tick came."""


class Episode(NamedTuple):
    """The steps of one episode, in order."""

    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """Where it stands."""
        return self.steps[-1]

    @property
    def until(self) -> datetime:
        """Its end; of an open one the last step."""
        return self.last.ended_at or self.last.detected_at


class Change(NamedTuple):
    """One thing that is told otherwise."""

    what: str
    """``onset``, ``priority``, ``end``, ``steps``, or another column of ``events``."""
    said: str
    """In words, live first."""


class Compared(NamedTuple):
    """One episode in both."""

    verdict: Verdict
    patient_id: str
    kind: str
    live: Episode | None
    shadow: Episode | None
    changes: tuple[Change, ...] = ()

    def order(self) -> tuple[str, datetime, str]:
        """By patient, then by time."""
        known = self.live or self.shadow
        assert known is not None  # noqa: S101  (one of the two is there)
        return self.patient_id, known.last.onset, known.last.event_id


def compare(
    live: Iterable[Step], shadow: Iterable[Step], clock_seconds: float = 0.0
) -> list[Compared]:
    """One patient's episodes side by side, in order of onset.

    Args:
        clock_seconds: how far apart a step may be told that ticks tell, where the history holds
            others than the live ones; what follows from that second is then no difference.
    """
    left, right = _episodes(live), _episodes(shadow)
    found = [
        _compared(left.pop(ident), right.pop(ident), clock_seconds)
        for ident in sorted({*left} & {*right})
    ]
    moved = list(_moved(left, right))
    found += [
        _told(one.last, "changed", one, two, _lasts(one.last, two.last)) for one, two in moved
    ]
    found += [_told(one.last, "only live", one, None) for one in left.values()]
    found += [_told(one.last, "only shadow", None, one) for one in right.values()]
    return sorted(found, key=Compared.order)


def _episodes(steps: Iterable[Step]) -> dict[str, Episode]:
    groups: dict[str, list[Step]] = {}
    for step in steps:
        groups.setdefault(step.event_id, []).append(step)
    return {
        ident: Episode(tuple(sorted(group, key=lambda step: step.sequence)))
        for ident, group in groups.items()
    }


def _told(
    step: Step,
    verdict: Verdict,
    live: Episode | None,
    shadow: Episode | None,
    changes: Iterable[Change] = (),
) -> Compared:
    return Compared(verdict, step.patient_id, step.kind, live, shadow, tuple(changes))


def _compared(live: Episode, shadow: Episode, clock_seconds: float) -> Compared:
    changes: list[Change] = []
    one, two = ({step.sequence: step for step in episode.steps} for episode in (live, shadow))
    for sequence in sorted({*one, *two}):
        if sequence in one and sequence in two:
            apart = abs((one[sequence].detected_at - two[sequence].detected_at).total_seconds())
            ignored = _BY_CLOCK if 0 < apart <= clock_seconds else ()
            for change in _facts(one[sequence], two[sequence], ignored):
                changes.append(Change(change.what, f"step {sequence}: {change.said}"))
        else:
            where = "live" if sequence in one else "in the shadow"
            changes.append(Change("steps", f"step {sequence} is only {where}"))
    return _told(live.last, "changed" if changes else "same", live, shadow, changes)


def _lasts(live: Step, shadow: Step) -> Iterator[Change]:
    """Of an episode whose onset changed its evidence does too: it is not told again."""
    return (
        change for change in _facts(live, shadow) if change.what in {"onset", "priority", "end"}
    )


def _facts(live: Step, shadow: Step, ignored: Collection[str] = ()) -> Iterator[Change]:
    """What two steps say differently, beside their ids and what made them."""
    for what, name in (
        ("onset", "onset"),
        ("priority", "priority"),
        ("end", "ended_at"),
        ("detected_at", "detected_at"),
        ("kind", "kind"),
    ):
        one, two = getattr(live, name), getattr(shadow, name)
        if one != two and name not in ignored:
            yield Change(what, f"{what} {_spelt(one)} → {_spelt(two)}")
    for name in sorted({*live.rest, *shadow.rest}):
        one, two = live.rest.get(name), shadow.rest.get(name)
        if one != two and name not in ignored:
            yield Change(name, _nested(name, one, two))


def _nested(name: str, one: Any, two: Any) -> str:
    """A column's difference; of a table, which of its keys differ (its values may be many)."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted(key for key in {*one, *two} if one.get(key) != two.get(key))
        return f"{name} ({', '.join(keys)})"
    return f"{name} {_spelt(one)} → {_spelt(two)}"


def _spelt(value: Any) -> str:
    if value is None:
        return "none"
    return timestamp(value) if isinstance(value, datetime) else str(value)


def _moved(
    left: dict[str, Episode], right: dict[str, Episode]
) -> Iterator[tuple[Episode, Episode]]:
    """Pairs of one kind that overlap, earliest first; they leave both."""
    for ident, one in sorted(left.items(), key=lambda item: item[1].last.onset):
        for other, two in sorted(right.items(), key=lambda item: item[1].last.onset):
            overlap = one.last.onset <= two.until and two.last.onset <= one.until
            if one.last.kind == two.last.kind and overlap:
                del left[ident], right[other]
                yield one, two
                break
