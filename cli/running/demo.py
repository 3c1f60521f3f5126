"""``vigil demo``: everything on one machine, with simulated patients, in one command."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Keep the data in this folder; without it they are deleted."),
    ] = None,
    patients: Annotated[int, typer.Option(min=1, max=500, help="How many people.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed of the simulated people.")] = 7,
    speed: Annotated[
        float, typer.Option(min=1, help="Speed at which the last two hours are played.")
    ] = 120,
) -> None:
    """Run everything on this machine with simulated patients, whose last hours play fast."""
    from local.optional_extra import require_packages

    require_packages()
    from local import command_line
    from local.demo import Demo, Plan
    from local.demo_remains import PASSWORD, USER
    from vigil.web.web_push import new_private_key

    given = Settings()
    secrets = {} if given.vapid_private_key else {"vapid_private_key": new_private_key()}
    own = "database_url" not in given.model_fields_set
    demonstration = Demo(Plan(patients, seed, speed), own_database=own)

    def when_up(settings: Settings, stop: threading.Event) -> None:
        demonstration.start(settings, stop)
        command_line.print_line(f"\nThe board: {settings.public_url}/board/")
        command_line.print_line(
            f"Sign in as {USER} with the password {PASSWORD}. All patients are simulated."
        )
        command_line.print_line("Ctrl-C stops everything.")

    shown = given.patient_text if "patient_text" in given.model_fields_set else "verified"
    settings = Settings(demo=True, patient_text=shown, **secrets)
    command_line.run_locally(
        settings, data=data, prepare_all=demonstration.prepare, when_up=when_up
    )
