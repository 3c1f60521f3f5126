"""``vigil up``: every service on this machine, for real devices."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def up(
        data: Annotated[
            Path, typer.Option(help="Where the database and Kafka keep what they hold.")
        ] = Path(".vigil"),
    ) -> None:
        """Run every service here, with the broker and the database that no setting names.

        Without KAFKA_HOME the broker keeps its log in memory: readings that no worker has taken
        yet are lost when it ends. It does not start on what `vigil demo` left.
        """
        from local.extra import require_packages

        require_packages()
        from local import command_line

        def tell(settings: Settings, _stop: threading.Event) -> None:
            command_line.say(f"\nThe board: {settings.public_url}/board/")
            command_line.say(f"The door:  {settings.public_url}/v1/readings")
            command_line.say(
                "First user: vigil user add NAME --role admin. Ctrl-C stops everything."
            )

        command_line.run(Settings(), data, command_line.prepare_real, tell)
