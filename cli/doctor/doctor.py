"""``vigil doctor`` and ``vigil health``: checks of the installation and of a running service."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

MARKS = {"ok": "✓", "note": "·", "wrong": "✗"}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(doctor)
    app.command()(health)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what is reachable, installed and missing, and how to fix it.

    The exit status is 0 where everything that is needed works, 1 otherwise.
    """
    from cli.doctor.examination import examine
    from cli.tables import print_table

    findings = examine()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        rows = [(MARKS[f.state], f.part, f.what, f.how_to_fix) for f in findings]
        print_table(["", "part", "found", "how to fix it"], rows, "")
    raise typer.Exit(1 if any(f.state == "wrong" for f in findings) else 0)


def health(
    port: Annotated[
        int, typer.Option(help="Where the service answers; 0: its VIGIL_HEALTH_PORT.")
    ] = 0,
) -> None:
    """Ask a service on this machine whether it is ready: exit status 0 if it is."""
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    from vigil.service.settings import Settings

    asked = port or Settings().health_port
    try:
        with urlopen(f"http://127.0.0.1:{asked}/health/ready", timeout=4) as answer:
            typer.echo(answer.read().decode())
    except HTTPError as error:
        typer.echo(error.read().decode(), err=True)
        raise typer.Exit(1) from None
    except (URLError, OSError) as error:
        typer.echo(f"nothing answers on port {asked}: {error}", err=True)
        raise typer.Exit(1) from None
