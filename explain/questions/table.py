"""The reviewed tables of questions and answers for one reader, in one locale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Literal, get_args

from explain import languages, tables
from vigil.domain.alert import Audience

Intent = Literal[
    "why",
    "action",
    "meaning",
    "measured",
    "usual",
    "when",
    "over",
    "who",
    "sure",
    "rule",
    "parts",
    "scores",
]
INTENTS: tuple[Intent, ...] = get_args(Intent)


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence or two of the tables, in the reader's locale, slots unfilled."""

    context: str
    """Where it stands in the tables."""
    text: str
    locale: str

    @property
    def entry(self) -> str:
        """Its name, with a digest of its wording."""
        return f"{self.locale}.{self.context}#{sha256(self.text.encode()).hexdigest()[:8]}"


class QuestionTable:
    """The tables of questions for a reader in a locale."""

    def __init__(self, audience: Audience, locale: str):
        name = "questions" if audience == "patient" else "questions_care_team"
        self.audience, self.locale, self._name = audience, locale, name
        self._table = tables.read_table(f"en/{name}.toml")

    def has(self, section: str, row: str) -> bool:
        """Whether there is such a row."""
        return row in self._table.get(section, {})

    def piece(self, section: str, row: str) -> Piece:
        """A row in the reader's words.

        Raises:
            KeyError: there is no such row.
        """
        context = f"{self._name}.{section}.{row}"
        text = self._table[section][row]
        return Piece(
            context, languages.catalogue_for(self.locale).translate(context, text), self.locale
        )

    def text(self, section: str, row: str) -> str:
        """Its text alone."""
        return self.piece(section, row).text

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What this reader can ask, in the order of the buttons."""
        return tuple(self._table["ask"])


@cache
def question_table(audience: Audience, locale: str = "en") -> QuestionTable:
    """The tables of questions for a reader; the care team's are English."""
    return QuestionTable(audience, locale if audience == "patient" else "en")
