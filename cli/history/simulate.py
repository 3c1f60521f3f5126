"""``vigil simulate``: writes a synthetic recording and the truth about its people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    out: Annotated[Path, typer.Option(help="The recording: CSV, or CSV.gz.")],
    truth: Annotated[Path, typer.Option(help="What happens to whom: CSV.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long.")] = 3,
    patients: Annotated[int, typer.Option(min=1, max=10_000, help="How many people.")] = 12,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="A scenario to assign; repeat for several. [default: all, and none]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated people.")] = 1,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = datetime(2026, 1, 1, tzinfo=UTC),
) -> None:
    """Write a synthetic recording, and a table of what is hidden in it."""
    from ingest.simulator import SCENARIOS, recorded

    names = tuple(scenario) if scenario else (*SCENARIOS, "none")
    for name in names:
        if name not in SCENARIOS and name != "none":
            known = ", ".join((*SCENARIOS, "none"))
            raise typer.BadParameter(f"{name!r} is not a scenario. Known: {known}.")
    first = start.replace(tzinfo=UTC)
    everyone = recorded.people(patients, seed, names, first, days)
    rows = recorded.write(out, everyone, first, days)
    events = recorded.write_truth(truth, everyone)
    typer.echo(f"{out}: {rows} rows of {patients} synthetic patients; {truth}: {events} rows")
