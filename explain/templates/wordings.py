"""The same text in every locale that its reader may have, ready to be filled.

Putting a text together costs far more than filling it, and depends on an event's facts alone, so
it is done once for each: a :class:`Plan` is kept for all events with the same facts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from msgspec import Struct

from explain import tables
from explain.facts.extraction import EventFacts, Facts, facts_for_reader
from explain.facts.signature import Signature, parse_signature, signature_of
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


class Version(NamedTuple):
    """A text in one locale: a tuple, because it is taken apart for every alert."""

    locale: str
    title: str
    parts: list[str]
    """The body: words, slot, words, slot, …, words. To be copied before it is filled."""
    places: tuple[tuple[int, str], ...]
    """Where in :attr:`parts` which slot is."""
    action: str


class Wording(Struct, frozen=True, gc=False):
    """A text in every locale of its reader, English first."""

    provenance: Provenance
    """Where the English sentence on what we saw is from."""
    versions: tuple[Version, ...]
    slots: tuple[str, ...]
    """Every slot that a version has."""


class Plan:
    """The possible wordings of some facts: the tables' equal ones, and any phrase instead."""

    def __init__(self, facts: Facts):
        self._facts = facts
        self._sentences = most_informative(sentences_for(facts), frozenset(facts.slots))
        self._table: list[Wording | None] = [None] * len(self._sentences)
        """The wording of each sentence, put together when it is first wanted."""
        self._phrased: dict[tuple[str, PhraseAuthor, int], Wording] = {}
        self.signature: Signature | None = None
        """The signature that a phrase must have; None for an end that every kind words alike, where
        the latest reading does not show the finding, and where its reason decides the words."""
        of_reason = facts.kind in tables.rows_of_reasons()
        if facts.announcement in tables.ANNOUNCEMENTS and not (facts.latest or of_reason):
            self.signature = signature_of(facts, self._sentences[0].slots)

    def template(self, choice: int) -> Wording:
        """The tables' words."""
        place = choice % len(self._table)
        wording = self._table[place]
        if wording is None:
            wording = _wording_in_all_locales(self._facts, self._sentences[place])
            self._table[place] = wording
        return wording

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
            wording = self._phrased[key] = self._with(phrase, self.template(place), author)
        return wording

    def _with(self, phrase: Phrase, below: Wording, author: PhraseAuthor) -> Wording:
        seen = make_sentence(phrase.text, phrase.phrase_id)
        named = bool(parse_signature(phrase.signature).also)
        draft = draft_around(self._facts, seen, names_further_finding=named)
        wrote = "+".join(part for part in (phrase.model, phrase.adapter) if part)
        origin = Provenance(author, phrase.phrase_id, model=wrote, prompt_hash=phrase.prompt_hash)
        return _make_wording(origin, (_make_version("en", draft), *below.versions[1:]))


@lru_cache(maxsize=MAX_PLANS)
def plans_for(event_facts: EventFacts) -> dict[Audience, Plan]:
    """The possible wordings of an event for each reader."""
    return {
        audience: Plan(facts_for_reader(event_facts, audience, "en"))
        for audience in get_args(Audience)
    }


def _wording_in_all_locales(facts: Facts, sentence: Sentence) -> Wording:
    """A sentence with the tables' words around it; the tables are parallel in all locales."""
    place = sentences_for(facts).index(sentence)
    versions = []
    for locale in tables.locales_of(facts.audience):
        local = replace(facts, locale=locale)
        draft = draft_around(local, sentences_for(local)[place], names_further_finding=False)
        versions.append(_make_version(locale, draft))
    entry = f"{facts.locale}.{facts.audience}.{sentence.entry}"
    return _make_wording(Provenance("template", entry), tuple(versions))


def _make_wording(provenance: Provenance, versions: tuple[Version, ...]) -> Wording:
    slots = dict.fromkeys(name for version in versions for _, name in version.places)
    return Wording(provenance, versions, slots=tuple(slots))


def _make_version(locale: str, draft: Draft) -> Version:
    return _shared_version(locale, draft.title, draft.body, action=draft.action)


@lru_cache(maxsize=4 * MAX_PLANS)
def _shared_version(locale: str, title: str, body: str, action: str) -> Version:
    """One object for all plans whose text it is: they differ in what most texts do not name."""
    parts = SLOT.split(body)
    places = tuple((place, parts[place]) for place in range(1, len(parts), 2))
    return Version(locale, title, parts, places=places, action=action)
