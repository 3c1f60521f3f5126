"""Where the history to judge comes from: recordings, or what the database stored.

Both can be read as often as is needed and give the same uploads each time; neither is held.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    """What it is made of, in words that a report shows."""
    one_by_one: bool
    """Whether it comes patient by patient."""
    left_out: int
    """Faulty rows and measurements, once it was read to its end."""

    def uploads(self) -> Iterator[Upload]:
        """Each upload in the order of receipt, of all patients or of each."""

    def patients(self) -> frozenset[str]:
        """Everyone who is in it."""

    def expected(self) -> int | None:
        """About how many readings there are, for a progress bar; None: not known."""


class Recordings:
    """Files of readings, one after the other."""

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
    """What the database holds of a range, patient by patient."""

    one_by_one = True

    def __init__(self, settings: Settings, wanted: Range):
        self._settings = settings
        self._wanted = wanted
        self.sources: tuple[str, ...] = (_said(wanted),)
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


class Asked:
    """What the options of a command say of the history. Each is None where it was not given."""

    def __init__(
        self,
        *,
        from_store: bool,
        ward: str | None,
        patient: str | None,
        since: str | None,
        until: str | None,
    ):
        self.from_store = from_store
        self.ward, self.patient = ward, patient
        self.since, self.until = moment(since, "--since"), moment(until, "--until")


def chosen(settings: Settings, files: list[Path], asked: Asked) -> History:
    """The history that a command's words name.

    Raises:
        InputError: both or neither are named, or a range is given for files.
    """

    narrowed = any((asked.ward, asked.patient, asked.since, asked.until))
    if asked.from_store == bool(files):
        _refuse("Name recordings or --from-store, one of the two.", "FILE")
    if files:
        if narrowed:
            _refuse("--ward, --patient, --since and --until go with --from-store.", "FILE")
        for path in files:
            if not path.is_file():
                _refuse(f"{path} is not there.", "FILE", "Check its name.")
        tolerance = timedelta(seconds=settings.future_tolerance_seconds)
        return Recordings(files, utc_now() + tolerance)
    if asked.since and asked.until and asked.since >= asked.until:
        _refuse("--since is not before --until.", "--since")
    whose = (asked.patient,) if asked.patient else ()
    return Stored(settings, Range(asked.ward, whose, asked.since, asked.until))


@contextmanager
def watched(history: History, title: str) -> Iterator[Callable[[Upload], None]]:
    """A progress bar on a terminal; elsewhere nothing. Call what it gives with each upload.

    Raises:
        InputError: ``input.no_history``: not one reading came.
    """

    console = Console(stderr=True)
    total = history.expected() if console.is_terminal else None
    readings = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)

        def take(upload: Upload) -> None:
            nonlocal readings
            readings += len(upload.measurements)
            progress.update(task, completed=readings)

        yield take
    if not readings:
        raise InputError(
            f"There is no reading to judge in {', '.join(history.sources)}.",
            code="input.no_history",
            how_to_fix="Check the file's rows with `vigil replay --offline`, or widen the range.",
        )


def read_labels(path: Path, known: frozenset[str]) -> Mapping[str, list[Label]]:
    """Labelled spans of patients: CSV with ``patient_id,start,end`` and perhaps ``label``.

    Raises:
        InputError: ``input.broken_labels``, with the line.
    """
    labels: dict[str, list[Label]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            rows = csv.DictReader(text)
            if not {"patient_id", "start", "end"} <= set(rows.fieldnames or ()):
                _broken(path, 1, "its first line lacks one of patient_id, start, end")
            for row in rows:
                patient, label = _label(path, rows.line_num, row)
                if patient not in known:
                    _broken(path, rows.line_num, f"{patient} has no reading in this history")
                labels.setdefault(patient, []).append(label)
    except OSError as error:
        _broken(path, 0, f"it cannot be read: {error.strerror}")
    except (UnicodeDecodeError, csv.Error):
        _broken(path, 0, "it is not CSV in UTF-8")
    if not labels:
        _broken(path, 1, "it holds no label")
    return labels


def _label(path: Path, line: int, row: dict[str, str | None]) -> tuple[str, Label]:

    start, end = time_of(row["start"] or ""), time_of(row["end"] or "")
    if start is None or end is None:
        _broken(path, line, "start and end are times as 2026-11-21T06:00:00Z")
    if end < start:
        _broken(path, line, "it ends before it starts")
    return row["patient_id"] or "", Label(start, end, row.get("label") or "")


def _broken(path: Path, line: int, what: str) -> NoReturn:
    raise InputError(
        f"{path} cannot be used as labels: {what}.",
        code="input.broken_labels",
        field=f"line {line}" if line else "file",
        how_to_fix="Labels are CSV: patient_id,start,end and, if there are any, label.",
    )


def moment(word: str | None, option: str) -> datetime | None:
    """The moment that an option names; None: it was not given.

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


def _said(wanted: Range) -> str:
    parts = ["stored readings"]
    parts += [f"of ward {wanted.ward}"] if wanted.ward else []
    parts += [f"of {', '.join(wanted.patients)}"] if wanted.patients else []
    parts += [f"since {wanted.since.isoformat()}"] if wanted.since else []
    parts += [f"until {wanted.until.isoformat()}"] if wanted.until else []
    return " ".join(parts)
