"""``vigil replay``: plays a recording through the system, or through detection and wording."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from vigil.service.settings import Settings
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from ingest.recordings.reader import Refusal, Report
    from vigil.domain.reading import Upload

DEFAULT_WARD = "recordings"
SHOWN_REFUSALS = 10


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV, or CSV.gz.")],
    speed: Annotated[
        str, typer.Option(help="How many times faster than real time; `max`: without waiting.")
    ] = "max",
    ward: Annotated[
        str | None,
        typer.Option(help=f"Ward of its patients. [default: {DEFAULT_WARD}, for new ones]"),
    ] = None,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Shift times so that the newest row is now.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="In this process: no broker, no database.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Where --offline writes events and alerts. [default: stdout]"),
    ] = None,
    silence: Annotated[
        bool, typer.Option("--silence", help="Offline: judge missing data too.")
    ] = False,
) -> None:
    """Replay recordings through the system, or offline through detection and wording alone."""
    if offline:
        if speed != "max" or ward is not None or shift_to_now:
            raise typer.BadParameter(
                "--speed, --ward and --shift-to-now are for the running system;"
                " --offline reads no clock."
            )
        _offline(files, out, silence)
    else:
        if out is not None or silence:
            raise typer.BadParameter(
                "--out and --silence need --offline. The running system writes the events of a"
                " recording to its topics: see `vigil topics`."
            )
        factor = _parse_speed(speed)
        taken = [_online(path, factor, ward=ward, shift_to_now=shift_to_now) for path in files]
        _fail_if_nothing(sum(taken))


def _parse_speed(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise typer.BadParameter(f"--speed is a number above 0, or max; not {speed!r}.")
    return factor


def _offline(files: list[Path], out: Path | None, silence: bool) -> None:
    from cli.history.replay_summary import Findings
    from detectors.configuration import loading as config
    from history import offline_replay as offline
    from ingest.recordings.reader import Report, read_uploads

    settings = Settings()
    detection = config.load(settings.detection_config)
    report = Report(on_refusal=RefusalPrinter())
    latest = _latest_accepted_time(settings)
    recordings = [read_uploads(path, report=report, latest=latest) for path in files]
    uploads = heapq.merge(*recordings, key=attrgetter("received_at"))
    phrases, found = offline.shipped_phrasebook(settings), Findings()
    with _open_output(out) as sink:
        for event in offline.detect(uploads, detection, silence=silence):
            sink.writelines(offline.event_lines(event, phrases))
            found.add(event)
    _print_report(report, f"events {found.events}, alerts {found.events}")
    for line in found.lines(out) if report.taken else ():
        typer.echo(line, err=out is None)  # standard output is for the events, or is free
    _fail_if_nothing(report.taken)


def _fail_if_nothing(taken: int) -> None:
    """End with a status other than 0 where no reading was taken: a script must notice."""
    if not taken:
        typer.echo("No reading was taken: see the reasons above.", err=True)
        raise typer.Exit(1)


def _online(path: Path, speed: float | None, *, ward: str | None, shift_to_now: bool) -> int:
    """Replay one recording.

    Returns:
        How many readings were taken.
    """
    from rich.console import Console
    from rich.progress import Progress

    from history import replay as replaying
    from ingest.recordings.reader import Report, read_uploads, survey

    settings = Settings()
    found = survey(path)
    shift = timedelta(0)
    if shift_to_now and found.newest is not None:
        shift = utc_now().replace(microsecond=0) - found.newest
    enrolment = replaying.Enrolment(settings, ward, default=DEFAULT_WARD)
    typer.echo(f"{path}: {found.rows} rows, {len(found.patients)} patients")
    report = Report(on_refusal=RefusalPrinter())
    readings = 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=found.rows)

        def published(upload: Upload) -> None:
            nonlocal readings
            readings += len(upload.measurements)
            progress.update(task, completed=report.rows)

        uploads = read_uploads(
            path, report=report, latest=_latest_accepted_time(settings), shift=shift
        )
        due = replaying.paced(enrolment.enrolled(uploads), speed)
        replaying.publish(settings, due, published)
    _print_report(
        report, f"readings published {readings}, patients enrolled now {enrolment.changed}"
    )
    return report.taken


def _latest_accepted_time(settings: Settings) -> datetime:
    return utc_now() + timedelta(seconds=settings.future_tolerance_seconds)


@contextmanager
def _open_output(out: Path | None) -> Iterator[IO[bytes]]:
    """Open the output; a file appears once it is complete."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    part = out.with_name(f"{out.name}.part")
    with part.open("wb") as sink:
        yield sink
    part.replace(out)


class RefusalPrinter:
    """Prints the first refusals, one a line, and counts all of them."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, refusal: Refusal) -> None:
        """Print a refusal, or only count it after the first few."""
        self._count += 1
        if self._count <= SHOWN_REFUSALS:
            what = "row refused" if refusal.whole_row else "left out"
            typer.echo(f"line {refusal.line}: {what}: {refusal.error}", err=True)
        elif self._count == SHOWN_REFUSALS + 1:
            typer.echo("… further ones are only counted.", err=True)


def _print_report(report: Report, result: str) -> None:
    typer.echo(
        f"rows {report.rows}: taken {report.taken}, duplicates {report.duplicates},"
        f" refused {report.refused}; {result}",
        err=True,
    )
    if report.sorted_files:
        typer.echo(f"  {report.sorted_files} × rows not in order of time: sorted", err=True)
    for (code, field), times in sorted(report.reasons.items()):
        typer.echo(f"  {times} × {field} [{code}]", err=True)
    if report.left_out:
        typer.echo(f"  {report.left_out} of them left out of accepted rows", err=True)
