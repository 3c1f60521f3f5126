"""Recordings: CSV files of readings, as uploads in order of time.

The order of the rows does not matter: a file in which a patient's rows are not in order of time, as
an app writes that lists the newest first, is sorted, in memory.

The first line names the columns: ``patient_id,time,heart_rate,systolic,diastolic`` and, where there
are any, ``spo2,respiratory_rate,temperature,steps_per_min,activity,contact,sequence``. A cell is
empty where nothing was measured; ``time`` is RFC 3339. The file may be gzipped.

Each row is validated as a device's reading is (:mod:`ingest.validate`), with one difference. A
device gets the error and can send again; a recording cannot, and its row often joins several
sensors. So a faulty measurement is left out of its row and reported with its line, and the rest is
accepted: a clogged arterial line must not hide the heart rate in the same row. (A pressure is
systolic and diastolic together; beside a diastolic that says "no value" the systolic one remains.)
A row with nothing left, or without a patient or a time, is refused. Every row is accounted for in a
:class:`Report`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

from ingest import validate
from ingest.recent_keys import RecentKeys
from ingest.recordings.grouping import Grouping
from ingest.recordings.rows import read_rows, time_of
from vigil.domain.reading import Upload
from vigil.domain.signals import is_pressure_sentinel
from vigil.service.errors import InputError

SYNTHETIC_PREFIX = "sim-"
"""Ids of the simulator's patients begin so; what is theirs is synthetic wherever it comes from."""
REMEMBERED_ROWS = 500_000
"""A duplicate is found among at least so many rows before it. (The store finds every one by id.)"""

_by_time = attrgetter("measurement.time")
_END_OF_TIME = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
_PRESSURES = ("systolic", "diastolic")
_NOT_GIVEN = frozenset({"input.sentinel_value", "input.wrong_type"})
"""Codes of what a program writes where there is no value."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in a recording that was not accepted."""

    line: int
    """In the file, the header being line 1."""
    error: InputError
    whole_row: bool
    """False: the named measurement was left out, the rest of the row was taken."""


@dataclass
class Report:
    """What became of the rows. ``rows == taken + duplicates + refused`` once the file is read."""

    on_refusal: Callable[[Refusal], None] | None = None
    """Called with each refusal."""
    rows: int = 0
    taken: int = 0
    duplicates: int = 0
    refused: int = 0
    """Rows of which nothing was taken."""
    left_out: int = 0
    """Faulty measurements in rows of which the rest was taken."""
    sorted_files: int = 0
    """Files whose rows were not in order of time, and were sorted."""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(error code, field) → how often."""

    def record_refusal(self, refusal: Refusal) -> None:
        """Count a refusal and pass it to ``on_refusal``."""
        if refusal.whole_row:
            self.refused += 1
        else:
            self.left_out += 1
        self.reasons[refusal.error.code, refusal.error.field or "row"] += 1
        if self.on_refusal is not None:
            self.on_refusal(refusal)


@dataclass(frozen=True, slots=True)
class Survey:
    """The extent of a recording, found without checking its values."""

    rows: int
    patients: tuple[str, ...]
    """In the order of their first row."""
    newest: datetime | None
    """The time of its newest row; None where no row has one."""


def read_uploads(
    path: Path,
    *,
    report: Report | None = None,
    device_id: str = "recording",
    synthetic: bool = False,
    span_seconds: float = 600,
    max_measurements: int = 1000,
    latest: datetime = _END_OF_TIME,
    shift: timedelta = timedelta(0),
) -> Iterator[Upload]:
    """The recording as uploads; the same file and arguments give the same uploads.

    Args:
        report: counts the rows and receives refusals.
        synthetic: label everything as made up; patients named ``sim-…`` always are.
        span_seconds: see :class:`ingest.recordings.grouping.Grouping`, as for ``max_measurements``.
        latest: a row later than this is refused.
        shift: added to each row's time (before ``latest`` is asked and ids are derived).

    Raises:
        InputError: ``input.broken_recording``: no recording, or one that ends in the middle.
    """
    report = Report() if report is None else report
    door = _Door(device_id, latest, report)
    grouping = Grouping(device_id, span_seconds, max_measurements)
    admitted = door.admitted(path, shift)
    if not is_in_order(path):
        report.sorted_files += 1
        admitted = iter(sorted(admitted, key=_by_time))
    for one in admitted:
        made_up = synthetic or one.patient_id.startswith(SYNTHETIC_PREFIX)
        yield from grouping.add(one, made_up)
    yield from grouping.flush()


def is_in_order(path: Path) -> bool:
    """Whether each patient's rows are in order of time, equal times included, up to where the file
    can be read."""
    newest: dict[str, datetime] = {}
    with suppress(InputError):  # reported by whoever reads the rows
        for _line, row, layout in read_rows(path):
            time = time_of(row[layout.time]) if len(row) == layout.width else None
            if time is None:
                continue
            patient = row[layout.patient_id]
            if time < newest.get(patient, time):
                return False
            newest[patient] = time
    return True


def survey(path: Path) -> Survey:
    """Look through a recording for its patients and its newest time.

    Raises:
        InputError: ``input.broken_recording``.
    """
    rows = 0
    patients: dict[str, None] = {}
    newest: datetime | None = None
    for _line, row, layout in read_rows(path):
        rows += 1
        if len(row) != layout.width:
            continue
        patients.setdefault(row[layout.patient_id])
        time = time_of(row[layout.time])
        if time is not None and (newest is None or time > newest):
            newest = time
    known = tuple(name for name in patients if validate.is_identifier(name))
    return Survey(rows, known, newest)


class _Door:
    """Validates rows, leaves out what is faulty, and counts."""

    def __init__(self, device_id: str, latest: datetime, report: Report):
        self._device_id = device_id
        self._latest = latest
        self._report = report
        self._seen = RecentKeys[str](REMEMBERED_ROWS)

    def admitted(self, path: Path, shift: timedelta) -> Iterator[validate.Admitted]:
        """The readings of a recording, in the order of its rows; what is refused is reported."""
        for line, row, layout in read_rows(path):
            try:
                admitted = self.admit(line, layout.words(row, shift))
            except InputError as error:
                self.refuse(line, error)
                continue
            if admitted is not None:
                yield admitted

    def admit(self, line: int, words: dict[str, Any]) -> validate.Admitted | None:
        """The row's reading without its faults; None where it is a duplicate.

        Raises:
            InputError: nothing of the row can be taken; the first fault that was found.
        """
        faults: list[InputError] = []
        while True:
            try:
                admitted = validate.reading(
                    words, device_id=self._device_id, patient_id=None, latest=self._latest
                )
                break
            except InputError as error:
                faults.append(error)
                if not _leave_out(words, error):
                    raise faults[0] from None
        if admitted.note is not None:
            faults.append(admitted.note)
        self._report.rows += 1
        for fault in faults:
            self._report.record_refusal(Refusal(line, fault, whole_row=False))
        if self._seen.add(admitted.measurement.reading_id):
            self._report.taken += 1
            return admitted
        self._report.duplicates += 1
        return None

    def refuse(self, line: int, error: InputError) -> None:
        """Nothing of the row was taken."""
        self._report.rows += 1
        self._report.record_refusal(Refusal(line, error, whole_row=True))


def _leave_out(words: dict[str, Any], error: InputError) -> bool:
    """Take the faulty measurement out of a row; False where the fault is not in one."""
    part, _, name = (error.field or "").partition(".")
    if part not in ("values", "context"):
        return False
    names = _PRESSURES if name in _PRESSURES else (name,)
    values = words["values"]
    both = is_pressure_sentinel(values.get("systolic"), values.get("diastolic"))
    if name == "diastolic" and error.code in _NOT_GIVEN and not both:
        names = (name,)  # palpated: there is no diastolic pressure
    found = [words[part].pop(each, None) for each in names]
    return any(each is not None for each in found)
