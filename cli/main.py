"""``vigil``: the command line; each command has a file of its own in the folders below."""

from __future__ import annotations

import os
import sys

import typer

from cli.doctor import doctor
from cli.history import backtest, budget, rebuild, replay, simulate
from cli.people import device, notify, patient, reading, user
from cli.running import demo, run, schemas, topics, up
from cli.stream import dead_letter, stream
from cli.words import explain, explain_evaluate
from local import running
from vigil import __version__
from vigil.service import logs
from vigil.service.errors import VigilError

app = typer.Typer(
    name="vigil",
    help="Watches what wearables send, and reports what is unusual for this person.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


COMMANDS = (
    demo,
    up,
    run,
    replay,
    backtest,
    budget,
    rebuild,
    simulate,
    doctor,
    topics,
    schemas,
    notify,
    patient,
    device,
    reading,
    dead_letter,
    stream,
    explain,
    explain_evaluate,
    user,
)
"""In the order of ``vigil --help``; adding one adds a file with ``add_to(app)``."""
STARTS_ITS_OWN = frozenset({"up", "demo", "run"})
"""Commands that do not use the addresses of a Vigil that runs already."""


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """Supports trained staff. Not a diagnosis, and never the sole alarm."""
    if context.invoked_subcommand not in STARTS_ITS_OWN:
        running.adopt_addresses(os.environ)
    if version:
        typer.echo(f"vigil {__version__}")
        raise typer.Exit


for command in COMMANDS:
    command.add_to(app)


def main() -> None:
    """Entry point: a :class:`VigilError` is printed as one line, with exit status 2."""
    logs.configure(None, "cli")  # a service sets up its own
    try:
        app()
    except VigilError as error:
        typer.echo(f"vigil: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
