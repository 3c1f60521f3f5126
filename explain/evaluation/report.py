"""A report as Markdown, for the terminal or for a file with markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vigil.service.errors import InputError

BEGIN, END = "<!-- words -->", "<!-- /words -->"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the report."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def format_share(part: int, whole: int) -> str:
    """``3 of 400 (0.75 %)``.

    >>> format_share(3, 400), format_share(0, 400), format_share(0, 0)
    ('3 of 400 (0.75 %)', '0 of 400', 'none asked')
    """
    if not whole:
        return "none asked"
    text = f"{part:,} of {whole:,}"
    return f"{text} ({100 * part / whole:.2f} %)" if part else text


def to_markdown(tables: Iterable[Table]) -> str:
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


def replace_report(text: str, block: str, where: str) -> str:
    """A file's text with another report between its markers.

    Raises:
        InputError: the file has no markers.

    >>> found = replace_report(f"a {BEGIN} old {END} b", "new", "x.md")
    >>> found == f"a {BEGIN}\\n\\nnew\\n\\n{END} b"
    True
    """
    head, begun, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not begun or not ended:
        raise InputError(
            f"{where} has no markers for the report.",
            code="input.missing_field",
            field="--results",
            how_to_fix=f"Put the lines {BEGIN} and {END} where the report belongs.",
        )
    return f"{head}{BEGIN}\n\n{block}\n\n{END}{tail}"
