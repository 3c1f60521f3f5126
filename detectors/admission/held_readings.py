"""Readings that admission held back: kept until a second one agrees, or none came in time.

What is confirmed is judged as a moment of its own, at the time when it was measured and before what
confirmed it, so that two readings beyond a limit are two readings, whichever of them stepped. What
is followed by a normal reading is dropped. What is followed by nothing for ``confirm_seconds`` of
receive time is judged as it is: one severe pressure of a cuff that is used twice a day is not
hidden until the evening. Two of a device that is not preferred wait for the preferred one's for as
long as it may be silent before another takes over (:mod:`detectors.admission.second_device`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from detectors.admission.rules import PRESSURE, Admitted
from detectors.contract import NEVER, Moment
from detectors.episodes.memory import PatientEpisodes
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Activity
from vigil.domain.signals import NAMES

SECOND, SECOND_AGAIN = "second_device", "second_device_again"
"""Among what is held back: a pressure of a device that is not preferred, and a further one that is
beyond the same limit."""
SECOND_OTHER = "second_device_other"
"""The same of another device, which may be the same measurement, passed on: it waits for a further
one of its own."""


class Held(Struct, array_like=True):
    """One reading of one signal, or of the pressure pair."""

    time: float
    received: float
    values: dict[str, float]
    activity: Activity
    period: str
    context_source: str = ""
    device: str = ""
    """Which one sent it, where it is not the preferred one; empty: not known."""
    sequence: int | None = None
    """That device's number of the measurement."""


def group_of(signal: str) -> str:
    """What is held together: ``pressure``, or the signal alone."""
    return "pressure" if signal in PRESSURE else signal


def settle(
    held: dict[str, Held], admitted: Admitted, further: Held | None = None
) -> tuple[list[Held], int]:
    """What an admitted reading confirms, and how much it contradicts: neither is held now.

    Args:
        further: a pressure that is confirmed with the one that is held back.
    """
    confirmed, dropped = [], 0
    sure = {group_of(signal) for signal in admitted.confirmed}
    for group in {group_of(signal): None for signal in admitted.values}:
        before = held.pop(group, None)
        if before is not None and group in sure:
            confirmed.append(before)
            if further is not None and group == "pressure":
                confirmed.append(further)
        elif before is not None:
            dropped += 1
    return confirmed, dropped


def keep(
    held: dict[str, Held], signals: Iterable[str], measured: Mapping[str, float], moment: Moment
) -> None:
    """Keep what admission held back of a reading, in place of what was held before."""
    groups: dict[str, dict[str, float]] = {}
    for signal in signals:
        groups.setdefault(group_of(signal), {})[signal] = measured[signal]
    for group, values in groups.items():
        held[group] = row_of(values, moment)


def row_of(values: dict[str, float], moment: Moment) -> Held:
    """What is kept of values that were measured at a moment."""
    return Held(
        time=moment.time,
        received=moment.received,
        values=values,
        activity=moment.activity,
        period=moment.period,
        context_source=moment.context_source,
    )


def drop_flat_line(episodes: PatientEpisodes, signal: str, since: float) -> None:
    """Drop the runs that a flat line began: its first readings, judged before it showed as one."""
    for kind, episode in list(episodes.by_kind.items()):
        if signal in KINDS[kind].signals and not episode.open:
            episode.runs = {name: run for name, run in episode.runs.items() if run.since < since}
            if not episode.runs:
                del episodes.by_kind[kind]


def confirm_deadline(
    held: Mapping[str, Held], confirm_seconds: float, takeover_seconds: float
) -> float:
    """Receive time at which the first of them has waited long enough; ``NEVER``: none waits.

    Args:
        confirm_seconds: for how long a reading waits for another.
        takeover_seconds: for how long two of a device that is not preferred wait for the other's.
    """
    first = min((row.received for row in held.values()), default=NEVER) + confirm_seconds
    again = held.get(SECOND_AGAIN)
    return first if again is None else min(first, again.received + takeover_seconds)


def take_overdue(
    held: dict[str, Held], confirm_seconds: float, takeover_seconds: float, now: float
) -> list[Held]:
    """Take what has waited long enough, in the order in which it was measured. The arguments are
    those of :func:`confirm_deadline`."""
    groups = {name for name, row in held.items() if row.received + confirm_seconds <= now}
    again = held.get(SECOND_AGAIN)
    if again is not None and (SECOND in groups or again.received + takeover_seconds <= now):
        groups |= {SECOND, SECOND_AGAIN} & held.keys()
    if SECOND in groups:
        groups.discard(SECOND_OTHER)
        held.pop(SECOND_OTHER, None)
    ordered = sorted(groups, key=lambda name: (held[name].time, name))  # a load keeps no order
    return [held.pop(name) for name in ordered]


def moment_of(row: Held, known: float, watched: Iterable[str]) -> Moment:
    """The moment in which it was measured, known only at ``known``."""
    values = {name: row.values[name] for name in NAMES if name in row.values}  # as before a load
    return Moment(
        time=row.time,
        received=row.received,
        values=values,
        activity=row.activity,
        period=row.period,
        watched=tuple(watched),
        scores={},
        context_source=row.context_source,
        known=known,
    )
