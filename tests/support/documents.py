"""Reads the documentation, so that tests can hold it to the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """The cells of each row of each table in a document, headings and rules left out."""
    before = ""
    for line in (DOCS / name).read_text().splitlines():
        if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line):
            before = "rule"
        elif line.startswith("|") and before:
            yield tuple(cell.strip() for cell in line.strip("|").split("|"))
        elif not line.startswith("|"):
            before = ""


def code_blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    text = (DOCS / name).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
