"""What the review page shows of a phrase, and what its addresses ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from explain.facts import signature as signatures
from explain.phrasebook import reviewing
from explain.phrasebook.reviewing import Example
from store.phrases.review import Line, PhraseFilter


class Asked(BaseModel):
    """The address's query: which phrases, and which page of them."""

    model_config = ConfigDict(extra="ignore")

    reader: Literal["", "patient", "care_team"] = ""
    kind: str = Field("", max_length=64)
    status: Literal["", "draft", "approved", "banned"] = ""
    q: str = Field("", max_length=100)
    page: int = Field(1, ge=1, le=100_000)

    def wanted(self) -> PhraseFilter:
        """As the store is asked."""
        return PhraseFilter(self.reader, self.kind, self.status, self.q.strip())

    def query(self, **changes: Any) -> dict[str, Any]:
        """What differs from a page that asks for nothing."""
        whole = {**self.model_dump(), **changes}
        return {name: value for name, value in whole.items() if value not in {"", 1}}

    def link(self, **changes: Any) -> str:
        """The same page with something changed, as a query string."""
        return urlencode(self.query(**changes))


class Card(NamedTuple):
    """A phrase, ready to be shown."""

    line: Line
    told: tuple[str, ...]
    """Its signature in words."""
    slots: tuple[str, ...]
    """Those that it must carry, once each."""
    pieces: list[tuple[str, bool]]
    example: Example | None
    """None: this version has no alert that it could stand in."""


def card(line: Line) -> Card:
    """A phrase as the page shows it; also one of another version's."""
    pieces = reviewing.pieces(line.text)
    try:
        told = signatures.parse(line.signature)
    except ValueError:
        return Card(line, (line.signature,), (), pieces, None)
    words, shown = reviewing.in_words(told), reviewing.example(told, line.text)
    return Card(line, words, told.slots, pieces, shown)


def asked_of(query: str) -> Asked:
    """What an address asked for, from its query string; nothing where that makes no sense."""
    try:
        return Asked.model_validate(dict(parse_qsl(query.replace("%00", ""))))
    except ValidationError:
        return Asked()


def revisions_of(phrases: Iterable[str]) -> dict[str, int]:
    """``id:revision`` of a form → the revision of each id.

    >>> revisions_of(["a:0", "b:12", "nonsense"])
    {'a': 0, 'b': 12, 'nonsense': -1}
    """
    found = {}
    for phrase in phrases:
        phrase_id, _, revision = phrase.partition(":")
        found[phrase_id] = int(revision) if revision.isdecimal() and len(revision) < 9 else -1
    return found
