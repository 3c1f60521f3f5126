"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from store.database.connections import Connection

Stored = TypeVar("Stored")

WIDE = 500
"""Columns where the output is no terminal: lines in a pipe or a file are not wrapped."""


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Print rows under headings, without interpreting markup; print ``empty`` if there are none."""
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


def print_stored(
    read: Callable[[Connection], Iterable[Stored]],
    headings: Sequence[str],
    row: Callable[[Stored], Sequence[str]],
    empty: str,
) -> None:
    """Print rows of the database as a table.

    Args:
        read: reads the objects.
        headings: of the columns.
        row: formats an object's cells.
        empty: what is printed where there are none.

    Raises:
        UnavailableError: the database does not answer.
    """
    from store.database.connections import connect
    from vigil.service.settings import Settings

    with connect(Settings()) as connection:
        rows = [row(one) for one in read(connection)]
    print_table(headings, rows, empty)
