"""What the commands that play history are told of it: recordings, or which part of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE…]", help="Recordings: CSV, or CSV.gz.")
]
FromStore = Annotated[
    bool, typer.Option("--from-store", help="What the database holds, not files.")
]
OfWard = Annotated[str | None, typer.Option("--ward", help="Stored patients of this ward.")]
OfPatient = Annotated[str | None, typer.Option("--patient", help="This stored patient.")]
Since = Annotated[str | None, typer.Option(help="Measured then or later, RFC 3339.")]
Until = Annotated[str | None, typer.Option(help="Measured before then.")]
