"""``vigil topics``: what integrators can read."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil import topics
from vigil.provisioning import create_topics
from vigil.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("topics")
    def list_topics(
        create: Annotated[
            bool, typer.Option("--create", help="Create on the broker what it lacks.")
        ] = False,
    ) -> None:
        """List the topics, what they carry and for how long."""
        from rich.console import Console
        from rich.table import Table

        if create:
            for name in create_topics(Settings()):
                typer.echo(f"created {name}")
        table = Table("topic", "carries", "kept", "for", "what", box=None, pad_edge=False)
        for topic in topics.TOPICS.values():
            table.add_row(
                topic.name,
                ", ".join(getattr(c, "__name__", "entry") for c in topic.carries) or "any bytes",
                "newest of each key" if topic.compacted else f"{topic.retention_hours // 24} days",
                "integrators" if topic.public else "Vigil itself",
                topic.description,
            )
        Console().print(table)
