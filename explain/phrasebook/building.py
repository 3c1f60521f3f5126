"""Builds the phrasebook: sentences for every signature, each past the verifier or not at all.

Signatures are asked for in fixed groups, in a fixed order, and a group is written anew only as a
whole: so the same model, adapter, seed and number of candidates give the same sentences, whether or
not a build was interrupted. What reviewers said and people wrote is kept, whatever the model is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from explain.facts import signature as signatures
from explain.facts.signature import Signature
from explain.language_model.prompt import Message
from explain.phrasebook import writing
from explain.phrasebook.book import refusals
from explain.phrasebook.writing import Author
from explain.training import references
from vigil.domain import ids
from vigil.domain.phrase import Phrase

GROUP = 32
"""Signatures that are asked for together."""
AGAIN = 1000
"""Added to the seed where every candidate for a signature was refused: it is asked once more."""


class Writer(Protocol):
    """The part of :class:`explain.language_model.model.LanguageModel` that is used here."""

    identity: str
    tuned: bool

    def write_many(
        self, prompts: Sequence[list[Message]], candidates: int, seed: int
    ) -> list[list[str]]:
        """Different answers to each prompt, the likeliest first."""


class Group(NamedTuple):
    """What became of a group of signatures."""

    asked: tuple[Signature, ...]
    phrases: list[Phrase]
    refused: Counter[str]
    """Sentences refused, by reason code; one can have several."""
    written: int
    """Different sentences that the model wrote."""


class Coverage(NamedTuple):
    """How many of a reader's signatures have a sentence that is not banned."""

    reader: str
    covered: int
    all: int


def keep(old: Iterable[Phrase], author: Author) -> list[Phrase]:
    """The phrases of an earlier build that stay: this model's own, and any that a person touched.

    A draft of another model, another adapter or another prompt is written anew.
    """
    return [each for each in old if _touched(each) or _current(each, author)]


def _touched(phrase: Phrase) -> bool:
    return phrase.author == "person" or phrase.revision > 0


def _current(phrase: Phrase, author: Author) -> bool:
    try:
        told = signatures.parse(phrase.signature)
        now = writing.phrase(told, phrase.text, author, phrase.time)
    except ValueError:  # a signature of another version
        return False
    return phrase == now


def todo(wanted: Iterable[Signature], kept: Iterable[Phrase]) -> list[tuple[Signature, ...]]:
    """The groups in which a signature has no draft of the present model yet, whole."""
    done = {each.signature for each in kept if not _touched(each)}
    whole = tuple(wanted)
    groups = [whole[start : start + GROUP] for start in range(0, len(whole), GROUP)]
    return [group for group in groups if any(told.key not in done for told in group)]


class Build:
    """One build with a writer.

    Args:
        kept: what stays of an earlier one; see :func:`keep`.
        now: the time that new phrases bear.
    """

    def __init__(
        self, writer: Writer, kept: Iterable[Phrase], candidates: int, seed: int, now: datetime
    ):
        self._writer = writer
        self._author = Author(writer.identity, writer.tuned)
        self._candidates, self._seed, self._now = candidates, seed, now
        self.phrases = {each.phrase_id: each for each in kept}
        """Everything that the phrasebook holds by now."""

    def run(self, groups: Iterable[tuple[Signature, ...]]) -> Iterator[Group]:
        """Write group by group; between two of them it may be stopped."""
        for group in groups:
            first = self._ask(group, self._seed)
            found = {each.signature for each in first.phrases}
            again = tuple(told for told in group if told.key not in found)
            if again:
                second = self._ask(again, self._seed + AGAIN)
                first = Group(
                    group,
                    first.phrases + second.phrases,
                    first.refused + second.refused,
                    first.written + second.written,
                )
            for phrase in first.phrases:
                self.phrases.setdefault(phrase.phrase_id, phrase)
            yield first

    def _ask(self, group: tuple[Signature, ...], seed: int) -> Group:
        asked = [writing.question(told, self._author) for told in group]
        answers = self._writer.write_many(asked, self._candidates, seed)
        phrases, refused, written = [], Counter[str](), 0
        for told, sentences in zip(group, answers, strict=True):
            for sentence in dict.fromkeys(sentences):
                written += 1
                phrase = writing.phrase(told, sentence, self._author, self._now)
                codes = refusals(told, sentence, self.phrases.get(phrase.phrase_id))
                refused.update(codes)
                if not codes:
                    phrases.append(phrase)
        return Group(group, phrases, refused, written)


def by_hand(wanted: Iterable[Signature], phrases: Iterable[Phrase], now: datetime) -> list[Phrase]:
    """Our own reference sentences for signatures that no phrase says yet: drafts as any other.

    They are what the model was taught with, and are held to the same rules.
    """
    held = list(phrases)
    known = {each.phrase_id: each for each in held}
    silent = {told.key for told in wanted} - {x.signature for x in held if x.status != "banned"}
    found = []
    for reference in references.load():
        told, text = reference.signature, reference.text
        phrase = Phrase(
            phrase_id=ids.phrase_id(told.key, text),
            signature=told.key,
            text=text,
            status="draft",
            author="person",
            revision=0,
            time=now,
        )
        if told.key in silent and not refusals(told, text, known.get(phrase.phrase_id)):
            found.append(phrase)
    return found


def coverage(wanted: Sequence[Signature], phrases: Iterable[Phrase]) -> list[Coverage]:
    """How far the phrases reach, by reader."""
    said = {each.signature for each in phrases if each.status != "banned"}
    readers = dict.fromkeys(told.audience for told in wanted)
    return [
        Coverage(
            reader,
            sum(told.audience == reader and told.key in said for told in wanted),
            sum(told.audience == reader for told in wanted),
        )
        for reader in readers
    ]
