"""A pressure of a device that another is preferred to, where it confirms one of that other's.

A second cuff confirms a pressure as a second measurement of the same cuff does. So what a device
measures that is not preferred (:mod:`detectors.admission.sources`) is taken where the preferred
one's last pressure asks for another: it was held back and this one agrees with it, or both are
beyond the same limit. The other way round, a pressure that is beyond a limit by itself waits for
the next one of the preferred device, which confirms or contradicts it as it does a step; where none
follows for ``confirm_seconds`` it is judged as it stands.

A device that is not preferred outvotes the other one where nothing of that comes in between: a
second pressure beyond the same limit of high priority waits beside the first one, and both are
judged once the preferred one was silent for as long as it may be before another takes over
(``takeover_seconds``), or at once with a third. All of them are of the same device: what a further
one sends may be the same measurement, rounded or cut short on its way, so it waits apart from the
first one for a second pressure of its own. Equal figures and equal
numbers of one device are one measurement. An ordinary pressure of the device drops what waits of
it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from detectors.admission.held_readings import SECOND, SECOND_AGAIN, SECOND_OTHER, Held
from detectors.admission.rules import Admission
from detectors.admission.tracks import Number, Track
from detectors.contract import Rule
from detectors.episodes.memory import EpisodeMemory, EpisodesByKind
from vigil.domain.figures import is_same
from vigil.domain.kinds import PRIORITY_ORDER

WAITING = (SECOND, SECOND_AGAIN, SECOND_OTHER)
OWN = "pressure"
"""The pressure that admission itself held back."""
Bearing = Literal["", "confirms", "waits", "again"]


def bearing(
    pressure: Mapping[str, float],
    time: float,
    beyond: Collection[Rule],
    *,
    admission: Admission,
    tracks: Mapping[str, Track],
    held: Mapping[str, Held],
    by_kind: EpisodesByKind,
    waiting_beyond: Collection[Rule] = (),
) -> Bearing:
    """What a pressure of a device that is not preferred means for the preferred one's.

    Args:
        pressure: physically possible values.
        beyond: the limits that it is beyond.
        tracks: the last values let through.
        held: what is held back.
        waiting_beyond: the limits that the one which waits is beyond; none where this one is no
            second measurement (:func:`is_another`).
    """
    urgent = [rule for rule in beyond if rule.priority != "low"]
    if not urgent or admission.is_repeated(pressure, time, tracks, None):
        return ""
    if OWN in held:
        return "confirms" if admission.agrees_with_held(pressure, time, tracks) else ""
    since = time - admission.confirm_seconds
    if any(_asks_for_another(by_kind.get(rule.kind), rule, since) for rule in urgent):
        return "confirms"
    news = [rule for rule in urgent if _is_news(by_kind.get(rule.kind), rule)]
    if SECOND not in held:
        return "waits" if news else ""
    shared = {rule.name for rule in waiting_beyond} & {r.name for r in news if r.priority == "high"}
    if not shared:
        return ""
    return "confirms" if SECOND_AGAIN in held else "again"


def compare_with_next(
    pressure: Mapping[str, float],
    held: dict[str, Held],
    tracks: Mapping[str, Track],
    motion_seconds: float,
    number: Number | None = None,
) -> Held | None:
    """Let the next pressure that is taken confirm or contradict the one that waits, if one does;
    return the one that waits beside it, which is judged where the first one is confirmed.

    Args:
        pressure: the next one; the same values are the same measurement, reported by both.
        held: changed.
        tracks: changed.
        number: the device's number of the next one; the same number is the same measurement.
    """
    waiting = {name: held.pop(name) for name in WAITING if name in held}
    others = waiting.pop(SECOND_OTHER, None)
    rows = [
        row
        for row in ([*waiting.values()] or ([others] if others else []))
        if not (_same(pressure, row) or _has_number(row, number))
    ]
    if not rows:
        return None
    row = rows[0]
    for name, value in row.values.items():
        if name in tracks:
            tracks[name].hold(value, row.time, motion_seconds)
    held[OWN] = row
    return rows[1] if len(rows) > 1 else None


def drop_contradicted(
    held: dict[str, Held], device: str, pressure: Mapping[str, float], time: float
) -> None:
    """Drop what waits of a device that has measured an ordinary pressure since.

    Args:
        held: changed.
        pressure: the ordinary one; a systolic pressure alone says nothing about a pair.
    """
    for name in WAITING:
        row = held.get(name)
        before = row is not None and row.device == device and row.time <= time
        if row is not None and before and row.values.keys() <= pressure.keys():
            del held[name]
    for name in WAITING[1:]:  # what is left: of after one that came late, or of another device
        if SECOND not in held and name in held:
            held[SECOND] = held.pop(name)


def as_seen_by(device: str, held: Mapping[str, Held]) -> dict[str, Held]:
    """What is held back without the pressures that wait of other devices: what a device's own may
    be a further measurement to."""
    seen = {name: row for name, row in held.items() if name not in WAITING or row.device == device}
    if SECOND not in seen and SECOND_OTHER in seen:
        seen[SECOND] = seen.pop(SECOND_OTHER)
    return seen


def keep_waiting(held: dict[str, Held], row: Held, found: Bearing) -> None:
    """Keep a pressure that waits, or waits again.

    Args:
        held: changed. Of two devices that wait, the one that measures again is the one that counts.
        row: the pressure.
        found: what :func:`bearing` found of it, as seen by its device.
    """
    if found == "again":
        held[SECOND] = as_seen_by(row.device, held)[SECOND]
        held[SECOND_AGAIN] = row
        held.pop(SECOND_OTHER, None)
    elif SECOND not in held:
        held[SECOND] = row
    elif SECOND_AGAIN not in held:
        held.setdefault(SECOND_OTHER, row)


def is_another(
    pressure: Mapping[str, float],
    time: float,
    rows: Collection[Held],
    admission: Admission,
    sender: tuple[str, int | None],
) -> bool:
    """Whether a pressure is a further measurement than those that wait, by the same device and not
    long after them: equal values of minutes before are the same one again.

    Args:
        rows: those that wait.
        sender: the pressure's device, and its number of the measurement.
    """
    device, sequence = sender
    if not rows or any(row.device != device for row in rows):
        return False
    number = None if sequence is None else (device, sequence)
    last = max(row.time for row in rows)
    near = last < time <= last + admission.confirm_seconds
    again = time <= last + admission.repeat_seconds and any(_same(pressure, row) for row in rows)
    return near and not again and not any(_has_number(row, number) for row in rows)


def _same(pressure: Mapping[str, float], row: Held) -> bool:
    """Whether the values that both have are the same figures: one may be sent without its
    diastolic pressure."""
    both = row.values.keys() & pressure.keys()
    return bool(both) and all(is_same(name, pressure[name], row.values[name]) for name in both)


def _has_number(row: Held, number: Number | None) -> bool:
    """Whether a row's device gave it this number."""
    return number is not None and number == (row.device, row.sequence)


def _asks_for_another(episode: EpisodeMemory | None, rule: Rule, since: float) -> bool:
    """Whether a rule was beyond once, not long ago, and needs a second reading."""
    run = None if episode is None else episode.runs.get(rule.name)
    return run is not None and run.last >= since and _is_news(episode, rule)


def _is_news(episode: EpisodeMemory | None, rule: Rule) -> bool:
    """Whether a rule would open an episode of its kind, or raise it."""
    if episode is None or not (episode.open or episode.part_of):
        return True
    return episode.open and PRIORITY_ORDER[rule.priority] < PRIORITY_ORDER[episode.priority]
