"""How many alarms a ward has to bear, from what is stored."""

from __future__ import annotations

from typing import NamedTuple

from store.database.connections import AsyncConnection
from store.episodes.board import rows
from store.queries import query

DAYS = 7
"""Up to each patient's newest reading."""


class Burden(NamedTuple):
    """A ward's alarms: clinical episodes that were current when they began."""

    ward: str
    patients: int
    """Enrolled now."""
    patient_days: int
    """Days with a reading, over all of them."""
    high: int
    medium: int
    low: int

    @property
    def alarms(self) -> int:
        """Of every priority."""
        return self.high + self.medium + self.low

    @property
    def per_patient_day(self) -> float | None:
        """Alarms a patient-day; None where nothing was measured.

        >>> Burden("A", 2, 14, 1, 2, 4).per_patient_day
        0.5
        """
        return self.alarms / self.patient_days if self.patient_days else None


async def by_ward(connection: AsyncConnection, days: int = DAYS) -> list[Burden]:
    """Each ward's burden over the last ``days`` up to each patient's newest reading, by name.

    Raises:
        UnavailableError: the database does not answer.
    """
    return await rows(connection, Burden, query("burden/wards"), {"days": days})
