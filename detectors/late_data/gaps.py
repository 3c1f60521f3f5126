"""Where in a patient's past nothing was judged: what a late reading may still fill.

A reading is *late* when a newer one of the same signal was judged before it came. Most such
readings are the same ones again, and a memory of every reading ever judged would distinguish them.
This one is small: of each signal (of a pressure as a whole) the *gaps*, stretches of event time
longer than usual between two readings that came one after the other. Only what is inside a gap,
and not on its edges, is new. It splits the gap, so it is new once.

What is between readings that are as near to each other as usual is not judged again. What was
before the first reading ever is a gap too, kept as one number for all signals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy

from msgspec import Struct
from msgspec.structs import replace

from detectors.admission.held_readings import group_of
from detectors.admission.rules import PRESSURE
from detectors.configuration.late import LateConfig
from detectors.contract import LONG_AGO
from detectors.episodes.memory import EpisodeMemory, EpisodesByKind
from detectors.episodes.tracker import Step
from detectors.late_data.memory import JudgedReading
from vigil.domain.kinds import KINDS

MOST_WITHDRAWN = 64
"""Withdrawn readings of a signal that are remembered; of more no gap is opened."""
MOST_BORDERING = 8
"""Closed episodes that are remembered: as many as gaps of a signal."""
Gap = tuple[float, float]
"""Event times, neither of them inside."""


class Closed(Struct, array_like=True):
    """An episode that closed and borders on a gap, as it was then."""

    kind: str
    episode: EpisodeMemory
    ended_at: float


class Pending(Struct, array_like=True):
    """A kind that was on its way at the last reading before a gap."""

    kind: str
    episode: EpisodeMemory


class Past(Struct, array_like=True):
    """What is remembered of one patient's past for the sake of late readings."""

    gaps: dict[str, list[Gap]] = {}
    """Signal, or ``pressure`` → its gaps, in no order."""
    overlooked: dict[str, float] = {}
    """The same → time of the newest reading that another device was preferred to."""
    announced: list[tuple[str, float, float]] = []
    """Kind, onset and end of each episode that closed and overlapped a gap."""
    withdrawn: dict[str, list[list[float]]] = {}
    """Signal, or ``pressure`` → time and values of readings that were withdrawn: sent again, they
    fill no gap."""
    bordering: list[Closed] = []
    """The newest episodes that closed and that late readings may yet make longer."""
    pending: list[Pending] = []
    """What was on its way where a gap began, and goes on in it."""
    judged: list[JudgedReading] = []
    """Readings that were judged behind a gap (:mod:`detectors.late_data.judged`)."""
    collecting: list[str] = []
    """Signals, or ``pressure``, whose readings are being added to them."""


class Filled(Struct, gc=False):
    """What of a late reading is in a gap."""

    past: Past | None
    """What is remembered of the past from now on."""
    values: dict[str, float]
    """Signal → its value, of those that are new."""
    until: dict[str, float]
    """Signal, or ``pressure`` → where its gap ends."""
    nearest: float = 0.0
    """Seconds to the nearest reading of the same signal; 0: nothing is in a gap."""


class Known(Struct, frozen=True, gc=False):
    """What was judged of a patient."""

    newest: Mapping[str, float]
    """Signal → time of the newest reading taken."""
    first: float
    """Time of the first ever; 0: none."""
    usual_seconds: float
    """Mean interval between uploads; 0: not known."""


def widened(
    past: Past | None, known: Known, taken: Iterable[str], time: float, settings: LateConfig
) -> Past | None:
    """The past with the gaps that a newer reading at ``time`` leaves behind it.

    Args:
        known: as it was before this reading; ``first`` is not 0.
        taken: the signals of it that are taken.
    """
    if past is not None:
        _forget(past, known.first, before=time - settings.keep_seconds)
    shortest = least(known, settings)
    for group in {group_of(name): None for name in taken}:
        last = _last(past, known.newest, group)
        if time - last > shortest:
            past = past or Past({}, {}, [])
            before = [(LONG_AGO, known.first)] if last > LONG_AGO else []
            rows = past.gaps.setdefault(group, before)
            rows.append((last, time))
            if len(rows) > settings.most_gaps:
                rows.remove(min(rows[:-1], key=_length))
    return kept(past)


def remember_overlooked(
    past: Past | None, newest: Mapping[str, float], values: Iterable[str], time: float
) -> Past | None:
    """The past with the newest readings that another device was preferred to."""
    for name in values:
        group = group_of(name)
        if time > _last(past, newest, group):
            past = past or Past({}, {}, [])
            past.overlooked[group] = time
    return past


def fill(
    past: Past | None,
    known: Known,
    values: Mapping[str, float],
    *,
    time: float,
    received: float,
    settings: LateConfig,
) -> Filled:
    """Find what of a late reading is inside a gap, and split it there. Both parts stay gaps,
    however short, until no more late readings are expected: they come in any order.

    Args:
        time: when it was measured.
        received: when it was received.
    """
    filled = Filled(past, {}, {})
    for group in {group_of(name): None for name in values}:
        if group not in _groups(known.newest):
            continue
        rows = _rows(filled.past, known.first, group)
        if filled.past is not None and filled.past.withdrawn:
            own = {n: v for n, v in values.items() if group_of(n) == group}
            if _withdrawn(time, own) in filled.past.withdrawn.get(group, ()):
                continue
        for place in reversed(range(len(rows))):  # a buffer in order fills the last one
            row = rows[place]
            if row[0] < time < row[1] and abs(received - row[1]) <= settings.keep_seconds:
                filled.past = filled.past or Past({}, {}, [])
                rows[place : place + 1] = [(row[0], time), (time, row[1])]
                filled.past.gaps[group] = rows
                filled.until[group] = row[1]
                filled.nearest = min(time - row[0], row[1] - time)
                filled.values.update({n: v for n, v in values.items() if group_of(n) == group})
                break
    return filled


def tidied(past: Past | None, known: Known, settings: LateConfig) -> Past | None:
    """The past once no more late readings are expected: what is too short for a gap is none."""
    if past is None:
        return None
    shortest = least(known, settings)
    for rows in past.gaps.values():
        rows[:] = [row for row in rows if row[1] - row[0] > shortest]
    return kept(past)


def remember_closed(past: Past | None, first: float, steps: Iterable[Step]) -> Past | None:
    """The past with the episodes that closed with these steps, where they overlapped a gap, or
    border on one.

    Args:
        first: time of the first reading ever.
    """
    for step in steps:
        if step.phase != "closed" or step.ended_at is None:
            continue
        onset, ended = step.episode.onset, step.ended_at
        rows = _rows_of(past, first, step.kind)
        if past is not None and (
            any(row[0] < ended and onset < row[1] for row in rows)
            or any(onset <= row.time <= ended for row in past.judged)
        ):
            past.announced.append((step.kind, onset, ended))
        past = remember_bordering(past, first, step)
    return past


def remember_bordering(past: Past | None, first: float, step: Step) -> Past | None:
    """The past with an episode that closed, where it began or ended at a gap."""
    episode, ended = step.episode, step.ended_at
    rows = _rows_of(past, first, step.kind)
    if past is not None:  # one that began earlier is remembered as it is now
        named = (step.kind, episode.named_by)
        past.bordering[:] = [
            row for row in past.bordering if (row.kind, row.episode.named_by) != named
        ]
    if ended is not None and any(episode.onset == row[1] or ended == row[0] for row in rows):
        past = past or Past({}, {}, [])
        past.bordering.append(Closed(step.kind, copy(episode), ended))
        del past.bordering[:-MOST_BORDERING]
    return past


def _rows_of(past: Past | None, first: float, kind: str) -> list[Gap]:
    """The gaps of a kind's signals."""
    groups = {group_of(signal) for signal in KINDS[kind].signals}
    return [row for group in sorted(groups) for row in _rows(past, first, group)]


def remember_pending(past: Past, current: EpisodesByKind, groups: Collection[str]) -> None:
    """Remember what is on its way at a gap of some signals that begins now."""
    for kind, episode in sorted(
        current.items(), key=lambda one: one[0]
    ):  # a load does not keep their order
        own = {group_of(signal) for signal in KINDS[kind].signals}
        if not episode.open and not own.isdisjoint(groups):
            past.pending.append(Pending(kind, replace(copied(episode), part_of="")))
    del past.pending[:-MOST_BORDERING]


def copied(episode: EpisodeMemory) -> EpisodeMemory:
    """An episode that goes on apart from the one that it is a copy of."""
    return replace(episode, runs={name: copy(run) for name, run in episode.runs.items()})


def take_pending(
    past: Past, groups: Collection[str], time: float
) -> list[tuple[str, EpisodeMemory]]:
    """Take what was on its way at the reading before ``time``, where a gap began."""
    begun = {row[0] for group in groups for row in past.gaps.get(group, ()) if row[1] == time}
    found = []
    for row in [row for row in past.pending if row.episode.last in begun]:
        if any(group_of(signal) in groups for signal in KINDS[row.kind].signals):
            past.pending.remove(row)
            found.append((row.kind, row.episode))
    return found


def move_onset(past: Past, kind: str, *, onset: float, begun: float) -> None:
    """Let an episode that is remembered as closed begin where it is now known to have begun."""
    past.announced[:] = [
        (name, begun if (name, since) == (kind, onset) else since, ended)
        for name, since, ended in past.announced
    ]


def opened(
    past: Past | None,
    known: Known,
    gap: Gap,
    taken: Iterable[tuple[float, Mapping[str, float]]],
    settings: LateConfig,
) -> Past:
    """The past with a gap that withdrawn readings of one signal, or of the pressure, leave: what
    replaces them is new there, and they themselves are not.

    Args:
        gap: from the last reading before them that counts to the next.
        taken: time and values of each, the oldest first.
    """
    found = past or Past({}, {}, [])
    for time, values in taken:
        for group in {group_of(name): None for name in values}:
            own = {n: v for n, v in values.items() if group_of(n) == group}
            rows = found.withdrawn.setdefault(group, [])
            rows.append(_withdrawn(time, own))
            del rows[:-MOST_WITHDRAWN]
            kept = [
                row
                for row in _rows(found, known.first, group)
                if not (gap[0] <= row[0] and row[1] <= gap[1])
            ]
            found.gaps[group] = [*kept, gap][-settings.most_gaps :]
    return found


def _withdrawn(time: float, values: Mapping[str, float]) -> list[float]:
    return [time, *(values[name] for name in sorted(values))]


def covers(past: Past | None, current: EpisodesByKind, kind: str, time: float) -> bool:
    """Whether a moment of the past is within an episode of that kind announced in its time."""
    episode = current.get(kind)
    if episode is not None and episode.open and episode.onset <= time:
        return True
    if past is None:
        return False
    if any(name == kind and onset <= time <= ended for name, onset, ended in past.announced):
        return True
    return any(
        row.kind == kind and row.episode.onset <= time <= row.ended_at for row in past.bordering
    )


def least(known: Known, settings: LateConfig) -> float:
    """Seconds; a longer time between two readings is a gap."""
    return max(settings.gap_seconds, settings.usual_intervals * known.usual_seconds)


def reach_newest(
    waiting: Iterable[tuple[float, Mapping[str, float]]],
    known: Known,
    groups: Collection[str],
    settings: LateConfig,
) -> bool:
    """Whether late readings fill a gap up to the newest reading that was judged.

    Args:
        waiting: of each its time, and where its gaps end.
        groups: the signals, or ``pressure``, that are asked for.
    """
    near = least(known, settings)
    newest = {group: last_of(known.newest, group) for group in groups}
    return any(
        end == newest.get(group) and end - time <= near
        for time, until in waiting
        for group, end in until.items()
    )


def last_of(newest: Mapping[str, float], group: str) -> float:
    """Time of the newest reading of a group that was judged."""
    names = PRESSURE if group == "pressure" else (group,)
    return max(newest.get(name, LONG_AGO) for name in names)


def _length(row: Gap) -> float:
    return row[1] - row[0]


def kept(past: Past | None) -> Past | None:
    """Nothing where nothing is remembered."""
    found = past is not None and any(
        (
            past.gaps,
            past.overlooked,
            past.announced,
            past.withdrawn,
            past.bordering,
            past.pending,
            past.judged,
            past.collecting,
        )
    )
    return past if found else None


def _last(past: Past | None, newest: Mapping[str, float], group: str) -> float:
    """Time of the newest reading of a group that was judged, or overlooked."""
    seen = LONG_AGO if past is None else past.overlooked.get(group, LONG_AGO)
    return max(seen, last_of(newest, group))


def _groups(newest: Mapping[str, float]) -> set[str]:
    return {group_of(name) for name in newest}


def _rows(past: Past | None, first: float, group: str) -> list[Gap]:
    """A group's gaps; as long as none is remembered, there is the time before the first reading."""
    rows = None if past is None else past.gaps.get(group)
    return [(LONG_AGO, first)] if rows is None else rows


def _forget(past: Past, first: float, before: float) -> None:
    """Forget what ended before a time."""
    for group, rows in list(past.gaps.items()):
        rows[:] = [row for row in rows if row[1] >= before]
        if not rows and first < before:
            del past.gaps[group]
    past.announced[:] = [row for row in past.announced if row[2] >= before]
    for group, taken in list(past.withdrawn.items()):
        past.withdrawn[group] = [row for row in taken if row[0] >= before]
        if not past.withdrawn[group]:
            del past.withdrawn[group]
    past.bordering[:] = [row for row in past.bordering if row.ended_at >= before]
    past.pending[:] = [row for row in past.pending if row.episode.last >= before]
