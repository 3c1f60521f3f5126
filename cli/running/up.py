"""``vigil up``: every service on this machine, for real devices."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(
    data: Annotated[
        Path, typer.Option(help="Data folder of the database and of Apache Kafka.")
    ] = Path(".vigil"),
) -> None:
    """Run every service here, and the broker and the database unless settings name others.

    Without KAFKA_HOME the broker keeps its log in memory: readings that no worker has
    processed yet are lost when it ends. It does not start on the data of `vigil demo`.
    """
    from local.optional_extra import require_packages

    require_packages()
    from local import command_line

    def when_up(settings: Settings, _stop: threading.Event) -> None:
        command_line.print_line(f"\nThe board: {settings.public_url}/board/")
        command_line.print_line(f"The door:  {settings.public_url}/v1/readings")
        command_line.print_line(
            "First user: vigil user add NAME --role admin. Ctrl-C stops everything."
        )

    command_line.run_locally(
        Settings(), data=data, prepare_all=command_line.prepare_real_system, when_up=when_up
    )
