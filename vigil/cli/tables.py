"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer

WIDE = 500
"""Columns where nobody looks: a pipe or a file gets whole lines, never folded ones."""


def show(headings: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Print rows under headings, as they are (no markup is read in them); ``empty`` if none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if not table.row_count:
        typer.echo(empty)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(table)
