"""Options that select the history to play: recordings, or a part of the stored readings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE…]", help="Recordings: CSV, or CSV.gz.")
]
FromStore = Annotated[
    bool, typer.Option("--from-store", help="Stored readings of the database instead of files.")
]
OfWard = Annotated[str | None, typer.Option("--ward", help="Stored patients of this ward.")]
OfPatient = Annotated[str | None, typer.Option("--patient", help="This stored patient.")]
Since = Annotated[str | None, typer.Option(help="Measured then or later, RFC 3339.")]
Until = Annotated[str | None, typer.Option(help="Measured before then.")]
