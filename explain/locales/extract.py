"""Writes ``vigil.pot`` from the English tables, and brings every catalogue up to date with it.

Run as ``python -m explain.locales.extract`` after a change of the tables. What was translated
stays; what is new is empty; what is gone is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

import vigil
from explain import locales, tables

TABLES = ("patient", "questions")
"""Read by patients as a whole; of ``actions`` it is the part ``patient``."""
WORDS = ("units", "plurals")
WRITTEN = datetime(2026, 11, 21, tzinfo=UTC)
"""In every header: a file changes where its messages do, and not because it was made again."""
HEADER = """# What a patient reads. Context: where the message stands in explain/tables/en.
# Slots in braces stay as they are, each exactly once. A clinician who speaks the language reviews
# this file, sentence by sentence."""


def messages() -> Iterator[tuple[str, str | tuple[str, str]]]:
    """Context and English of every message; a pair where it has plural forms."""
    for name in TABLES:
        yield from _leaves(name, tables.read(f"en/{name}.toml"))
    yield from _leaves("actions.patient", tables.read("en/actions.toml")["patient"])
    words = tables.read("en/words.toml")
    yield from _leaves("words.units", words["units"])
    for unit, forms in words["plurals"].items():
        yield f"words.plurals.{unit}", (forms["one"], forms["other"])


def template() -> Catalog:
    """The empty catalogue of all messages."""
    made = _empty()
    for context, english in messages():
        made.add(english, context=context)
    return made


def _empty(locale: str | None = None) -> Catalog:
    return Catalog(
        locale, project="Vigil", version=vigil.__version__, header_comment=HEADER, fuzzy=False,
        copyright_holder="", msgid_bugs_address="", last_translator="", language_team="",
        creation_date=WRITTEN, revision_date=WRITTEN,
    )  # fmt: skip


def main() -> None:
    """Write the template and every catalogue."""
    pot = template()
    with (locales.FOLDER / "vigil.pot").open("wb") as file:
        write_po(file, pot, width=100, omit_header=False, no_location=True)
    for locale in locales.LOCALES[1:]:
        path = locales.FOLDER / f"{locale}.po"
        if path.exists():
            with path.open("rb") as file:
                kept = read_po(file, locale=locale, abort_invalid=True)
        else:
            kept = _empty(locale)
        kept.update(pot, no_fuzzy_matching=True, update_header_comment=True)
        kept.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, kept, width=100, no_location=True, ignore_obsolete=True)


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
