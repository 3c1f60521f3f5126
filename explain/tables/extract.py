"""Writes ``vigil.pot`` from the English tables, and brings every catalogue up to date with it.

Run as ``python -m explain.tables.extract`` after a change of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from explain import languages, tables
from vigil.values import catalog_files
from vigil.values.catalog_files import Message

TABLES = ("patient", "questions")
"""Read by patients as a whole; of ``actions`` it is the part ``patient``."""
COMMENT = """# What a patient reads. Context: where the message stands in explain/tables/en.
# Slots in braces stay as they are, each exactly once. A clinician who speaks the language reviews
# this file, sentence by sentence."""


def messages() -> Iterator[Message]:
    """Context and English of every message; a pair where it has plural forms."""
    for name in TABLES:
        yield from _leaves(name, tables.read_table(f"en/{name}.toml"))
    yield from _leaves("actions.patient", tables.read_table("en/actions.toml")["patient"])
    words = tables.read_table("en/words.toml")
    yield from _leaves("words.units", words["units"])
    for unit, forms in words["plurals"].items():
        yield f"words.plurals.{unit}", (forms["one"], forms["other"])


def main() -> None:
    """Write the template and every catalogue."""
    pot = catalog_files.template(messages(), COMMENT)
    catalog_files.bring_up_to_date(languages.FOLDER, "vigil", languages.LOCALES[1:], pot)


def _leaves(path: str, node: Any) -> Iterator[tuple[str, str]]:
    """Every text below a node; the texts of a list share its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, list):
        for text in node:
            yield from _leaves(path, text)
    else:
        for name, below in node.items():
            yield from _leaves(f"{path}.{name}", below)


if __name__ == "__main__":
    main()
