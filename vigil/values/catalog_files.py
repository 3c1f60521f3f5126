"""Writing catalogues: the template of all messages, and every locale's file brought up to it.

What was translated stays; what is new is empty; what is gone is dropped. Plural forms follow the
CLDR's present rule: a form stays with the counts that it is for, wherever the rule now puts them.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

import vigil

Message = tuple[str, str | tuple[str, str]]
"""A message's context and its English text; a pair of texts where it has plural forms."""
WRITTEN = datetime(2026, 11, 21, tzinfo=UTC)
"""In every header: a file changes where its messages do, and not because it was made again."""
MAINTAINER = "Vigil"
"""Babel puts placeholders where a header names nobody."""
SAMPLES = (1, 2, 0, 3, 11, 5, *range(4, 200), 1_000_000)
"""Counts of every plural category, the plainest of each first."""


def template(messages: Iterable[Message], comment: str) -> Catalog:
    """The empty catalogue of all messages. ``comment`` heads the file, each line after a ``#``."""
    made = _empty(comment)
    for context, english in messages:
        made.add(english, context=context)
    return made


def bring_up_to_date(folder: Path, name: str, locales: Iterable[str], pot: Catalog) -> None:
    """Write ``<name>.pot`` and each locale's ``.po`` in a folder.

    Raises:
        OSError: the folder can not be written.
        ValueError: a catalogue that is there is none.
    """
    _write(folder / f"{name}.pot", pot)
    for locale in locales:
        path = folder / f"{locale}.po"
        kept = _read(path, locale) if path.exists() else _empty(pot.header_comment, locale)
        _renew_plurals(kept, locale)
        kept.update(pot, no_fuzzy_matching=True, update_header_comment=True)
        kept.obsolete.clear()
        kept.msgid_bugs_address = kept.last_translator = kept.language_team = MAINTAINER
        _write(path, kept)


def plural_counts(locale: str) -> tuple[int, ...]:
    """For each plural form of a locale, in a catalogue's order, a count that asks for it.

    >>> plural_counts("es")
    (1, 1000000, 2)
    """
    category = Locale.parse(locale).plural_form
    form = gettext.c2py(Catalog(locale).plural_expr)
    first = {category(count): count for count in reversed(SAMPLES)}
    return tuple(sorted(first.values(), key=form))


def _renew_plurals(kept: Catalog, locale: str) -> None:
    """Give a catalogue its locale's present rule, and each form the text its counts had before."""
    present = Catalog(locale)
    if kept.plural_expr == present.plural_expr:
        return
    before, counts = gettext.c2py(kept.plural_expr), plural_counts(locale)
    for message in kept:
        if message.id and message.pluralizable:
            forms = tuple(message.string or ())
            message.string = tuple(forms[before(count)] for count in counts)
    kept.mime_headers = [("Plural-Forms", present.plural_forms)]


def _empty(comment: str, locale: str | None = None) -> Catalog:
    return Catalog(
        locale,
        project="Vigil",
        version=vigil.__version__,
        header_comment=comment,
        fuzzy=False,
        copyright_holder=MAINTAINER,
        msgid_bugs_address=MAINTAINER,
        last_translator=MAINTAINER,
        language_team=MAINTAINER,
        creation_date=WRITTEN,
        revision_date=WRITTEN,
    )


def _read(path: Path, locale: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def _write(path: Path, catalogue: Catalog) -> None:
    with path.open("wb") as file:
        write_po(file, catalogue, width=100, no_location=True, ignore_obsolete=True)
