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

from collections.abc import Iterable, Mapping

from msgspec import Struct

from detectors.admission.held_readings import group_of
from detectors.admission.rules import PRESSURE
from detectors.configuration.late import LateConfig
from detectors.contract import LONG_AGO
from detectors.episodes.memory import EpisodesByKind
from detectors.episodes.tracker import Step
from vigil.domain.kinds import KINDS

Gap = tuple[float, float]
"""Event times, neither of them inside."""


class Past(Struct, array_like=True):
    """What is remembered of one patient's past for the sake of late readings."""

    gaps: dict[str, list[Gap]] = {}
    """Signal, or ``pressure`` → its gaps, in no order."""
    overlooked: dict[str, float] = {}
    """The same → time of the newest reading that another device was preferred to."""
    announced: list[tuple[str, float, float]] = []
    """Kind, onset and end of each episode that closed and overlapped a gap."""


class Filled(Struct, gc=False):
    """What of a late reading is in a gap."""

    past: Past | None
    """What is remembered of the past from now on."""
    values: dict[str, float]
    """Signal → its value, of those that are new."""
    until: dict[str, float]
    """Signal, or ``pressure`` → where its gap ends."""


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
    least = _least(known, settings)
    for group in {group_of(name): None for name in taken}:
        last = _last(past, known.newest, group)
        if time - last > least:
            past = past or Past({}, {}, [])
            rows = past.gaps.setdefault(group, [])
            rows.append((last, time))
            del rows[: -settings.most_gaps]
    return _or_none(past)


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
    """Find what of a late reading is inside a gap; from then on that is no gap any more.

    Args:
        time: when it was measured.
        received: when it was received.
    """
    filled = Filled(past, {}, {})
    least = _least(known, settings)
    for group in {group_of(name): None for name in values}:
        if group not in _groups(known.newest):
            continue
        rows = _rows(filled.past, known.first, group)
        for row in rows:
            if row[0] < time < row[1] and abs(received - row[1]) <= settings.keep_seconds:
                filled.past = filled.past or Past({}, {}, [])
                others = [other for other in rows if other != row]
                filled.past.gaps[group] = [*others, *_split(row, time, least)]
                filled.until[group] = row[1]
                filled.values.update({n: v for n, v in values.items() if group_of(n) == group})
                break
    return filled


def tidied(past: Past | None, known: Known, settings: LateConfig) -> Past | None:
    """The past once no more late readings are expected: what is too short for a gap is none."""
    if past is None:
        return None
    least = _least(known, settings)
    for rows in past.gaps.values():
        rows[:] = [row for row in rows if row[1] - row[0] > least]
    return _or_none(past)


def remember_closed(past: Past, steps: Iterable[Step]) -> None:
    """Remember the episodes that closed with these steps, where they overlapped a gap."""
    for step in steps:
        if step.phase == "closed" and step.ended_at is not None:
            onset, ended = step.episode.onset, step.ended_at
            groups = {group_of(signal) for signal in KINDS[step.kind].signals}
            rows = [row for group in groups for row in past.gaps.get(group, ())]
            if any(row[0] < ended and onset < row[1] for row in rows):
                past.announced.append((step.kind, onset, ended))


def covers(past: Past | None, current: EpisodesByKind, kind: str, time: float) -> bool:
    """Whether a moment of the past is within an episode of that kind announced in its time."""
    episode = current.get(kind)
    if episode is not None and episode.open and episode.onset <= time:
        return True
    announced = past.announced if past is not None else ()
    return any(name == kind and onset <= time <= ended for name, onset, ended in announced)


def _or_none(past: Past | None) -> Past | None:
    """Nothing where nothing is remembered."""
    kept = past is not None and (past.gaps or past.overlooked or past.announced)
    return past if kept else None


def _least(known: Known, settings: LateConfig) -> float:
    return max(settings.gap_seconds, settings.usual_intervals * known.usual_seconds)


def _last(past: Past | None, newest: Mapping[str, float], group: str) -> float:
    """Time of the newest reading of a group that was judged, or overlooked."""
    names = PRESSURE if group == "pressure" else (group,)
    seen = LONG_AGO if past is None else past.overlooked.get(group, LONG_AGO)
    return max(seen, *(newest.get(name, LONG_AGO) for name in names))


def _groups(newest: Mapping[str, float]) -> set[str]:
    return {group_of(name) for name in newest}


def _rows(past: Past | None, first: float, group: str) -> list[Gap]:
    """A group's gaps; as long as none is remembered, there is the time before the first reading."""
    rows = None if past is None else past.gaps.get(group)
    return [(LONG_AGO, first)] if rows is None else rows


def _split(gap: Gap, time: float, least: float) -> list[Gap]:
    """What is left of a gap: behind a reading only a whole gap, before it all that there is."""
    left, right = (gap[0], time), (time, gap[1])
    return [left, right] if time - gap[0] > least else [right]


def _forget(past: Past, first: float, before: float) -> None:
    """Forget what ended before a time."""
    for group, rows in list(past.gaps.items()):
        rows[:] = [row for row in rows if row[1] >= before]
        if not rows and first < before:
            del past.gaps[group]
    past.announced[:] = [row for row in past.announced if row[2] >= before]
