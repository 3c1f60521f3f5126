"""``vigil``: every command, one file each beside this one."""

from __future__ import annotations

import os
import sys

import typer

from vigil import __version__, logs
from vigil.cli import commands
from vigil.errors import VigilError
from vigil.local import running

app = typer.Typer(
    name="vigil",
    help="Watches what wearables send, and says what is unusual for this person.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


STARTS_ITS_OWN = frozenset({"up", "demo", "run"})
"""Commands that do not look for a Vigil that runs already."""


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """Supports trained staff. Not a diagnosis, and never the sole alarm."""
    if context.invoked_subcommand not in STARTS_ITS_OWN:
        running.adopt(os.environ)
    if version:
        typer.echo(f"vigil {__version__}")
        raise typer.Exit


commands.register(app)


def main() -> None:
    """Entry point: an error of ours is one clear line and exit status 2, never a traceback."""
    logs.configure(None, "cli")  # a service sets up its own
    try:
        app()
    except VigilError as error:
        typer.echo(f"vigil: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
