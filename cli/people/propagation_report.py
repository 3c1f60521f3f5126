"""Reports a revocation once no gateway accepts the key any more, or what is still missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from store.database.connections import Connection


def report_propagation(connection: Connection, done: str, again: str) -> None:
    """Wait for the gateways and report; exit with status 1 where the change is not in force.

    Args:
        done: what was done, as ``watch-1 is revoked``.
        again: the command that checks again.
    """
    from store.people import propagation

    answer = propagation.wait_for_propagation(connection)
    if answer.complete:
        typer.echo(done)
        return
    typer.echo(f"{done} in the database, but not yet in force at every gateway. {answer.missing}")
    typer.echo(f"Check again: `{again}`.")
    raise typer.Exit(1)
