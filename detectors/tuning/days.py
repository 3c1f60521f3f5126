"""What a patient-day is: how long someone was really watched.

24 hours of the day in which something was measured are one patient-day, so that a band left in
a drawer counts for nothing. Where a cuff is used a few times a day that would call two readings
five minutes: there a calendar day (UTC) with a reading is one. Which of the two holds is chosen
for each patient by how they are sampled: by calendar where most of their hours with readings stand
alone and hold fewer than :data:`FEW` readings on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vigil.domain.reading import Upload

FEW = 4
"""Readings in an hour; a device that measures by itself makes more, or the next hour has some."""
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Watched:
    """How long one patient was watched."""

    days: float
    """Patient-days."""
    by_calendar: bool


class Days:
    """Counts patient-days. Memory: 24 bits a patient and day."""

    def __init__(self) -> None:
        self._hours: dict[str, dict[int, int]] = {}
        self._newest: dict[str, int] = {}
        self._count: dict[str, int] = {}
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.until: dict[str, datetime] = {}
        """Patient → their newest reading."""

    def add_upload(self, upload: Upload) -> None:
        """Count an upload's readings."""
        patient = upload.patient_id
        items = upload.measurements
        if not items:
            return
        self._count[patient] = self._count.get(patient, 0) + len(items)
        newest = self._newest.get(patient)
        for item in items:
            hour = int(item.time.timestamp()) // _HOUR
            if hour != newest:
                day, bit = divmod(hour, 24)
                masks = self._hours.setdefault(patient, {})
                masks[day] = masks.get(day, 0) | 1 << bit
                newest = hour
        if newest is not None:
            self._newest[patient] = newest
        self._span(patient, items[0].time, items[-1].time)

    def _span(self, patient: str, first: datetime, last: datetime) -> None:
        known = self.until.get(patient)
        self.until[patient] = last if known is None else max(known, last)
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def readings(self) -> int:
        """All of them."""
        return sum(self._count.values())

    def watched(self) -> dict[str, Watched]:
        """Each patient, in order of id."""
        return {patient: self._watched(patient) for patient in sorted(self._hours)}

    def _watched(self, patient: str) -> Watched:
        masks = self._hours[patient]
        hours = sum(mask.bit_count() for mask in masks.values())
        alone = sum(_alone(masks, day, bit) for day, mask in masks.items() for bit in _bits(mask))
        if 2 * alone > hours and self._count[patient] < FEW * hours:
            return Watched(float(len(masks)), by_calendar=True)
        return Watched(hours / 24, by_calendar=False)


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(24) if mask >> bit & 1]


def _alone(masks: dict[int, int], day: int, bit: int) -> bool:
    """Whether neither the hour before nor the one after has a reading."""
    for near in (day * 24 + bit - 1, day * 24 + bit + 1):
        if masks.get(near // 24, 0) >> near % 24 & 1:
            return False
    return True
