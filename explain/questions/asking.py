"""Recognises a question in free text as one of the intents that are answered, or as none.

No model reads it. A question is recognised where the patterns of exactly one intent cover it: it
contains nothing that is never answered, and *every other word* is a filler word (``asking.toml`` of
the locale). Everything else is refused, so that the meaning of an unknown word cannot matter: "what
is my usual dose" contains a known question and one unknown word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from explain import languages, tables
from explain.questions.table import Intent, question_table
from vigil.domain.alert import Audience

MAX_QUESTION_CHARACTERS = 300
"""A longer text is not recognised."""
GAP = "_"
"""In a pattern: any number of filler words."""
_NO_SPACES = ("zh",)
_DOTLESS = str.maketrans("أإآٱىةؤئ", "اااايهوي")
_ARABIC_MARKS = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_NUKTA, _NASAL = "\u093c", ("\u0901", "\u0902")
"""Hindi is written with and without the dot below, and with either sign of a nasal vowel."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """One locale's, compiled."""

    never: re.Pattern[str]
    intents: dict[Intent, re.Pattern[str]]
    reviewed: dict[str, Intent]
    """The questions of the buttons, normalised."""
    filler: re.Pattern[str]


def intent_of(text: str, locale: str, audience: Audience = "patient") -> Intent | None:
    """The only intent of a question; None: the question is not answered.

    >>> intent_of("Why was I told this?", "en"), intent_of("Can I take aspirin?", "en")
    ('why', None)
    """
    if len(text) > MAX_QUESTION_CHARACTERS or locale not in languages.LOCALES:
        return None
    known = question_patterns(locale, audience)
    asked = normalise_question(text, locale)
    if asked in known.reviewed:
        return known.reviewed[asked]
    if known.never.search(asked):
        return None
    found = [
        intent
        for intent, pattern in known.intents.items()
        if pattern.search(asked) and not known.filler.sub(" ", pattern.sub(" ", asked)).strip()
    ]
    return found[0] if len(found) == 1 else None


def normalise_question(text: str, locale: str) -> str:
    """The question's letters alone, folded, between spaces; Chinese without any.

    >>> normalise_question("  What’s MY usual?!", "en")
    ' whats my usual '
    """
    letters = []
    for character in _folded(text, locale):
        group = unicodedata.category(character)
        if group != "Cf" and character not in "'’":
            letters.append(character if group[0] in "LMN" else " ")
    words = "".join(letters).split()
    return "".join(words) if locale in _NO_SPACES else f" {' '.join(words)} "


def _folded(text: str, locale: str) -> str:
    """What is written in more than one way, in one: case, width, accents, Arabic's vowel signs."""
    text = unicodedata.normalize("NFKC", text).casefold()
    if locale == "ar":
        return _ARABIC_MARKS.sub("", text).translate(_DOTLESS)
    if locale == "hi":
        return unicodedata.normalize("NFD", text).replace(_NUKTA, "").replace(*_NASAL)
    if locale in {"en", "es"}:
        split = unicodedata.normalize("NFD", text)
        return "".join(c for c in split if unicodedata.category(c) != "Mn")
    return text


@cache
def question_patterns(locale: str, audience: Audience = "patient") -> Patterns:
    """The patterns of a locale; the care team, which asks in English, has some more."""
    raw = tables.read_table(f"{locale}/asking.toml")
    more = raw.get("care_team", {}) if audience == "care_team" else {}
    filler = _either([*raw["filler"], *more.get("filler", ())], locale)
    # atomic: one way to read a row of them, so that no text takes long
    gap = f"(?>{filler})*" if locale in _NO_SPACES else f"(?>(?:{filler}) )*"
    intents = {
        intent: _compiled((_spaced(row, gap, locale) for row in rows), locale)
        for intent, rows in _merged_intents(raw["intents"], more.get("intents", {})).items()
    }
    never = [_folded(row, locale) for row in raw["never"]]
    words = question_table(audience, locale)
    reviewed = {
        normalise_question(words.text("ask", intent), locale): intent for intent in words.intents
    }
    return Patterns(
        never=_compiled(never, locale),
        intents=intents,
        reviewed=reviewed,
        filler=_compiled([filler], locale),
    )


def _merged_intents(
    everyone: Mapping[Intent, list[str]], more: Mapping[Intent, list[str]]
) -> dict[Intent, list[str]]:
    return {
        intent: [*everyone.get(intent, ()), *more.get(intent, ())]
        for intent in {**everyone, **more}
    }


def _either(words: Iterable[str], locale: str) -> str:
    """Any of them, the longest first."""
    ordered = sorted((_folded(word, locale) for word in words), key=len, reverse=True)
    return "|".join(ordered)


def _spaced(row: str, gap: str, locale: str) -> str:
    """A pattern with its gaps filled in; what stands before and after needs none."""
    parts = [part.strip() for part in _folded(row, locale).split(GAP)]
    return (gap if locale in _NO_SPACES else f" {gap}").join(part for part in parts if part)


def _compiled(rows: Iterable[str], locale: str) -> re.Pattern[str]:
    either = "|".join(f"(?:{row})" for row in rows)
    return re.compile(either if locale in _NO_SPACES else f"(?<= )(?:{either})(?= )")
