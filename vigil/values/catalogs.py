"""Translations: gettext catalogues (``.po``), read as they are by Babel.

A message is found by its *context* (where it is used) and its English text, so the same English
words may be translated differently in two places, and a changed English sentence has no stale
translation. A message that a catalogue lacks stays English; tests check that none lacks one.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

SOURCE = "en"
"""The locale of the messages themselves."""
LOCALES = (SOURCE, "es", "zh", "hi", "ar")
"""What a patient can read (BCP 47), English first."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One locale's messages."""

    locale: str
    messages: dict[tuple[str, str], tuple[str, ...]]
    """(context, English) → the translation, or its plural forms in the catalogue's order."""
    form: Callable[[int], int]
    """A count → which plural form."""

    def translate(self, context: str, english: str) -> str:
        """The message in this locale."""
        return self.messages.get((context, english), (english,))[0]

    def plural(self, context: str, one: str, other: str, count: int) -> str:
        """The message in the form that a count asks for.

        >>> source().plural("", "{value} day", "{value} days", 1)
        '{value} day'
        """
        forms = self.messages.get((context, one), (one, other))
        return forms[min(self.form(count), len(forms) - 1)]


def source() -> Catalogue:
    """The English catalogue: every message is its own translation."""
    return Catalogue(SOURCE, {}, lambda count: int(count != 1))


@cache
def load(path: Path, locale: str) -> Catalogue:
    """The catalogue in a file; what is not translated in it, or marked fuzzy, is left out.

    Raises:
        OSError: there is no such file.
        ValueError: it is no catalogue.
    """
    with path.open("rb") as file:
        read = read_po(file, locale=locale, abort_invalid=True)
    messages: dict[tuple[str, str], tuple[str, ...]] = {}
    for message in read:
        english, translated = _first(message.id), _all(message.string)
        if english and all(translated) and not message.fuzzy:
            messages[message.context or "", english] = translated
    return Catalogue(locale, messages, gettext.c2py(read.plural_expr))


def _all(text: object) -> tuple[str, ...]:
    """A message's forms: Babel gives one as text and several in a row."""
    return tuple(map(str, text)) if isinstance(text, list | tuple) else (str(text or ""),)


def _first(text: object) -> str:
    return _all(text)[0]


def catalogue(folder: Path, locale: str) -> Catalogue:
    """``folder/<locale>.po``, or the messages themselves for English."""
    return source() if locale == SOURCE else load(folder / f"{locale}.po", locale)
