"""Several measurements with one time, as of a sender that rounds to the minute.

The same figures at the same time are the same reading again. Different values are a measurement of
their own, judged in the order in which they came: of a pressure a pair that differs in either
value, or that the device gives a later number. To distinguish the two, what was taken at the newest
time of each signal is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from detectors.admission.held_readings import group_of
from detectors.contract import LONG_AGO
from vigil.domain.figures import is_same

MOST = 60
"""Measurements of one signal at one time: one a second for a sender that rounds to the minute. What
is more is not judged, so that a clock that stands still cannot make the state grow."""


class Taken(Struct, array_like=True):
    """What was taken at the newest time of each signal."""

    first: dict[str, float] = {}
    """Signal → the first value."""
    further: dict[str, list[dict[str, float]]] = {}
    """Signal, or ``pressure`` → further measurements at that time, by signal."""


def newer_of(
    taken: Taken,
    newest: Mapping[str, float],
    values: Mapping[str, float],
    time: float,
    *,
    numbered: bool = False,
) -> dict[str, float]:
    """The values that are new: newer than the newest, or different at its time.

    Args:
        taken: changed.
        newest: signal → time of the newest reading taken.
        numbered: whether the device gives its pressure a later number than the last: then it is
            another measurement, whatever its values.
    """
    new: dict[str, float] = {}
    for group in {group_of(name): None for name in values}:
        offered = {name: value for name, value in values.items() if group_of(name) == group}
        later = {n: v for n, v in offered.items() if time > newest.get(n, LONG_AGO)}
        if len(later) < len(offered) and _is_another(
            taken, newest, group, offered, time=time, numbered=numbered and group == "pressure"
        ):
            new.update(offered)
        else:
            new.update(later)
    return {name: values[name] for name in values if name in new}


def _is_another(
    taken: Taken,
    newest: Mapping[str, float],
    group: str,
    offered: Mapping[str, float],
    *,
    time: float,
    numbered: bool,
) -> bool:
    """Whether a measurement at the newest time differs from all that were taken at it."""
    if any(newest.get(name, time) > time for name in offered):
        return False
    now = [name for name in offered if newest.get(name) == time]
    if not all(name in taken.first for name in now):
        return False  # a state of before: what was taken is not known
    further = taken.further.setdefault(group, [])
    known = [{name: taken.first[name] for name in now}, *further]
    alike = not numbered and any(
        all(n in row and is_same(n, row[n], offered[n]) for n in now) for row in known
    )
    if alike or len(known) >= MOST:
        if not further:
            del taken.further[group]
        return False
    further.append(dict(offered))
    return True
