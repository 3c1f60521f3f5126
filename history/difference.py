"""Compares two sets of steps of one patient, episode by episode.

An episode's id is made of patient, kind and onset, so the same episode has the same id in both.
What made a step (the configuration's hash, the detectors' version) is listed separately and is no
difference. Episodes with different ids that overlap in time and have the same kind count as one
episode whose onset changed; the remaining ones are in one of the two sets alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from vigil.domain.ids import timestamp

if TYPE_CHECKING:
    from store.episodes.shadow import Step

Verdict = Literal["same", "only live", "only shadow", "changed"]
VERDICTS: tuple[Verdict, ...] = ("same", "only live", "only shadow", "changed")

_BY_CLOCK = frozenset({"detected_at", "ended_at", "evidence", "context"})
"""Fields of a step that depend on the second at which a tick came."""


@dataclass(frozen=True, slots=True)
class Episode:
    """The steps of one episode, in order."""

    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """The newest step."""
        return self.steps[-1]

    @property
    def until(self) -> datetime:
        """Its end; of an open episode the time of its last step."""
        return self.last.ended_at or self.last.detected_at


@dataclass(frozen=True, slots=True)
class Change:
    """One difference of an episode."""

    what: str
    """``onset``, ``priority``, ``end``, ``steps``, or another column of ``events``."""
    text: str
    """The difference as text, live first."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One episode, live and in the shadow."""

    verdict: Verdict
    patient_id: str
    kind: str
    live: Episode | None
    shadow: Episode | None
    changes: tuple[Change, ...] = ()

    def order(self) -> tuple[str, datetime, str]:
        """The sort key: by patient, then by time."""
        last = self.present.last
        return self.patient_id, last.onset, last.episode_id

    @property
    def present(self) -> Episode:
        """The live episode, or the shadow's where there is no live one."""
        episode = self.live or self.shadow
        if episode is None:
            raise ValueError("an episode is in one of the two at least")
        return episode


def compare(
    live: Iterable[Step], shadow: Iterable[Step], clock_seconds: float = 0.0
) -> list[Compared]:
    """Compare one patient's episodes, in order of onset.

    Args:
        clock_seconds: tolerated difference in seconds of steps that a tick causes, where the
            history has other ticks than the live system; fields that depend on that second are
            then ignored.
    """
    left, right = _episodes(live), _episodes(shadow)
    found = [
        _compared(left.pop(ident), right.pop(ident), clock_seconds)
        for ident in sorted({*left} & {*right})
    ]
    moved = list(_pair_moved_episodes(left, right))
    found += [
        _make_compared(
            "changed", live=one, shadow=two, changes=_last_step_changes(one.last, two.last)
        )
        for one, two in moved
    ]
    found += [_make_compared("only live", live=one) for one in left.values()]
    found += [_make_compared("only shadow", shadow=one) for one in right.values()]
    return sorted(found, key=Compared.order)


def _episodes(steps: Iterable[Step]) -> dict[str, Episode]:
    groups: dict[str, list[Step]] = {}
    for step in steps:
        groups.setdefault(step.episode_id, []).append(step)
    return {
        ident: Episode(tuple(sorted(group, key=lambda step: step.sequence)))
        for ident, group in groups.items()
    }


def _make_compared(
    verdict: Verdict,
    *,
    live: Episode | None = None,
    shadow: Episode | None = None,
    changes: Iterable[Change] = (),
) -> Compared:
    (step, *_) = [episode.last for episode in (live, shadow) if episode is not None]
    return Compared(
        verdict=verdict,
        patient_id=step.patient_id,
        kind=step.kind,
        live=live,
        shadow=shadow,
        changes=tuple(changes),
    )


def _compared(live: Episode, shadow: Episode, clock_seconds: float) -> Compared:
    changes: list[Change] = []
    one, two = ({step.sequence: step for step in episode.steps} for episode in (live, shadow))
    for sequence in sorted({*one, *two}):
        if sequence in one and sequence in two:
            apart = abs((one[sequence].detected_at - two[sequence].detected_at).total_seconds())
            ignored = _BY_CLOCK if 0 < apart <= clock_seconds else ()
            for change in _differing_fields(one[sequence], two[sequence], ignored):
                changes.append(Change(change.what, f"step {sequence}: {change.text}"))
        else:
            where = "live" if sequence in one else "in the shadow"
            changes.append(Change("steps", f"step {sequence} is only {where}"))
    verdict: Verdict = "changed" if changes else "same"
    return _make_compared(verdict, live=live, shadow=shadow, changes=changes)


def _last_step_changes(live: Step, shadow: Step) -> Iterator[Change]:
    """Differences of an episode whose onset changed; its evidence differs, too, and is left out."""
    return (
        change
        for change in _differing_fields(live, shadow)
        if change.what in {"onset", "priority", "end"}
    )


def _differing_fields(live: Step, shadow: Step, ignored: Collection[str] = ()) -> Iterator[Change]:
    """The differences of two steps, except for their ids and what made them."""
    for what, name in (
        ("onset", "onset"),
        ("priority", "priority"),
        ("end", "ended_at"),
        ("detected_at", "detected_at"),
        ("kind", "kind"),
    ):
        one, two = getattr(live, name), getattr(shadow, name)
        if one != two and name not in ignored:
            yield Change(what, f"{what} {_format_value(one)} → {_format_value(two)}")
    for name in sorted({*live.rest, *shadow.rest}):
        one, two = live.rest.get(name), shadow.rest.get(name)
        if one != two and name not in ignored:
            yield Change(name, _describe_difference(name, one, two))


def _describe_difference(name: str, one: Any, two: Any) -> str:
    """A column's difference as text; of a mapping, the keys that differ (it may have many)."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted(key for key in {*one, *two} if one.get(key) != two.get(key))
        return f"{name} ({', '.join(keys)})"
    return f"{name} {_format_value(one)} → {_format_value(two)}"


def _format_value(value: Any) -> str:
    if value is None:
        return "none"
    return timestamp(value) if isinstance(value, datetime) else str(value)


def _pair_moved_episodes(
    left: dict[str, Episode], right: dict[str, Episode]
) -> Iterator[tuple[Episode, Episode]]:
    """Yield pairs of one kind that overlap, earliest first, and remove them from both."""
    for ident, one in sorted(left.items(), key=lambda item: item[1].last.onset):
        for other, two in sorted(right.items(), key=lambda item: item[1].last.onset):
            overlap = one.last.onset <= two.until and two.last.onset <= one.until
            if one.last.kind == two.last.kind and overlap:
                del left[ident], right[other]
                yield one, two
                break
