"""Readings that were judged behind a gap: late ones may be a part of what they show.

Of a shuffled buffer some readings are newer than all that came before, and are judged as they come;
the others are late data. What both show together is found only where both are judged in order of
time. So the readings from the end of a gap on are remembered, of each signal until one of them is
beyond no limit, at most :data:`MOST` in all, and for ``wait_seconds`` of receive time: a buffer
comes together. Nearly always that is one reading. Late readings join them once they are judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from detectors.admission.held_readings import group_of
from detectors.contract import LONG_AGO
from detectors.late_data.gaps import Past
from detectors.late_data.memory import JudgedReading, LateReading

MOST: Final = 120
"""How many are remembered: two hours of minutes."""


class Chain:
    """Which readings of a signal, or of the pressure, came one after the other, and how far one
    pass over them has come.

    Args:
        first: time of the first reading ever, before which all is a gap.
    """

    def __init__(self, past: Past | None, first: float):
        gaps = {} if past is None else past.gaps
        self._begin = {(group, row[1]): row[0] for group, rows in gaps.items() for row in rows}
        self._first = first
        self._known = gaps.keys()
        self.at: dict[str, float] = {}
        """Signal, or ``pressure`` → time of the last reading of this pass."""

    def before(self, group: str, time: float) -> float | None:
        """The reading before the one at ``time``, where a gap ends with that; else None."""
        if group not in self._known and time == self._first:
            return LONG_AGO
        return self._begin.get((group, time))

    def adjoins(self, group: str, time: float, known: Mapping[str, float]) -> bool:
        """Whether nothing lies between the last reading of this pass and the one at ``time``.

        Args:
            known: of which readings it was known which come before it.
        """
        last, before = self.at.get(group), self.before(group, time)
        return last is not None and last == (known.get(group) if before is None else before)


def collect(past: Past | None, first: float, groups: Collection[str], time: float) -> Past | None:
    """The past from a reading at ``time`` on: what comes from here on is remembered of the groups
    of which a gap ends there."""
    chain = Chain(past, first)
    more = {group for group in groups if chain.before(group, time) is not None}
    if not more:
        return past
    past = past or Past({}, {}, [])
    past.collecting = sorted(more.union(past.collecting))
    return past


def remember(
    past: Past, first: float, reading: LateReading, calm: Collection[str], seconds: float
) -> None:
    """Remember what was judged of the groups that are collected.

    Args:
        reading: with all that was taken of it.
        calm: groups of which it is beyond no limit: what comes then is remembered no more.
        seconds: for how long they are remembered, of receive time.
    """
    chain, before = Chain(past, first), dict[str, float]()
    if forget_old(past, reading.received, seconds):  # what comes behind those is collected no more
        begun = [name for name in past.collecting if chain.before(name, reading.time) is not None]
        past.collecting = begun
    groups = {group_of(name): None for name in reading.values if group_of(name) in past.collecting}
    if not groups:
        return
    for group in groups:
        gap = chain.before(group, reading.time)
        last = [row.time for row in past.judged if group in row.before]
        before[group] = gap if gap is not None else max(last, default=LONG_AGO)
    values = {name: v for name, v in reading.values.items() if group_of(name) in before}
    past.judged.append(
        JudgedReading(
            reading.time, reading.received, values, reading.context, before, reading.number
        )
    )
    full = len(past.judged) >= MOST
    past.collecting = [] if full else [name for name in past.collecting if name not in calm]


def forget_old(past: Past, received: float, seconds: float) -> bool:
    """Forget what was received more than so many seconds before; whether anything was."""
    if not past.judged or received - past.judged[0].received <= seconds:
        return False
    past.judged[:] = [row for row in past.judged if received - row.received <= seconds]
    return True


def add_late(past: Past | None, first: float, readings: Iterable[LateReading]) -> None:
    """Remember late readings that were judged now, and that they come before those that are
    remembered."""
    if past is None:
        return
    chain = Chain(past, first)
    for row in past.judged:
        for group in row.before:
            known = chain.before(group, row.time)
            row.before[group] = row.before[group] if known is None else known
    for reading in readings:
        if len(past.judged) >= MOST:
            return
        before = {group: chain.before(group, reading.time) for group in reading.until}
        past.judged.append(
            JudgedReading(
                reading.time,
                reading.received,
                reading.values,
                reading.context,
                {group: time for group, time in before.items() if time is not None},
                reading.number,
            )
        )
