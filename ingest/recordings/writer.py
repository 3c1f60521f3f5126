"""Writes uploads as a recording: the counterpart of :mod:`ingest.recordings.reader`."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from ingest.recordings.rows import COLUMNS
from vigil.domain import ids
from vigil.domain.reading import Measurement, Upload


def write_uploads(path: Path, uploads: Iterable[Upload]) -> int:
    """Write a row for each measurement and return how many; gzipped where the name ends so.

    The form has no column for the time of receipt, a posture or an id: those are not kept. The
    same uploads give the same bytes. The file appears once it is complete.
    """
    rows = 0
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as raw:
        packed = gzip.GzipFile("", "wb", 6, raw, mtime=0) if path.suffix == ".gz" else raw
        with packed, io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
            out = csv.writer(text, lineterminator="\n")
            out.writerow(COLUMNS)
            for upload in uploads:
                for item in upload.measurements:
                    out.writerow(_row(upload.patient_id, item))
                    rows += 1
    part.replace(path)
    return rows


def _row(patient_id: str, item: Measurement) -> list[str]:
    cells: dict[str, str] = {name: _number(value) for name, value in item.values.items()}
    context = item.context
    if context.steps_per_min is not None:
        cells["steps_per_min"] = _number(context.steps_per_min)
    if context.activity != "unknown":
        cells["activity"] = context.activity
    if context.contact is not None:
        cells["contact"] = "true" if context.contact else "false"
    if item.sequence is not None:
        cells["sequence"] = str(item.sequence)
    cells |= {"patient_id": patient_id, "time": ids.timestamp(item.time)}
    return [cells.get(column, "") for column in COLUMNS]


def _number(value: float) -> str:
    """As short as it goes, and the same number when it is read again.

    >>> _number(72.0), _number(36.6)
    ('72', '36.6')
    """
    return str(int(value)) if value.is_integer() else repr(value)
