"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from store.database.connections import Connection

Stored = TypeVar("Stored")

WIDE = 500
"""Columns where nobody looks: a pipe or a file gets whole lines, never folded ones."""


def show(headings: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Print rows under headings, as they are (no markup is read in them); ``empty`` if none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vigil.values.bidi import isolated

    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(isolated(cell)) for cell in row))
    if not table.row_count:
        typer.echo(empty)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(table)


def show_stored(
    read: Callable[[Connection], Iterable[Stored]],
    headings: Sequence[str],
    row: Callable[[Stored], Sequence[str]],
    empty: str,
) -> None:
    """Print everything that the database holds of a kind, as :func:`show` does.

    Raises:
        UnavailableError: the database does not answer.
    """
    from store.database.connections import connect
    from vigil.service.settings import Settings

    with connect(Settings()) as connection:
        rows = [row(one) for one in read(connection)]
    show(headings, rows, empty)
