"""Simulated patients as a recording, and a table of what happens to them."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from ingest.recordings.writer import write_uploads
from ingest.simulator.days import dice
from ingest.simulator.people import SimPatient, Truth, patients
from ingest.simulator.scenarios import NOTHING, SCENARIOS
from vigil.domain import ids
from vigil.domain.reading import Upload

QUIET_PART = 0.5
"""Nothing happens in this first part of a recording: detectors learn what is usual."""


def people(
    count: int, seed: int, scenarios: Sequence[str], start: datetime, days: int
) -> list[SimPatient]:
    """People, each with the onset of what happens to them on one of the days."""
    dealt = patients(count, seed, scenarios=scenarios)
    return [_placed(person, start, days) for person in dealt]


def write(path: Path, everyone: Sequence[SimPatient], start: datetime, days: int) -> int:
    """Write what all of them measure, in order of time; returns the number of rows."""
    end = start + timedelta(days=days)
    streams = (_one_by_one(person, start, end) for person in everyone)
    in_order = heapq.merge(*streams, key=lambda u: (u.measurements[0].time, u.patient_id))
    return write_uploads(path, in_order)


def write_truth(path: Path, everyone: Sequence[SimPatient]) -> int:
    """Write what happens to whom; returns the number of rows."""
    rows = [truth for person in everyone if (truth := person.truth()) is not None]
    with path.open("w", encoding="utf-8", newline="") as text:
        out = csv.writer(text, lineterminator="\n")
        out.writerow(field.name for field in fields(Truth))
        for row in rows:
            moments = (ids.timestamp(row.start), ids.timestamp(row.end))
            out.writerow((row.patient_id, row.scenario, row.kind or "", *moments))
    return len(rows)


def _placed(person: SimPatient, start: datetime, days: int) -> SimPatient:
    """With an onset in the later part of the recording, at an hour that suits the scenario."""
    if person.scenario == NOTHING:
        return person
    row = SCENARIOS[person.scenario]
    draw = dice(person.seed, person.number, "onset")
    longest = timedelta(days=days) - row.length
    first, last = int(days * QUIET_PART), max(0, longest.days)
    on = draw.randint(min(first, last), last)
    minutes = draw.randrange(row.hours[0] * 60, row.hours[1] * 60)
    return person.begins(start + timedelta(days=on, minutes=minutes))


def _one_by_one(person: SimPatient, start: datetime, end: datetime) -> Iterator[Upload]:
    for upload in person.uploads(start, end):
        for item in upload.measurements:
            yield replace(upload, measurements=(item,))
