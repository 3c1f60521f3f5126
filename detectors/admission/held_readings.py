"""Readings that admission held back: kept until a second one agrees, or none came in time.

What is believed after all is judged as a moment of its own, at the time when it was measured and
before what confirmed it, so that two readings beyond a limit are two readings, whichever of them
stepped. What a normal reading follows is dropped. What nothing follows for ``confirm_seconds`` of
receive time is judged as it stands: one severe pressure of a cuff that is used twice a day is not
hidden until the evening.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from detectors.admission.rules import PRESSURE, Admitted
from detectors.contract import Moment
from detectors.episodes.memory import Book
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Activity
from vigil.domain.signals import NAMES

NEVER = float("inf")


class Held(Struct, array_like=True):
    """What one reading said of one signal, or of the pressure pair."""

    time: float
    received: float
    values: dict[str, float]
    activity: Activity
    period: str
    context_source: str = ""


def group_of(signal: str) -> str:
    """What is held together: ``pressure``, or the signal alone."""
    return "pressure" if signal in PRESSURE else signal


def settle(held: dict[str, Held], admitted: Admitted) -> tuple[list[Held], int]:
    """What an admitted reading confirms, and how much it contradicts: neither is held now."""
    believed, dropped = [], 0
    sure = {group_of(signal) for signal in admitted.confirmed}
    for group in {group_of(signal): None for signal in admitted.values}:
        before = held.pop(group, None)
        if before is not None and group in sure:
            believed.append(before)
        elif before is not None:
            dropped += 1
    return believed, dropped


def keep(
    held: dict[str, Held], signals: Iterable[str], measured: Mapping[str, float], moment: Moment
) -> None:
    """Keep what admission held back of a reading, in place of what was held before."""
    groups: dict[str, dict[str, float]] = {}
    for signal in signals:
        groups.setdefault(group_of(signal), {})[signal] = measured[signal]
    for group, values in groups.items():
        held[group] = Held(
            moment.time,
            moment.received,
            values,
            moment.activity,
            moment.period,
            moment.context_source,
        )


def let_go(book: Book, signal: str, since: float) -> None:
    """Drop what a flat line began: its first readings, judged before it showed as one."""
    for kind, watch in list(book.watches.items()):
        if signal in KINDS[kind].signals and not watch.open:
            watch.runs = {name: run for name, run in watch.runs.items() if run.since < since}
            if not watch.runs:
                del book.watches[kind]


def deadline(held: dict[str, Held], confirm_seconds: float) -> float:
    """The receive time at which the first of them has waited long enough."""
    return min((row.received for row in held.values()), default=NEVER) + confirm_seconds


def overdue(held: dict[str, Held], confirm_seconds: float, now: float) -> list[Held]:
    """What has waited long enough, in the order in which it was measured; held no longer."""
    groups = [name for name, row in held.items() if row.received + confirm_seconds <= now]
    groups.sort(key=lambda name: (held[name].time, name))  # a load does not keep their order
    return [held.pop(name) for name in groups]


def moment(row: Held, known: float, watched: Iterable[str]) -> Moment:
    """The moment in which it was measured, known only at ``known``."""
    values = {name: row.values[name] for name in NAMES if name in row.values}  # as before a load
    return Moment(
        row.time,
        row.received,
        values,
        row.activity,
        row.period,
        None,
        None,
        tuple(watched),
        {},
        row.context_source,
        known,
    )
