"""A scenario's readings through the door that they come by: what is taken of them, as a log."""

from __future__ import annotations

import csv
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ingest.http import batch
from ingest.recordings.reader import Report, read_uploads
from ingest.recordings.rows import COLUMNS as FILE_COLUMNS
from tests.support.scenarios.form import Delivery, Row, Scenario, duration, rows
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.reading import Upload
from vigil.domain.signals import NAMES
from vigil.values import timestamps

SECOND = timedelta(seconds=1)
TOLERANCE = timedelta(minutes=5)
DEVICE = "d1"


@dataclass
class Sent:
    """What the door took."""

    uploads: list[Upload] = field(default_factory=list)
    """In the order of receipt."""
    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def send(scenario: Scenario) -> Sent:
    """A scenario's readings through the door."""
    sent = Sent()
    if scenario.door == "file":
        for delivery in scenario.deliveries():
            _replay(delivery, sent)
    else:
        known: set[batch.Key] = set()
        for delivery in scenario.deliveries():
            for received, part in _uploads(delivery):
                _post(scenario, delivery, part, received, known=known, sent=sent)
    sent.uploads.sort(key=lambda upload: upload.received_at)
    return sent


def _uploads(delivery: Delivery) -> Iterator[tuple[datetime, list[Row]]]:
    """Parts of the delivery with the time of receipt of each."""
    found = rows(delivery)
    if delivery.order == "shuffled":
        random.Random(1).shuffle(found)  # noqa: S311
    elif delivery.order != "as written":
        found.sort(key=lambda row: row.time, reverse=delivery.order == "newest first")
    size = delivery.upload or len(found)
    after = None if "T" in delivery.received else duration(delivery.received)
    first = timestamps.parse(delivery.received) if after is None else found[0].time
    for number, start in enumerate(range(0, len(found), size)):
        part = found[start : start + size]
        if after is None:
            received = first + number * SECOND
        else:
            received = max(row.time for row in part) + after
        for copy in range(delivery.copies):
            yield received + copy * SECOND, part


def _post(
    scenario: Scenario, delivery: Delivery, part: list[Row], received: datetime, *,
    known: set[batch.Key], sent: Sent,
) -> None:  # fmt: skip
    """One request of a device. A stored reading is known from then on."""
    columns = delivery.columns.split(",")
    bodies = [dict(zip(columns, row.cells, strict=True)) for row in part]
    assigned = timestamps.parse(scenario.assigned) if scenario.assigned else None
    entry = DeviceEntry(
        device_id=bodies[0].get("device_id") or DEVICE,
        key_sha256="",
        patient_id=bodies[0]["patient_id"],
        assigned_at=assigned,
    )
    newest = max(row.time for row in part)
    door = batch.Door(
        device=entry,
        patient=lambda name: PatientEntry(patient_id=name, ward="w"),
        known=known.__contains__ if delivery.copies == 1 else lambda _key: False,
        now=received,
        latest=max(received, newest) + TOLERANCE,
        sent_at=newest + duration(delivery.sent) if delivery.sent else None,
    )
    answer = batch.sort_out([("", _words(body)) for body in bodies], door)
    known.update(answer.keys)
    sent.taken += len(answer.keys)
    sent.refused.update(one.error.code for one in answer.results if one.error is not None)
    sent.uploads += answer.uploads


def _words(cells: dict[str, str]) -> dict[str, Any]:
    """A row as a device sends it."""
    words: dict[str, Any] = {"patient_id": cells["patient_id"], "time": cells["time"]}
    words["values"] = {name: _number(cells[name]) for name in NAMES if cells.get(name)}
    context: dict[str, Any] = {}
    if cells.get("steps_per_min"):
        context["steps_per_min"] = _number(cells["steps_per_min"])
    if cells.get("activity"):
        context["activity"] = cells["activity"]
    if cells.get("contact"):
        flag = cells["contact"]
        context["contact"] = {"true": True, "false": False}.get(flag, flag)
    if context:
        words["context"] = context
    if cells.get("sequence"):
        words["sequence"] = int(cells["sequence"])
    return words


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _replay(delivery: Delivery, sent: Sent) -> None:
    """A file, as ``vigil replay`` reads it. Every upload of a file is received as it was made."""
    columns = [name for name in delivery.columns.split(",") if name in FILE_COLUMNS]
    found = rows(delivery)
    if delivery.order == "newest first":
        found.sort(key=lambda row: row.time, reverse=True)
    elif delivery.order == "shuffled":
        random.Random(1).shuffle(found)  # noqa: S311
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.csv"
        with path.open("w", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(columns)
            writer.writerows(row.cells for row in found)
        sent.uploads += [*read_uploads(path, report=report, device_id=DEVICE)]
    sent.taken += report.taken
    for (code, _field), times in report.reasons.items():
        sent.refused[code] += times


def moved(upload: Upload, by: timedelta) -> Upload:
    """The same, at another time."""
    return replace(
        upload,
        received_at=upload.received_at + by,
        measurements=tuple(replace(one, time=one.time + by) for one in upload.measurements),
        sent_at=None if upload.sent_at is None else upload.sent_at + by,
    )
