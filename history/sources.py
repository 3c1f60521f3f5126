"""Histories to play: recordings, or stored readings of the database.

Both can be read repeatedly and give the same uploads each time; neither is kept in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from rich.console import Console
from rich.progress import Progress

from detectors.tuning.labels import Label
from ingest.recordings.reader import Report, read_uploads, survey
from ingest.recordings.rows import time_of
from store.database.connections import connect
from store.readings import history
from store.readings.history import Range
from vigil.domain.reading import Upload
from vigil.service.errors import InputError
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from detectors.tuning.labels import Label
    from store.readings.history import Range
    from vigil.service.settings import Settings


class History(Protocol):
    """Uploads that can be read again."""

    sources: tuple[str, ...]
    """The names of its parts in reports."""
    one_by_one: bool
    """Whether uploads are ordered patient by patient."""
    left_out: int
    """Number of faulty rows and measurements; known once it was read to its end."""

    def uploads(self) -> Iterator[Upload]:
        """Yield uploads in order of receipt: of all patients, or of each patient in turn."""

    def patients(self) -> frozenset[str]:
        """The patients in it."""

    def expected(self) -> int | None:
        """Approximate number of readings, for a progress bar; None: unknown."""


class Recordings:
    """Files of readings, read one after the other."""

    one_by_one = False

    def __init__(self, paths: Iterable[Path], latest: datetime):
        self._paths = tuple(paths)
        self._latest = latest
        self.sources: tuple[str, ...] = tuple(path.name for path in self._paths)
        self.left_out = 0

    def uploads(self) -> Iterator[Upload]:

        report = Report()
        for path in self._paths:
            yield from read_uploads(path, report=report, latest=self._latest)
        self.left_out = report.refused + report.left_out

    def patients(self) -> frozenset[str]:

        return frozenset(name for path in self._paths for name in survey(path).patients)

    def expected(self) -> int | None:

        return sum(survey(path).rows for path in self._paths)


class Stored:
    """Stored readings of a range, patient by patient."""

    one_by_one = True

    def __init__(self, settings: Settings, wanted: Range):
        self._settings = settings
        self._wanted = wanted
        self.sources: tuple[str, ...] = (_describe_range(wanted),)
        self.left_out = 0

    def uploads(self) -> Iterator[Upload]:

        with connect(self._settings) as connection:
            for patient_id in history.list_patient_ids(connection, self._wanted):
                yield from history.read_uploads(connection, patient_id, self._wanted)

    def patients(self) -> frozenset[str]:

        with connect(self._settings) as connection:
            return frozenset(history.list_patient_ids(connection, self._wanted))

    def expected(self) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """The options of a command that select the history. None: not given."""

    from_store: bool
    ward: str | None
    patient: str | None
    since: datetime | None
    until: datetime | None

    @classmethod
    def parse(
        cls,
        *,
        from_store: bool,
        ward: str | None,
        patient: str | None,
        since: str | None,
        until: str | None,
    ) -> HistoryOptions:
        """Read the options as they were typed.

        Raises:
            InputError: ``since`` or ``until`` is no time.
        """
        return cls(
            from_store=from_store,
            ward=ward,
            patient=patient,
            since=parse_time(since, "--since"),
            until=parse_time(until, "--until"),
        )


def open_history(settings: Settings, files: list[Path], options: HistoryOptions) -> History:
    """Open the history that a command's arguments and options select.

    Raises:
        InputError: recordings and the store are both or neither selected, or a range is given for
            recordings.
    """
    narrowed = any((options.ward, options.patient, options.since, options.until))
    if options.from_store == bool(files):
        _refuse("Name recordings or --from-store, one of the two.", "FILE")
    if files:
        if narrowed:
            _refuse("--ward, --patient, --since and --until go with --from-store.", "FILE")
        for path in files:
            if not path.is_file():
                _refuse(f"{path} does not exist.", "FILE", "Check its name.")
        tolerance = timedelta(seconds=settings.future_tolerance_seconds)
        return Recordings(files, utc_now() + tolerance)
    if options.since and options.until and options.since >= options.until:
        _refuse("--since is not before --until.", "--since")
    return Stored(
        settings,
        Range(
            ward=options.ward,
            patients=(options.patient,) if options.patient else (),
            since=options.since,
            until=options.until,
        ),
    )


@contextmanager
def show_progress(history: History, title: str) -> Iterator[Callable[[Upload], None]]:
    """Show a progress bar on a terminal; yields a function to call with each upload.

    Raises:
        InputError: ``input.no_history``: the history had no reading.
    """
    console = Console(stderr=True)
    total = history.expected() if console.is_terminal else None
    readings = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)

        def count_upload(upload: Upload) -> None:
            nonlocal readings
            readings += len(upload.measurements)
            progress.update(task, completed=readings)

        yield count_upload
    if not readings:
        raise InputError(
            f"There are no readings in {', '.join(history.sources)}.",
            code="input.no_history",
            how_to_fix="Check the file's rows with `vigil replay --offline`, or widen the range.",
        )


def uploads_with_progress(source: History, title: str) -> Iterator[Upload]:
    """Yield a history's uploads, with a progress bar."""
    with show_progress(source, title) as seen:
        for upload in source.uploads():
            yield upload
            seen(upload)


def read_labels(path: Path, known: frozenset[str]) -> Mapping[str, list[Label]]:
    """Read labelled spans of patients: CSV with ``patient_id,start,end`` and optionally ``label``.

    Args:
        known: the patients of the history.

    Returns:
        Patient → labels in the file's order.

    Raises:
        InputError: ``input.broken_labels``, with the line.
    """
    labels: dict[str, list[Label]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            rows = csv.DictReader(text)
            if not {"patient_id", "start", "end"} <= set(rows.fieldnames or ()):
                _refuse_labels(path, 1, "its first line lacks one of patient_id, start, end")
            for row in rows:
                patient, label = _label(path, rows.line_num, row)
                if patient not in known:
                    _refuse_labels(path, rows.line_num, f"{patient} has no reading in this history")
                labels.setdefault(patient, []).append(label)
    except OSError as error:
        _refuse_labels(path, 0, f"it cannot be read: {error.strerror}")
    except (UnicodeDecodeError, csv.Error):
        _refuse_labels(path, 0, "it is not CSV in UTF-8")
    if not labels:
        _refuse_labels(path, 1, "it holds no label")
    return labels


def _label(path: Path, line: int, row: dict[str, str | None]) -> tuple[str, Label]:
    start, end = time_of(row["start"] or ""), time_of(row["end"] or "")
    if start is None or end is None:
        _refuse_labels(path, line, "start and end are times as 2026-11-21T06:00:00Z")
    if end < start:
        _refuse_labels(path, line, "it ends before it starts")
    return row["patient_id"] or "", Label(start, end, row.get("label") or "")


def _refuse_labels(path: Path, line: int, what: str) -> NoReturn:
    raise InputError(
        f"{path} cannot be used as labels: {what}.",
        code="input.broken_labels",
        field=f"line {line}" if line else "file",
        how_to_fix="Labels are CSV: patient_id,start,end and, if there are any, label.",
    )


def parse_time(word: str | None, option: str) -> datetime | None:
    """Read the time of an option; None: it was not given.

    Raises:
        InputError: it is no time.
    """
    if word is None:
        return None
    time = time_of(word) or time_of(f"{word}T00:00:00Z")
    if time is None:
        _refuse(f"{word!r} is no time.", option, "As 2026-11-21T06:00:00Z, or a day (UTC).")
    return time


def _refuse(why: str, option: str, how_to_fix: str = "") -> NoReturn:
    raise InputError(why, code="input.wrong_type", field=option, how_to_fix=how_to_fix)


def _describe_range(wanted: Range) -> str:
    parts = ["stored readings"]
    parts += [f"of ward {wanted.ward}"] if wanted.ward else []
    parts += [f"of {', '.join(wanted.patients)}"] if wanted.patients else []
    parts += [f"since {wanted.since.isoformat()}"] if wanted.since else []
    parts += [f"until {wanted.until.isoformat()}"] if wanted.until else []
    return " ".join(parts)
