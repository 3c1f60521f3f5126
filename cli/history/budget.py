"""``vigil budget``: alarms per patient-day compared with the budget of a ward and a patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.history.history_options import Files, FromStore, OfPatient, OfWard, Since, Until
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.tuning.budget import Load
    from detectors.tuning.proposal import Proposal
    from vigil.domain.reading import Upload

PATIENTS = 10
"""Patients that the report shows: those with the most alarms per patient-day."""

Config = Annotated[
    Path | None,
    typer.Option(help="The detection file. [default: what VIGIL_DETECTION_CONFIG names]"),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="How many alarms are few enough.", no_args_is_help=True)
    app.add_typer(group, name="budget")
    group.command("report")(report)
    group.command("propose")(propose)
    group.command("approve")(approve)


def report(
    files: Files = None,
    *,
    config: Config = None,
    from_store: FromStore = False,
    ward: OfWard = None,
    patient: OfPatient = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Show each ward's and patient's alarms per patient-day against the budget."""
    from detectors.configuration.loading import load
    from detectors.tuning.backtest import Backtest
    from detectors.tuning.budget import by_patient, by_ward
    from history import sources as history

    settings = Settings()
    detection = load(config or settings.detection_config)
    options = history.HistoryOptions.parse(
        from_store=from_store, ward=ward, patient=patient, since=since, until=until
    )
    source = history.open_history(settings, files or [], options)
    run = Backtest(detection, one_by_one=source.one_by_one)
    outcome = run.play(history.uploads_with_progress(source, "playing"))
    alarms, watched = outcome.before.alarms(), outcome.days.watched()
    _print_loads("ward", by_ward(detection, alarms, watched))
    typer.echo()
    _print_loads("patient", by_patient(detection, alarms, watched)[:PATIENTS])


def propose(
    files: Files = None,
    *,
    out: Annotated[Path, typer.Option(help="Write the proposal here, for a person to read.")],
    config: Config = None,
    from_store: FromStore = False,
    ward: OfWard = None,
    patient: OfPatient = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Propose looser medium and low limits for who is over the budget. Changes nothing."""
    from cli.files import write_file
    from detectors.tuning.proposal import propose as search
    from history import proposal_files
    from history import sources as history

    settings = Settings()
    operator = proposal_files.read_operator_file(config or settings.detection_config)
    options = history.HistoryOptions.parse(
        from_store=from_store, ward=ward, patient=patient, since=since, until=until
    )
    source = history.open_history(settings, files or [], options)
    passes = 0

    def uploads() -> Iterator[Upload]:
        nonlocal passes
        passes += 1
        yield from history.uploads_with_progress(source, f"playing, pass {passes}")

    proposal, loads = search(
        operator.tables, operator.digest, uploads, source.sources, one_by_one=source.one_by_one
    )
    _print_loads("ward", loads)
    write_file(out, proposal_files.format_proposal(proposal).encode())
    _print_proposal(proposal, out)


def approve(
    proposal: Annotated[Path, typer.Argument(help="As `propose` wrote it.")],
    *,
    by: Annotated[str, typer.Option(help="Who approves it: a person's name.")],
    why: Annotated[str, typer.Option(help="Kept in the log.")] = "alarms over the budget",
    config: Config = None,
) -> None:
    """Put an approved proposal into the detection file. A person does this, nothing else does."""
    from history import proposal_files
    from vigil.values.clock import utc_now

    target = config or Settings().detection_config
    if target is None:
        raise typer.BadParameter("Name the detection file: --config, or VIGIL_DETECTION_CONFIG.")
    if not proposal_files.one_line(by):
        raise typer.BadParameter("--by is a person's name.")
    approval = proposal_files.Approval(by, why, utc_now().replace(microsecond=0))
    approved = proposal_files.approve(proposal, target, approval)
    for change in approved.changes:
        name = ".".join((*change.table, change.key))
        typer.echo(f"{name}: {change.before:g} → {change.after:g}")
    typer.echo(f"{target} is changed; {proposal_files.approval_log(target)} records by whom.")
    typer.echo("Not in force yet: restart the detectors (`docker compose restart detectors`).")


def _print_loads(what: str, loads: list[Load]) -> None:
    from cli.tables import print_table

    headings = (
        what,
        "patient-days",
        "high",
        "medium",
        "low",
        "per patient-day",
        "budget",
        "",
        "mostly",
    )
    rows = [
        (
            load.scope,
            f"{load.patient_days:.1f}",
            str(load.high),
            str(load.medium),
            str(load.low),
            f"{load.per_patient_day:.3f}",
            f"{load.budget:g}",
            "over" if load.over else "",
            ", ".join(f"{rule} {count}" for rule, count in load.rules[:3]),
        )
        for load in loads
    ]
    print_table(headings, rows, f"no {what} with an alarm")


def _print_proposal(proposal: Proposal, out: Path) -> None:
    for row in proposal.predicted:
        end = "" if row.met else f"; cannot be met, {row.least:.3f} at the bounds: no change"
        typer.echo(
            f"{row.scope}: {row.before:.3f} → {row.after:.3f} alarms per patient-day,"
            f" budget {row.budget:g}{end}"
        )
    for change in proposal.changes:
        name = ".".join((*change.table, change.key))
        typer.echo(f"  {name}: {change.before:g} → {change.after:g}")
    typer.echo(
        f"{len(proposal.changes)} changes, {len(proposal.lost)} alarms no longer given,"
        f" {len(proposal.altered)} changed; {proposal.high.alarms} at high priority,"
        f" unchanged. {out} has the details."
    )
    if proposal.changes:
        typer.echo("Nothing is changed until a person approves it: `vigil budget approve`.")
