"""Every document is found from the index, and every decision has its parts."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tests.support.documents import DOCS, rows

ROOT = DOCS.parent
ADRS = sorted((DOCS / "adr").glob("0*.md"))
PAGES = [
    *DOCS.glob("*.md"),
    *(DOCS / "adr").glob("*.md"),
    *ROOT.glob("*.md"),
    *(ROOT / ".github").rglob("*.md"),
]


def links(path: Path) -> set[Path]:
    """The files of this repository that a document links to."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    return {(path.parent / target).resolve() for target in found}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in links(path):
        assert target.exists(), target


def test_the_index_has_every_document() -> None:
    indexed = links(DOCS / "README.md")
    for path in (*DOCS.glob("*.md"), *ROOT.glob("*.md")):
        assert path in indexed or path == DOCS / "README.md", path.name
    assert DOCS / "README.md" in links(ROOT / "README.md")


def test_the_decisions_are_numbered_and_indexed() -> None:
    indexed = [row for row in rows("adr/README.md") if row[0].isdigit()]
    assert len(indexed) == len(ADRS)
    for number, (path, row) in enumerate(zip(ADRS, indexed, strict=True), start=1):
        title, head, *_ = path.read_text().split("\n\n")
        assert path.name.startswith(f"{number:04}-")
        assert title == f"# {number}. {row[1].split(']')[0].lstrip('[')}"
        assert f"({path.name})" in row[1]
        assert head == f"Date: {row[2]}. Status: {row[3]}."
        date.fromisoformat(row[2])


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_has_context_decision_and_consequences(path: Path) -> None:
    parts = re.split(r"^## (.+)$", path.read_text(), flags=re.MULTILINE)
    assert parts[1::2] == ["Context", "Decision", "Consequences"]
    assert all(text.strip() for text in parts[2::2])
