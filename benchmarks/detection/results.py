"""Where results go: a folder, or the project's own RESULTS.md and pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.detection import chart, render
from benchmarks.detection.report import Report

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
IMAGES = ROOT / "docs" / "images"


def save(reports: Sequence[Report], folder: Path) -> None:
    """Tables, pictures and all misses, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for report in reports:
        (folder / f"{report.name}.md").write_text(render.markdown(report), "utf-8")
        with (folder / f"{report.name}.misses.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("group", "patient_id", "episode", "why"))
            rows.writerows(report.misses)
    _draw(reports, folder)


def publish(reports: Iterable[Report]) -> None:
    """Each report into its own block of RESULTS.md; blocks of others stay as they are.

    Raises:
        ValueError: RESULTS.md has no markers for a report.
    """
    text = RESULTS.read_text("utf-8")
    kept = tuple(reports)
    for report in kept:
        text = replaced(text, report.name, render.markdown(report))
    RESULTS.write_text(text, "utf-8")
    _draw(kept, IMAGES)


def replaced(text: str, name: str, block: str) -> str:
    """``text`` with another block between the markers of that name.

    >>> replaced("<!-- detection:a -->old<!-- /detection:a -->", "a", "new")
    '<!-- detection:a -->\\n\\nnew\\n<!-- /detection:a -->'
    """
    begin, end = f"<!-- detection:{name} -->", f"<!-- /detection:{name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"RESULTS.md has no markers {begin} … {end}")
    return f"{head}{begin}\n\n{block}\n{end}{tail}"


def _draw(reports: Iterable[Report], folder: Path) -> None:
    for report in reports:
        for one in report.charts:
            path = folder / f"detection-{one.name}.svg"
            path.write_text(chart.svg(one), "utf-8")
