"""The same text in every locale that its reader may have, ready to be filled.

Putting a text together costs far more than filling it, and depends on an event's facts alone, so
it is done once for each: a :class:`Plan` is kept for all events with the same facts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from explain import tables
from explain.facts import signature as signatures
from explain.facts import speech
from explain.facts.extraction import Facts, Told, for_reader
from explain.facts.signature import Signature
from explain.facts.speech import Said
from explain.tables import SLOT, Sentence
from explain.templates.drafts import Draft, around, richest, sentence_of, sentences_for
from vigil.domain.alert import Audience, Provenance
from vigil.domain.phrase import Phrase

PhraseAuthor = Literal["phrasebook", "model"]
PLANS = 4_096
"""What is told, to all readers, for which plans are kept; each takes about 10 kB."""
PHRASED = 64
"""Phrases that a plan remembers; more than any signature has."""


class Body:
    """A body whose slots can be filled quickly."""

    __slots__ = ("_parts", "_places", "slots")

    def __init__(self, text: str):
        self._parts = SLOT.split(text)  # words, slot, words, slot, …, words
        self._places = [(i, self._parts[i]) for i in range(1, len(self._parts), 2)]
        self.slots = tuple(dict.fromkeys(name for _, name in self._places))

    def filled(self, said: dict[str, str]) -> str:
        """The text; ``said`` has every slot of it."""
        parts = self._parts.copy()
        for place, name in self._places:
            parts[place] = said[name]
        return "".join(parts)


class Version(Struct, frozen=True, gc=False):
    """A text in one locale."""

    locale: str
    title: str
    body: Body
    action: str
    say: Callable[[Said], str]
    """How the locale says what a slot holds."""


class Wording(Struct, frozen=True, gc=False):
    """A text in every locale of its reader, English first."""

    provenance: Provenance
    """Where the English sentence on what we saw is from."""
    versions: tuple[Version, ...]


class Plan:
    """What can be said of some facts: the tables' equal wordings, and any phrase instead."""

    def __init__(self, facts: Facts):
        self._facts = facts
        self._table = tuple(_equal(facts))
        self._phrased: dict[tuple[str, PhraseAuthor, int], Wording] = {}
        self.signature: Signature | None = None
        """What a phrase must say; None for an end that every kind has in the same words."""
        if facts.telling in tables.TELLINGS:
            slots = richest(sentences_for(facts), frozenset(facts.slots))[0].slots
            self.signature = signatures.of(facts, slots)

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
            if len(self._phrased) >= PHRASED:
                self._phrased.clear()
            wording = self._phrased[key] = self._with(phrase, self._table[place], author)
        return wording

    def _with(self, phrase: Phrase, below: Wording, author: PhraseAuthor) -> Wording:
        seen = sentence_of(phrase.text, phrase.phrase_id)
        named = bool(signatures.parse(phrase.signature).also)
        said = around(self._facts, seen, also_told=named)
        wrote = "+".join(part for part in (phrase.model, phrase.adapter) if part)
        origin = Provenance(author, phrase.phrase_id, model=wrote, prompt_hash=phrase.prompt_hash)
        return Wording(origin, (_version("en", said), *below.versions[1:]))


@lru_cache(maxsize=PLANS)
def plans(told: Told) -> dict[Audience, Plan]:
    """What can be said of an event to each reader."""
    return {audience: Plan(for_reader(told, audience, "en")) for audience in get_args(Audience)}


def _equal(facts: Facts) -> list[Wording]:
    """One wording for each sentence that says the most; the tables are parallel in all locales."""
    known = frozenset(facts.slots)
    english = richest(sentences_for(facts), known)
    return [_in_all(facts, sentence) for sentence in english]


def _in_all(facts: Facts, sentence: Sentence) -> Wording:
    place = sentences_for(facts).index(sentence)
    versions = []
    for locale in tables.locales_of(facts.audience):
        local = replace(facts, locale=locale)
        said = around(local, sentences_for(local)[place], also_told=False)
        versions.append(_version(locale, said))
    entry = f"{facts.locale}.{facts.audience}.{sentence.entry}"
    return Wording(Provenance("template", entry), tuple(versions))


def _version(locale: str, said: Draft) -> Version:
    return Version(locale, said.title, Body(said.body), said.action, speech.of(locale).say)
