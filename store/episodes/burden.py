"""Alarm burden by ward, counted from the stored episodes."""

from __future__ import annotations

from msgspec import Struct

from store.database.connections import AsyncConnection
from store.episodes.board import fetch_records
from store.queries import query

DAYS = 7
"""Up to each patient's newest reading."""


class Burden(Struct, frozen=True):
    """A ward's alarms: clinical episodes that were not retrospective when they began."""

    ward: str
    patients: int
    """Enrolled now."""
    patient_days: int
    """Days with a reading, summed over all patients."""
    high: int
    medium: int
    low: int

    @property
    def alarms(self) -> int:
        """Alarms of all priorities."""
        return self.high + self.medium + self.low

    @property
    def per_patient_day(self) -> float | None:
        """Alarms per patient-day; None: nothing was measured.

        >>> Burden("A", 2, 14, 1, 2, 4).per_patient_day
        0.5
        """
        return self.alarms / self.patient_days if self.patient_days else None


async def by_ward(connection: AsyncConnection, days: int = DAYS) -> list[Burden]:
    """Each ward's burden over the last ``days`` up to each patient's newest reading, by name.

    Raises:
        UnavailableError: the database does not answer.
    """
    return await fetch_records(connection, Burden, query("burden/wards"), values={"days": days})
