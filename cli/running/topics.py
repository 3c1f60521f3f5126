"""``vigil topics``: the topics, which integrators can read."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.contracts import topics
from vigil.kafka.provisioning import create_topics, find_differences
from vigil.service.settings import Settings

HEADINGS = ("topic", "carries", "kept", "for", "what")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("topics")(list_topics)


def list_topics(
    create: Annotated[
        bool, typer.Option("--create", help="Create the topics that the broker lacks.")
    ] = False,
) -> None:
    """List the topics, what they carry and how long it is kept.

    With --create: also report existing topics that differ from the configuration. They are never
    changed. The exit status is 1 where messages would be lost or refused.
    """
    from rich.console import Console
    from rich.table import Table

    grave = create and _create(Settings())
    table = Table(*HEADINGS, box=None, pad_edge=False)
    for topic in topics.TOPICS.values():
        cells = (
            topic.name,
            ", ".join(getattr(c, "__name__", "entry") for c in topic.carries) or "any bytes",
            "newest of each key" if topic.compacted else f"{topic.retention_hours // 24} days",
            "integrators" if topic.public else "Vigil itself",
            topic.description,
        )
        table.add_row(*cells)
    Console().print(table)
    raise typer.Exit(1 if grave else 0)


def _create(settings: Settings) -> bool:
    """Create missing topics and report differences; True where Vigil must not start on them."""
    for name in create_topics(settings):
        typer.echo(f"created {name}")
    found = find_differences(settings)
    for difference in found:
        typer.echo(f"{difference.topic} {difference.what}\n  {difference.how_to_fix}", err=True)
    return not all(difference.starts for difference in found)
