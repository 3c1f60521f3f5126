"""Writes ``phone.pot`` from the English words, and brings every catalogue up to date with it.

Run as ``python -m dashboard.phone.locales.extract`` after a change of the words.
"""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.phone import locales
from dashboard.phone.words import EN, message_context, word_names
from vigil.values import catalog_files
from vigil.values.catalog_files import Message

COMMENT = """# The patient's page, but for the messages on it. Context: the word's name in
# dashboard/phone/words.py. A clinician who speaks the language reviews this file."""


def template() -> Iterator[Message]:
    """Context and English of every word."""
    for name in word_names():
        yield message_context(name), getattr(EN, name)


def main() -> None:
    """Write the template and every catalogue."""
    pot = catalog_files.template(template(), COMMENT)
    catalog_files.bring_up_to_date(locales.FOLDER, "phone", locales.LOCALES[1:], pot)


if __name__ == "__main__":
    main()
