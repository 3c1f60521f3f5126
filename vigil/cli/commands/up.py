"""``vigil up``: every service on this machine, for real devices."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from vigil.settings import Settings


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
        from vigil.cli import local

        def tell(settings: Settings, _stop: threading.Event) -> None:
            local.say(f"\nThe board: {settings.public_url}/board/")
            local.say(f"The door:  {settings.public_url}/v1/readings")
            local.say("First user: vigil user add NAME --role admin. Ctrl-C stops everything.")

        local.run(Settings(), data, local.prepare_real, tell)
