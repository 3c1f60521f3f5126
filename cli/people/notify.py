"""``vigil notify``: the push keys, and the log of what was sent."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.service.settings import Settings

HEADINGS = ("published", "channel", "patient", "why", "state", "tries", "shown", "detail")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Push keys, and the log of what was sent.", no_args_is_help=True)
    app.add_typer(group, name="notify")
    group.command()(keys)
    group.command("log")(show_log)


def keys() -> None:
    """Make a key pair for Web Push (VAPID, RFC 8292)."""
    from vigil.web.web_push import new_private_key, public_key

    private = new_private_key()
    typer.echo(f"VIGIL_VAPID_PRIVATE_KEY={private}")
    typer.echo(
        f"\nThe public key is {public_key(private)}\n"
        "Keep the line above in the environment of `dashboard` and `notify`, the same in"
        " both,\nand out of version control. Set VIGIL_VAPID_CONTACT to an address that you"
        " read:\npush services write to it, and some refuse an invalid one.\n"
        "With another key every phone must turn its notifications on again.",
        err=True,
    )


def show_log(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    event: Annotated[str | None, typer.Option(help="Of this event only.")] = None,
) -> None:
    """List what was sent, newest first: to whom, its state, when it was shown."""
    from rich.console import Console
    from rich.table import Table

    from store.database.connections import connect
    from store.notifications import deliveries

    with connect(Settings()) as connection:
        rows = deliveries.newest(connection, limit, event)
    table = Table(*HEADINGS, box=None, pad_edge=False)
    for row in rows:
        shown = row["shown_at"]
        cells = (
            f"{row['made_at']:%Y-%m-%d %H:%M:%S}",
            row["channel"],
            row["patient_id"],
            f"{row['priority']} {row['reason']}",
            row["state"],
            str(row["attempts"]),
            f"{shown:%H:%M:%S}" if shown else "",
            row["detail"],
        )
        table.add_row(*cells)
    Console().print(table)
