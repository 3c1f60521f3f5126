"""The same text in every locale that its reader may have, ready to be filled.

Putting a text together costs far more than filling it, and depends on an event's facts alone, so
it is done once for each: a :class:`Plan` is kept for all events with the same facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Literal, get_args

from msgspec import Struct

from explain import tables
from explain.facts.extraction import EventFacts, Facts, facts_for_reader
from explain.facts.signature import Signature, parse_signature, signature_of
from explain.facts.slot_formatting import SlotValue, slot_formatter
from explain.tables import SLOT, Sentence
from explain.templates.drafts import (
    Draft,
    draft_around,
    make_sentence,
    most_informative,
    sentences_for,
)
from vigil.domain.alert import Audience, Provenance
from vigil.domain.phrase import Phrase

PhraseAuthor = Literal["phrasebook", "model"]
MAX_PLANS = 4_096
"""Combinations of facts whose plans are cached; each takes about 10 kB."""
MAX_PHRASED = 64
"""Phrases that a plan caches; more than any signature has."""


class Body:
    """A body whose slots can be filled quickly."""

    __slots__ = ("_parts", "_places", "slots")

    def __init__(self, text: str):
        self._parts = SLOT.split(text)  # words, slot, words, slot, …, words
        self._places = [(i, self._parts[i]) for i in range(1, len(self._parts), 2)]
        self.slots = tuple(dict.fromkeys(name for _, name in self._places))

    def fill(self, slot_texts: dict[str, str]) -> str:
        """The text; ``slot_texts`` has every slot of it."""
        parts = self._parts.copy()
        for place, name in self._places:
            parts[place] = slot_texts[name]
        return "".join(parts)


class Version(Struct, frozen=True, gc=False):
    """A text in one locale."""

    locale: str
    title: str
    body: Body
    action: str
    format_slot: Callable[[SlotValue], str]
    """Writes the value of a slot in the locale."""


class Wording(Struct, frozen=True, gc=False):
    """A text in every locale of its reader, English first."""

    provenance: Provenance
    """Where the English sentence on what we saw is from."""
    versions: tuple[Version, ...]


class Plan:
    """The possible wordings of some facts: the tables' equal ones, and any phrase instead."""

    def __init__(self, facts: Facts):
        self._facts = facts
        self._table = tuple(_table_wordings(facts))
        self._phrased: dict[tuple[str, PhraseAuthor, int], Wording] = {}
        self.signature: Signature | None = None
        """The signature that a phrase must have; None for an end that every kind words alike."""
        if facts.announcement in tables.ANNOUNCEMENTS:
            slots = most_informative(sentences_for(facts), frozenset(facts.slots))[0].slots
            self.signature = signature_of(facts, slots)

    def template(self, choice: int) -> Wording:
        """The tables' words."""
        return self._table[choice % len(self._table)]

    def phrased(self, phrase: Phrase, choice: int, author: PhraseAuthor) -> Wording:
        """The text with a phrase for what we saw in English; other locales keep the tables'.

        Args:
            author: where the phrase was found.
        """
        place = choice % len(self._table)
        key = (phrase.phrase_id, author, place)
        wording = self._phrased.get(key)
        if wording is None:
            if len(self._phrased) >= MAX_PHRASED:
                self._phrased.clear()
            wording = self._phrased[key] = self._with(phrase, self._table[place], author)
        return wording

    def _with(self, phrase: Phrase, below: Wording, author: PhraseAuthor) -> Wording:
        seen = make_sentence(phrase.text, phrase.phrase_id)
        named = bool(parse_signature(phrase.signature).also)
        draft = draft_around(self._facts, seen, names_further_finding=named)
        wrote = "+".join(part for part in (phrase.model, phrase.adapter) if part)
        origin = Provenance(author, phrase.phrase_id, model=wrote, prompt_hash=phrase.prompt_hash)
        return Wording(origin, (_make_version("en", draft), *below.versions[1:]))


@lru_cache(maxsize=MAX_PLANS)
def plans_for(event_facts: EventFacts) -> dict[Audience, Plan]:
    """The possible wordings of an event for each reader."""
    return {
        audience: Plan(facts_for_reader(event_facts, audience, "en"))
        for audience in get_args(Audience)
    }


def _table_wordings(facts: Facts) -> list[Wording]:
    """One wording for each most informative sentence; the tables are parallel in all locales."""
    known = frozenset(facts.slots)
    english = most_informative(sentences_for(facts), known)
    return [_wording_in_all_locales(facts, sentence) for sentence in english]


def _wording_in_all_locales(facts: Facts, sentence: Sentence) -> Wording:
    place = sentences_for(facts).index(sentence)
    versions = []
    for locale in tables.locales_of(facts.audience):
        local = replace(facts, locale=locale)
        draft = draft_around(local, sentences_for(local)[place], names_further_finding=False)
        versions.append(_make_version(locale, draft))
    entry = f"{facts.locale}.{facts.audience}.{sentence.entry}"
    return Wording(Provenance("template", entry), tuple(versions))


def _make_version(locale: str, draft: Draft) -> Version:
    return Version(
        locale=locale,
        title=draft.title,
        body=Body(draft.body),
        action=draft.action,
        format_slot=slot_formatter(locale).format,
    )
