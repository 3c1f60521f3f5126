"""The sparklines of the board: each patient's mean heart rates, kept and asked for only where new.

A patient's line is read whole once. After that only the quarters of an hour since their last known
reading are asked for, and only where a new one came. Readings also arrive late, and averages of
TimescaleDB are corrected some minutes afterwards: so a share of the lines is read whole each time,
in turn, and the lines of patients whose readings were withdrawn lately are read whole every time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from zlib import crc32

from store.episodes import board
from store.episodes.board import SPARK_POINTS, SparkPoint, SparkSpan, Value, quarter_of
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from store.database.connections import AsyncConnection

TURNS = 20
"""Every so many reads each line has been read whole: at a read each 30 seconds, in ten minutes."""
RECENT = 2
"""Quarters of an hour that are read for everybody at once; who has been without readings for longer
has their line read whole."""
WITHDRAWN_WITHIN = timedelta(minutes=15)
"""So long after a withdrawal the patient's line is read whole every time: averages of TimescaleDB
still contain the readings until their next refresh, at most 5 minutes later."""

Line = Mapping[int, float]
"""Slice → mean heart rate; the last of ``SPARK_POINTS`` slices contains the newest heart rate."""


class Sparklines:
    """The line of every patient on the board."""

    def __init__(self) -> None:
        self._means: dict[str, dict[int, float]] = {}  # patient → quarter since 1970 → mean
        self._newest: dict[str, Value] = {}
        self._lines: dict[str, Line] = {}
        self._turn = 0

    def line_of(self, patient_id: str) -> Line:
        """A patient's line as of the last read; empty: there is none."""
        return self._lines.get(patient_id, {})

    async def refresh(
        self, connection: AsyncConnection, newest: Mapping[str, Value], *, due: bool = True
    ) -> None:
        """Read what is new.

        Args:
            newest: patient → newest heart rate, of everyone on the board.
            due: False: read only the lines that are missing.

        Raises:
            UnavailableError: the database does not answer.
        """
        whole = {patient for patient in newest if not self._means.get(patient)}
        if due:
            since = utc_now() - WITHDRAWN_WITHIN
            whole |= newest.keys() & await board.withdrawn_since(connection, since)
            whole |= {one for one in newest if crc32(one.encode()) % TURNS == self._turn}
        grown = self._grown(newest.keys() - whole, newest) if due else []
        recent = max((span.until for span in grown), default=0) - RECENT
        whole |= {span.patient_id for span in grown if span.since < recent}
        everything = [_whole(one, newest[one]) for one in sorted(whole)]
        grown = [span for span in grown if span.since >= recent]
        points = await board.sparks(connection, everything)
        ends = await board.newest_sparks(connection, grown)
        self._take(everything, points)
        self._take(grown, ends)
        self._forget(newest)
        for span in (*everything, *grown):
            self._newest[span.patient_id] = newest[span.patient_id]
        if due:
            self._turn = (self._turn + 1) % TURNS

    def _grown(self, known: Iterable[str], newest: Mapping[str, Value]) -> list[SparkSpan]:
        """What is new of known lines: from the quarter of the last known reading on, or everything
        where time went back, because the newest reading was withdrawn."""
        spans = []
        for patient in known:
            before, value = self._newest[patient], newest[patient]
            if value != before:
                since = 0 if value.time < before.time else quarter_of(before.time)
                spans.append(SparkSpan(patient, since, quarter_of(value.time) + 1))
        return spans

    def _take(self, spans: Iterable[SparkSpan], points: Iterable[SparkPoint]) -> None:
        """Replace the quarters that were asked for by those that have readings."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for point in points:
            found[point.patient_id][point.quarter] = point.value
        for span in spans:
            new = found[span.patient_id]
            if span.until - span.since == 1:  # most: within the quarter of the reading before
                self._replace_newest(span, new.get(span.since))
                continue
            first = span.until - SPARK_POINTS
            kept = self._means.get(span.patient_id, {})
            means = {n: mean for n, mean in kept.items() if first <= n < span.since} | new
            self._means[span.patient_id] = means
            self._lines[span.patient_id] = {n - first: mean for n, mean in means.items()}

    def _replace_newest(self, span: SparkSpan, mean: float | None) -> None:
        means = self._means[span.patient_id]
        line = dict(self._lines[span.patient_id])  # anew: whoever has the line compares it
        if mean is None:
            means.pop(span.since, None)
            line.pop(SPARK_POINTS - 1, None)
        else:
            means[span.since] = line[SPARK_POINTS - 1] = mean
        self._lines[span.patient_id] = line

    def _forget(self, present: Mapping[str, Value]) -> None:
        for gone in self._means.keys() - present.keys():
            del self._means[gone]
            self._newest.pop(gone, None)
            self._lines.pop(gone, None)


def _whole(patient_id: str, value: Value) -> SparkSpan:
    until = quarter_of(value.time) + 1
    return SparkSpan(patient_id, until - SPARK_POINTS, until)
