"""The ward as it is now, read once for all open boards."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dashboard.board.ranking import Standing, patient_key, standing
from store.episodes import board
from vigil.service import isolation
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

SPARKS_EVERY_SECONDS = 30.0
SOON_SECONDS = 2.0
"""For a patient whose line is still missing."""
FAILED_SECONDS = 2.0
"""While the database is away, it is asked so often, however many boards are open."""


class Seen(NamedTuple):
    """One patient as the board shows them."""

    patient: board.Patient
    values: Mapping[str, board.Value]
    """Signal → its newest value."""
    stands: Standing
    spark: Mapping[int, float]
    fault: bool = False
    """Where they stand cannot be said: what is stored of them is not what it must be."""

    @property
    def newest(self) -> board.Value | None:
        """The value that came last."""
        return max(
            self.values.values(), key=lambda value: (value.received_at, value.time), default=None
        )


Ward = Sequence[Seen]
"""Every patient, the most urgent first."""


async def read_sparks(context: WebContext) -> dict[str, dict[int, float]]:
    """Patient → slice → mean heart rate."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    async with context.database() as connection:
        for point in await board.sparks(connection):
            found[point.patient_id][point.slice] = point.value
    return dict(found)


async def read_ward(context: WebContext, sparks: Mapping[str, Mapping[int, float]]) -> Ward:
    """Ask the database for everything but the sparklines.

    Raises:
        UnavailableError: the database is away.
    """
    async with context.database() as connection:
        patients = await board.patients(connection)
        values = await board.latest(connection)
        episodes = await board.active_episodes(connection)
    by_patient: dict[str, dict[str, board.Value]] = defaultdict(dict)
    for value in values:
        by_patient[value.patient_id][value.signal] = value
    stands: dict[str, list[board.Episode]] = defaultdict(list)
    for episode in episodes:
        stands[episode.patient_id].append(episode)
    placed = [
        _placed(
            patient,
            by_patient.get(patient.patient_id, {}),
            stands.get(patient.patient_id, []),
            sparks.get(patient.patient_id, {}),
        )
        for patient in patients
    ]
    return [seen for _, seen in sorted(placed, key=lambda one: one[0])]


def _placed(
    patient: board.Patient,
    values: Mapping[str, board.Value],
    episodes: Sequence[board.Episode],
    spark: Mapping[int, float],
) -> tuple[tuple[object, ...], Seen]:
    """A patient and their place. Of whom it cannot be said comes first: nobody knows how urgent."""

    def place() -> tuple[tuple[object, ...], Seen]:
        stands = standing(episodes)
        seen = Seen(patient, values, stands, spark)
        return (1, *patient_key(stands, patient.display_name, patient.patient_id)), seen

    def unknown() -> tuple[tuple[object, ...], Seen]:
        return (0, patient.patient_id), Seen(patient, {}, standing([]), {}, fault=True)

    return isolation.attempt("place on the board", patient.patient_id, place, unknown)


class Wards:
    """Reads the ward at most once for each change, however many boards are open."""

    def __init__(self, context: WebContext):
        self._context = context
        self._lock = asyncio.Lock()
        self._ward: Ward = ()
        self._read = (-1, -1.0)
        self._sparks: dict[str, dict[int, float]] = {}
        self._sparks_read = float("-inf")
        self._failed: tuple[UnavailableError, float] | None = None

    async def now(self, fresh_seconds: float = 10.0) -> Ward:
        """The ward, no older than the newest change that was heard, nor than so many seconds.

        Raises:
            UnavailableError: the database is away.
        """
        async with self._lock:
            version, when = self._read
            heard, now = self._context.feed.version, time.monotonic()
            if self._failed and now - self._failed[1] < FAILED_SECONDS:
                raise self._failed[0]
            if version == heard and now - when < fresh_seconds and self._context.feed.listening:
                return self._ward
            try:
                await self._refresh(now)
            except UnavailableError as error:
                self._failed = (error, time.monotonic())
                raise
            self._read, self._failed = (heard, now), None
            return self._ward

    async def _refresh(self, now: float) -> None:
        ward = await read_ward(self._context, self._sparks)
        lacking = any("heart_rate" in seen.values and not seen.spark for seen in ward)
        age = now - self._sparks_read
        if age > (SOON_SECONDS if lacking else SPARKS_EVERY_SECONDS):
            self._sparks = await read_sparks(self._context)
            self._sparks_read = now
            ward = [
                seen._replace(spark=self._sparks.get(seen.patient.patient_id, {})) for seen in ward
            ]
        self._ward = ward
