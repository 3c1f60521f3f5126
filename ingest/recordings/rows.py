"""The rows of a recording, not validated yet: columns, cells, and rows as unchecked readings."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from ingest.validate import shown
from vigil.domain.signals import NAMES
from vigil.service.errors import InputError
from vigil.values import timestamps

REQUIRED = ("patient_id", "time", "heart_rate", "systolic", "diastolic")
OPTIONAL = (
    "spo2",
    "respiratory_rate",
    "temperature",
    "steps_per_min",
    "activity",
    "contact",
    "sequence",
)
COLUMNS = (*REQUIRED, *OPTIONAL)


@dataclass(frozen=True, slots=True)
class Layout:
    """The index of each column; None: there is no such column."""

    width: int
    patient_id: int
    time: int
    signals: tuple[tuple[str, int], ...]
    steps_per_min: int | None
    activity: int | None
    contact: int | None
    sequence: int | None

    def words(self, row: list[str], shift: timedelta) -> dict[str, Any]:
        """A row in the form that a device sends.

        Args:
            shift: added to its time.

        Raises:
            InputError: it is no row of CSV, or has another number of cells than the header.
        """
        if not row:
            raise InputError(
                "The row has a quotation mark that is not closed on its line.",
                code="input.wrong_type",
                field="row",
                how_to_fix="Remove it, or close it: no cell goes on to the next line.",
            )
        if len(row) != self.width:
            raise InputError(
                f"The row has {len(row)} cells, the header {self.width}.",
                code="input.wrong_type",
                field="row",
                how_to_fix="Give every column a cell, empty where nothing was measured.",
            )
        time = row[self.time]
        words: dict[str, Any] = {
            "patient_id": row[self.patient_id],
            "time": _shifted(time, shift) if shift else time,
            "values": {name: _number(cell) for name, at in self.signals if (cell := row[at])},
        }
        if context := self._context(row):
            words["context"] = context
        if self.sequence is not None and (cell := row[self.sequence]):
            words["sequence"] = int(cell) if cell.isdecimal() and len(cell) < 20 else cell
        return words

    def _context(self, row: list[str]) -> dict[str, Any]:
        context: dict[str, Any] = {}
        if self.steps_per_min is not None and (cell := row[self.steps_per_min]):
            context["steps_per_min"] = _number(cell)
        if self.activity is not None and (cell := row[self.activity]):
            context["activity"] = cell
        if self.contact is not None and (cell := row[self.contact]):
            context["contact"] = cell
        return context


def _layout(header: list[str], path: Path) -> Layout:
    at = {name: index for index, name in enumerate(header)}
    absent = [name for name in REQUIRED if name not in at]
    if absent and len(header) == 1 and (other := [mark for mark in ";\t|" if mark in header[0]]):
        _broken(path, f"its columns are separated by {other[0]!r}, not by commas", "columns")
    if absent:
        _broken(path, f"its first line lacks the column {absent[0]}", "columns")
    odd = [name for name in header if name not in COLUMNS]
    if odd:
        _broken(path, f"its first line names an unknown column {shown(odd[0])}", "columns")
    if len(at) != len(header):
        _broken(path, "its first line names a column twice", "columns")
    signals = tuple((name, at[name]) for name in NAMES if name in at)
    return Layout(
        width=len(header),
        patient_id=at["patient_id"],
        time=at["time"],
        signals=signals,
        steps_per_min=at.get("steps_per_min"),
        activity=at.get("activity"),
        contact=at.get("contact"),
        sequence=at.get("sequence"),
    )


def read_rows(path: Path) -> Iterator[tuple[int, list[str], Layout]]:
    """Line, cells and layout of each row; blank lines are nothing, and a line that is no CSV has no
    cells. A line is a row: a quotation mark that is not closed hides no other."""
    number = 0
    try:
        with _text(path) as text:
            layout: Layout | None = None
            for number, line in enumerate(text, 1):
                if not (line := line.rstrip("\r\n")):
                    continue
                cells = _cells(line)
                if layout is None:
                    layout = _layout(cells, path)
                else:
                    yield number, cells, layout
            if layout is None:
                _broken(path, "it is empty", "line 1")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        _broken(path, "its gzip data is damaged or ends too early", f"after line {number}")
    except UnicodeDecodeError:
        _broken(path, "it is not UTF-8 text", f"after line {number}")
    except OSError as error:
        _broken(path, f"it cannot be read: {error.strerror}", "file")


def _cells(line: str) -> list[str]:
    """The cells of a line without the spaces around them; none where it is no CSV.

    >>> _cells('p1, 2026-08-05T08:00Z,"72",,'), _cells('p1,"72')
    (['p1', '2026-08-05T08:00Z', '72', '', ''], [])
    """
    if '"' not in line:
        return [cell.strip() for cell in line.split(",")]
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True), [])]
    except csv.Error:
        return []


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    """The file's text, unpacked where it is packed, whatever its name."""
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        stream: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            yield text


def _number(cell: str) -> float | str:
    """The cell's number; the cell itself where it is none, for the door to refuse."""
    try:
        return float(cell) if "_" not in cell else cell
    except ValueError:
        return cell


def time_of(cell: str) -> datetime | None:
    """The cell's time, as the door reads it; None: it is none."""
    try:
        return timestamps.parse(cell)
    except timestamps.NotATimeError:
        return None


def _shifted(cell: str, shift: timedelta) -> str:
    """The cell's time, later by ``shift``; the cell itself where it is no time."""
    time = time_of(cell)
    try:
        return cell if time is None else (time + shift).isoformat()
    except OverflowError:
        return cell


def _broken(path: Path, what: str, where: str) -> NoReturn:
    raise InputError(
        f"{path} is not a recording that can be read: {what}.",
        code="input.broken_recording",
        field=where,
        how_to_fix=f"A recording is CSV (.gz too) with the columns {', '.join(REQUIRED)} and, "
        f"where there are any, {', '.join(OPTIONAL)}.",
    )
