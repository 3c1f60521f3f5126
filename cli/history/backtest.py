"""``vigil backtest``: plays a history through two configurations and compares their alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.files import write_file
from cli.history.history_options import Files, FromStore, OfPatient, OfWard, Since, Until
from vigil.service.errors import InputError
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from detectors.configuration.loading import DetectionConfig
    from detectors.tuning.labels import Label
    from detectors.tuning.report import Configuration, Report
    from history.sources import History

LISTED = 10
"""Number of gained and of lost alarms that the terminal shows; the files have all."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


Configs = Annotated[
    list[Path] | None,
    typer.Option(
        help="A detection file; twice: before and after. Once: the defaults are before."
        " Never: the defaults alone."
    ),
]
Page = Annotated[Path | None, typer.Option(help="Write a page with plots here.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write everything here, for programs.")]
Labels = Annotated[
    Path | None, typer.Option(help="CSV: patient_id,start,end[,label]; scores them, too.")
]
Silence = Annotated[bool, typer.Option("--silence", help="Judge missing data, too.")]


@dataclass(frozen=True, slots=True)
class NamedConfiguration:
    """A detection configuration with its name and hash in the report."""

    detection: DetectionConfig
    description: Configuration


def backtest(
    files: Files = None,
    *,
    config: Configs = None,
    out: Page = None,
    as_json: Json = None,
    labels: Labels = None,
    silence: Silence = False,
    from_store: FromStore = False,
    ward: OfWard = None,
    patient: OfPatient = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Compare the alarms that two configurations would have given over the same history."""
    from history import sources as history

    before, after = load_configurations(config or [])
    options = history.HistoryOptions.parse(
        from_store=from_store, ward=ward, patient=patient, since=since, until=until
    )
    source = history.open_history(Settings(), files or [], options)
    spans = history.read_labels(labels, source.patients()) if labels else None
    report = play(source, before, after, silence=silence, labels=spans)
    write_report(report, out, as_json)
    print_report(report, source.left_out)


def play(
    source: History,
    before: NamedConfiguration,
    after: NamedConfiguration | None,
    *,
    silence: bool,
    labels: Mapping[str, list[Label]] | None,
) -> Report:
    """Play a history through one or two configurations.

    Args:
        silence: judge missing data, too.
        labels: patient → labelled spans, for the report.
    """
    from detectors.tuning.backtest import Backtest
    from detectors.tuning.report import make
    from history.sources import uploads_with_progress

    run = Backtest(
        before.detection,
        after.detection if after else None,
        silence=silence,
        one_by_one=source.one_by_one,
    )
    outcome = run.play(uploads_with_progress(source, "playing"))
    return make(
        outcome,
        before.description,
        after.description if after else None,
        sources=source.sources,
        labels=labels,
    )


def load_configurations(paths: list[Path]) -> tuple[NamedConfiguration, NamedConfiguration | None]:
    """Load the configurations before and after; after is None where one is run alone.

    Raises:
        InputError: more than two.
        SettingsError: one cannot be used.
    """
    from detectors.configuration.loading import load
    from detectors.tuning.report import Configuration

    if len(paths) > 2:
        raise InputError(
            f"--config is given {len(paths)} times.",
            code="input.wrong_type",
            field="--config",
            how_to_fix="Two configurations can be compared.",
        )
    named: list[NamedConfiguration] = []
    for path in ([None] if len(paths) < 2 else []) + list(paths):
        found = load(path)
        description = Configuration(str(path or "defaults"), found.config_hash)
        named.append(NamedConfiguration(found, description))
    return named[0], named[1] if len(named) > 1 else None


def write_report(report: Report, out: Path | None, as_json: Path | None) -> None:
    """Write the files that the options name; each appears once it is complete."""
    import msgspec

    from cli.history import backtest_page

    if as_json is not None:
        encoded = msgspec.json.encode(report, order="deterministic")
        write_file(as_json, msgspec.json.format(encoded, indent=1) + b"\n")
    if out is not None:
        write_file(out, backtest_page.render_page(report).encode())


def print_report(report: Report, left_out: int) -> None:
    """Print the result on the terminal."""
    from cli.tables import print_table

    counted = report.counted
    typer.echo(
        f"{counted.patients} patients, {counted.patient_days:.1f} patient-days"
        f" ({counted.by_hours} by hours with readings, {counted.by_calendar} by calendar days),"
        f" {counted.readings} readings"
    )
    if left_out:
        typer.echo(f"{left_out} faulty rows or measurements were left out", err=True)
    headings = ["kind", "priority", "before"]
    headings += ["after", "difference", "95 %"] if report.after else []
    rows = []
    for rate in report.rates:
        name = rate.kind if rate.kind != "all" else f"all {rate.category}"
        row = [name, rate.priority, f"{rate.before_per_patient_day:.3f}"]
        span = f"{rate.interval.low:+.3f} … {rate.interval.high:+.3f}" if rate.interval else "–"
        if report.after:
            row += [f"{rate.after_per_patient_day:.3f}", f"{rate.difference:+.3f}", span]
        rows.append(row)
    typer.echo("\nalarms per patient-day")
    print_table(headings, rows, "no alarms")
    _print_labels(report)
    if report.after:
        _print_differences(report)


def _print_labels(report: Report) -> None:
    for name, rows in (("before", report.found_before), ("after", report.found_after)):
        for row in rows:
            rate = "–" if row.sensitivity is None else f"{row.sensitivity:.3f}"
            typer.echo(
                f"labels, {name}, {row.priority}{'' if row.priority == 'high' else ' and above'}:"
                f" {row.found} of {row.labels} found ({rate}),"
                f" {row.false_per_patient_day:.3f} alarms without a label per patient-day"
            )


def _print_differences(report: Report) -> None:
    typer.echo(
        f"\ngained {len(report.gained)}, lost {len(report.lost)}, changed"
        f" {len(report.changed)}, split {len(report.split)}, joined {len(report.joined)},"
        f" alike {report.same}; high priority"
        f" {'unchanged' if report.high_unchanged else 'CHANGED'}"
    )
    for word, alarms in (("gained", report.gained), ("lost", report.lost)):
        for alarm in alarms[:LISTED]:
            worst = "" if alarm.extreme is None else f", worst {alarm.extreme:g}"
            announced = alarm.announced_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            typer.echo(
                f"  {word} {alarm.patient_id} {announced} {alarm.kind} ({alarm.priority}{worst})"
            )
        if len(alarms) > LISTED:
            typer.echo(f"  … {len(alarms) - LISTED} more {word}")
