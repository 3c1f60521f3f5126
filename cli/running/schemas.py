"""``vigil schemas``: writes the schemas of the topics to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vigil.contracts import schemas


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schemas")(write_schemas)


def write_schemas(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path("docs"),
) -> None:
    """Write the JSON Schemas and the AsyncAPI document of the topics."""
    for path in schemas.write_schemas(folder):
        typer.echo(str(path))
