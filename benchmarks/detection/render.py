"""A report as text for the terminal, and as Markdown for RESULTS.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.detection.report import Aim, Cell, Miss, Report, Table
from benchmarks.detection.scoring import Rate

SHOWN_MISSES = 40
"""In Markdown; the full list goes to ``--out``."""


def cell(value: Cell) -> str:
    """A plain value as text.

    >>> cell(Rate(0.5, 0.25, 0.75, 1, 2)), cell(None), cell(0.12345)
    ('0.500 [0.250, 0.750] (1/2)', '–', '0.123')
    """
    if value is None:
        return "–"
    if isinstance(value, Rate):
        return _rate(value)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def text(report: Report) -> str:
    """For the terminal: aligned columns."""
    parts = [f"\n== {report.name}\n{report.summary}"]
    parts += [_aligned(table) for table in report.tables]
    parts += [_aligned(_aims(report.aims))] if report.aims else []
    parts += [f"- {note}" for note in report.notes]
    return "\n".join(parts)


def markdown(report: Report) -> str:
    """For RESULTS.md."""
    parts = [f"### {report.name}", report.summary]
    parts += [f"![{chart.title}](../docs/images/detection-{chart.name}.svg)"
              for chart in report.charts]  # fmt: skip
    parts += [_piped(_aims(report.aims))] if report.aims else []
    parts += [_piped(table) for table in report.tables]
    parts += ["\n".join(f"- {note}" for note in report.notes)] if report.notes else []
    if report.misses:
        parts.append(_misses(report.misses))
    return "\n\n".join(part for part in parts if part) + "\n"


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return "–"
    of = f"{rate.of:.0f}" if rate.of >= 10 or rate.of == int(rate.of) else f"{rate.of:.1f}"
    bounds = "" if rate.low is None else f" [{rate.low:.3f}, {rate.high:.3f}]"
    return f"{rate.value:.3f}{bounds} ({rate.hits:.0f}/{of})"


def _aims(aims: Sequence[Aim]) -> Table:
    label = {True: "yes", False: "no", None: "cannot be said"}
    rows = tuple((a.what, a.aim, a.tune, a.test, label[a.reached]) for a in aims)
    columns = ("aim", "figure aimed at", "tune people", "test people", "reached on test people")
    return Table("Aims", "no labels", columns, rows)


def _title(table: Table) -> str:
    return table.title if table.labels == "no labels" else f"{table.title} ({table.labels})"


def _aligned(table: Table) -> str:
    lines = [table.columns, *(tuple(cell(value) for value in row) for row in table.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]
    body = [
        "  " + "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join(["", _title(table), *body, *([f"  {table.note}"] if table.note else [])])


def _piped(table: Table) -> str:
    head = [_row(table.columns), _row(["---"] * len(table.columns))]
    rows = [_row([cell(value) for value in row]) for row in table.rows]
    note = ["", table.note] if table.note else []
    body = ["", *head, *rows, *note]
    if table.folded:
        top = f"<details><summary>{_title(table)}</summary>"
        return "\n".join([top, *body, "", "</details>"])
    return "\n".join([f"**{_title(table)}**", *body])


def _row(parts: Iterable[str]) -> str:
    return "| " + " | ".join(parts) + " |"


def _misses(misses: Sequence[Miss]) -> str:
    shown = misses[:SHOWN_MISSES]
    lines = [f"- {m.group}, `{m.patient_id}`: {m.episode}" + (f": {m.why}" if m.why else "")
             for m in shown]  # fmt: skip
    more = len(misses) - len(shown)
    tail = [f"- … and {more} more: `--out FOLDER` lists them."] if more else []
    head = f"<details><summary>Misses and wrong alerts ({len(misses)})</summary>\n"
    return "\n".join([head, *lines, *tail, "\n</details>"])
