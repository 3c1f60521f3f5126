"""Says that something is revoked once no door lets it in any more, or what it still waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from store.database.connections import Connection


def say(connection: Connection, done: str, again: str) -> None:
    """Wait for the doors, and say what is so; the exit status is 1 where it is not in force.

    Args:
        done: what was done, as ``watch-1 is revoked``.
        again: the command that asks once more.
    """
    from store.people import in_force

    answer = in_force.wait_until_in_force(connection)
    if answer.yes:
        typer.echo(done)
        return
    typer.echo(f"{done} in the database, and not yet in force at every door. {answer.why}")
    typer.echo(f"Ask again: `{again}`.")
    raise typer.Exit(1)
