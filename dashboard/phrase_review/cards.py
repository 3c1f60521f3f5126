"""Phrases as the review page shows them, and the queries of its addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from explain.facts.signature import parse_signature
from explain.phrasebook.reviewing import Example, describe_signature, make_example, split_at_slots
from store.phrases.review import Line, PhraseFilter


class PhraseQuery(BaseModel):
    """The query of an address: which phrases, and which page of them."""

    model_config = ConfigDict(extra="ignore")

    reader: Literal["", "patient", "care_team"] = ""
    kind: str = Field("", max_length=64)
    status: Literal["", "draft", "approved", "banned"] = ""
    q: str = Field("", max_length=100)
    page: int = Field(1, ge=1, le=100_000)

    def wanted(self) -> PhraseFilter:
        """The query for the store."""
        return PhraseFilter(
            audience=self.reader, kind=self.kind, status=self.status, text=self.q.strip()
        )

    def query(self, **changes: Any) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        whole = {**self.model_dump(), **changes}
        return {name: value for name, value in whole.items() if value not in {"", 1}}

    def link(self, **changes: Any) -> str:
        """The query string of the same page with changes."""
        return urlencode(self.query(**changes))


@dataclass(frozen=True, slots=True)
class PhraseCard:
    """A phrase as the page shows it."""

    line: Line
    description: tuple[str, ...]
    """Its signature in words."""
    slots: tuple[str, ...]
    """The slots that it must contain, once each."""
    pieces: Sequence[tuple[str, bool]]
    """Its text in parts, and whether each is a slot."""
    example: Example | None
    """None: this version has no alert for it."""


def phrase_card(line: Line) -> PhraseCard:
    """Prepare a phrase; also one of another version."""
    pieces = split_at_slots(line.text)
    try:
        signature = parse_signature(line.signature)
    except ValueError:
        return PhraseCard(
            line=line, description=(line.signature,), slots=(), pieces=pieces, example=None
        )
    return PhraseCard(
        line=line,
        description=describe_signature(signature),
        slots=signature.slots,
        pieces=pieces,
        example=make_example(signature, line.text),
    )


def parse_query(query: str) -> PhraseQuery:
    """Parse the query string of an address; an invalid one is an empty query."""
    try:
        return PhraseQuery.model_validate(dict(parse_qsl(query.replace("%00", ""))))
    except ValidationError:
        return PhraseQuery()


def parse_revisions(phrases: Iterable[str]) -> dict[str, int]:
    """``id:revision`` of a form → the revision of each id.

    >>> parse_revisions(["a:0", "b:12", "nonsense"])
    {'a': 0, 'b': 12, 'nonsense': -1}
    """
    found = {}
    for phrase in phrases:
        phrase_id, _, revision = phrase.partition(":")
        found[phrase_id] = int(revision) if revision.isdecimal() and len(revision) < 9 else -1
    return found
