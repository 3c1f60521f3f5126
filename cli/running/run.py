"""``vigil run SERVICE…`` and ``vigil migrate``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import services
from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(migrate)


def run(
    service: Annotated[list[str], typer.Argument(help=f"One of: {', '.join(services.SERVICES)}.")],
) -> None:
    """Run one service; ingest and dashboard may share a process: `run ingest dashboard`."""
    for name in service:
        if name not in services.SERVICES:
            known = ", ".join(services.SERVICES)
            raise typer.BadParameter(f"{name!r} is not a service. Known: {known}.")
    workers = [name for name in service if services.SERVICES[name] == "worker"]
    if workers and len(service) > 1:
        raise typer.BadParameter(
            f"{workers[0]} runs in a process of its own: `vigil run {workers[0]}`."
        )
    services.run(service, Settings())


def migrate() -> None:
    """Migrate the database to the newest schema."""
    from store.database.migrate import migrate as apply

    applied = apply(Settings().database())
    typer.echo("\n".join(applied) if applied else "nothing to do")
