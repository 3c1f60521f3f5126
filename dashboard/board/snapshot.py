"""The ward as it is now, read once for all open boards."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dashboard.board.ranking import Ranking, patient_key, rank_episodes
from dashboard.board.rows import newest_value
from dashboard.board.sparklines import Sparklines
from store.episodes import board
from vigil.service import isolation
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

SPARKS_EVERY_SECONDS = 30.0
"""How often what is new of the sparklines is read."""
MISSING_SPARK_SECONDS = 2.0
"""How often a missing sparkline is."""
RETRY_SECONDS = 2.0
"""How often an unavailable database is asked, however many boards are open."""


@dataclass(frozen=True, slots=True)
class PatientSnapshot:
    """One patient as the board shows them."""

    patient: board.Patient
    values: Mapping[str, board.Value]
    """Signal → its newest value."""
    ranking: Ranking
    spark: Mapping[int, float]
    fault: bool = False
    """The stored data of the patient is not valid, so the ranking is not known."""

    @property
    def newest(self) -> board.Value | None:
        """The value that was measured last."""
        return newest_value(self.values)


Ward = Sequence[PatientSnapshot]
"""Every patient, the most urgent first."""


async def read_ward(context: WebContext, sparklines: Sparklines) -> Ward:
    """Read everything from the database but the sparklines.

    Raises:
        UnavailableError: the database is unavailable.
    """
    async with context.database() as connection:
        patients = await board.patients(connection)
        values = await board.latest(connection)
        episodes = await board.active_episodes(connection)
    values_of: dict[str, dict[str, board.Value]] = defaultdict(dict)
    for value in values:
        values_of[value.patient_id][value.signal] = value
    episodes_of: dict[str, list[board.Episode]] = defaultdict(list)
    for episode in episodes:
        episodes_of[episode.patient_id].append(episode)
    ranked = [
        _rank_patient(
            patient,
            values=values_of.get(patient.patient_id, {}),
            episodes=episodes_of.get(patient.patient_id, []),
            spark=sparklines.line_of(patient.patient_id),
        )
        for patient in patients
    ]
    return [one.snapshot for one in sorted(ranked, key=lambda one: one.sort_key)]


@dataclass(frozen=True, slots=True)
class _RankedPatient:
    sort_key: tuple[object, ...]
    snapshot: PatientSnapshot


def _rank_patient(
    patient: board.Patient,
    *,
    values: Mapping[str, board.Value],
    episodes: Sequence[board.Episode],
    spark: Mapping[int, float],
) -> _RankedPatient:
    """A patient and their sort key. One whose data is not valid comes first: nobody knows how
    urgent they are.
    """

    def rank() -> _RankedPatient:
        ranking = rank_episodes(episodes)
        key = patient_key(ranking, patient.display_name, patient.patient_id)
        snapshot = PatientSnapshot(patient=patient, values=values, ranking=ranking, spark=spark)
        return _RankedPatient((1, *key), snapshot)

    def unknown() -> _RankedPatient:
        snapshot = PatientSnapshot(
            patient=patient, values={}, ranking=rank_episodes([]), spark={}, fault=True
        )
        return _RankedPatient((0, patient.patient_id), snapshot)

    return isolation.attempt("place on the board", patient.patient_id, make=rank, otherwise=unknown)


class Wards:
    """Reads the ward for all boards that wait at the same time, at most once for each change."""

    def __init__(self, context: WebContext):
        self._context = context
        self._lock = asyncio.Lock()
        self._ward: Ward = ()
        self._version, self._read_at = -1, -1.0
        self._sparklines = Sparklines()
        self._sparks_read_at = self._sparks_tried_at = float("-inf")
        self._error: UnavailableError | None = None
        self._error_at = float("-inf")

    async def read(self, fresh_seconds: float = 10.0) -> Ward:
        """The ward, no older than the newest change known at the call, nor than so many seconds.

        Changes since the call do not count: else, while changes arrive faster than the ward is
        read, each open board would read for itself, one after the other, and the last would
        receive nothing until all the others had.

        Raises:
            UnavailableError: the database is unavailable.
        """
        wanted = self._context.feed.version
        async with self._lock:
            version, now = self._context.feed.version, time.monotonic()
            if self._error is not None and now - self._error_at < RETRY_SECONDS:
                raise self._error
            fresh = self._version >= wanted and now - self._read_at < fresh_seconds
            if fresh and self._context.feed.listening:
                return self._ward
            try:
                await self._refresh(now)
            except UnavailableError as error:
                self._error, self._error_at = error, time.monotonic()
                raise
            self._version, self._read_at, self._error = version, now, None
            return self._ward

    async def _refresh(self, now: float) -> None:
        ward = await read_ward(self._context, self._sparklines)
        missing = any("heart_rate" in seen.values and not seen.spark for seen in ward)
        due = now - self._sparks_read_at > SPARKS_EVERY_SECONDS
        if due or (missing and now - self._sparks_tried_at > MISSING_SPARK_SECONDS):
            newest = {
                seen.patient.patient_id: seen.values["heart_rate"]
                for seen in ward
                if "heart_rate" in seen.values
            }
            async with self._context.database() as connection:
                await self._sparklines.refresh(connection, newest, due=due)
            self._sparks_tried_at = now
            if due:
                self._sparks_read_at = now
            ward = [
                replace(seen, spark=self._sparklines.line_of(seen.patient.patient_id))
                for seen in ward
            ]
        self._ward = ward
