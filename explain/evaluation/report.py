"""A report as plain text for the terminal and as Markdown for a file with markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from vigil.service.errors import InputError

BEGIN, END = "<!-- words -->", "<!-- /words -->"


class Table(Struct, frozen=True):
    """One table of the report."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def share(part: int, whole: int) -> str:
    """``3 of 400 (0.75 %)``.

    >>> share(3, 400), share(0, 400), share(0, 0)
    ('3 of 400 (0.75 %)', '0 of 400', 'none asked')
    """
    if not whole:
        return "none asked"
    text = f"{part:,} of {whole:,}"
    return f"{text} ({100 * part / whole:.2f} %)" if part else text


def markdown(tables: Iterable[Table]) -> str:
    """All tables, each below its heading."""
    return "\n\n".join(_one(table) for table in tables)


def _one(table: Table) -> str:
    lines = [f"### {table.title}", ""]
    if table.note:
        lines += [table.note, ""]
    lines += [_row(table.columns), _row(["---"] * len(table.columns))]
    lines += [_row(row) for row in table.rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(escaped) + " |"


def replaced(text: str, block: str, where: str) -> str:
    """A file's text with another report between its markers.

    Raises:
        InputError: the file has no markers.

    >>> replaced(f"a {BEGIN} old {END} b", "new", "x.md") == f"a {BEGIN}\\n\\nnew\\n\\n{END} b"
    True
    """
    head, begun, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not begun or not ended:
        raise InputError(
            f"{where} has no place for the report.",
            code="input.missing_field",
            field="--results",
            how_to_fix=f"Put the lines {BEGIN} and {END} where it should stand.",
        )
    return f"{head}{BEGIN}\n\n{block}\n\n{END}{tail}"
