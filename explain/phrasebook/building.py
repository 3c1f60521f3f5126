"""Builds the phrasebook: sentences for every signature, all of which the verifier has passed.

Signatures are asked for in fixed groups, in a fixed order, and a group is written anew only as a
whole: so the same model, adapter, seed and number of candidates give the same sentences, whether or
not a build was interrupted. What people reviewed or wrote is kept, whatever the model is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from explain.facts.signature import Signature, parse_signature
from explain.language_model.message import Message
from explain.phrasebook.book import refusals
from explain.phrasebook.writing import Author, make_phrase, question_for
from explain.training.references import load_references
from vigil.domain import ids
from vigil.domain.phrase import Phrase

GROUP = 32
"""Signatures that are asked for together."""
AGAIN = 1000
"""Added to the seed where every candidate for a signature was refused and it is asked again."""


class Writer(Protocol):
    """The part of :class:`explain.language_model.inference.LanguageModel` that is used here."""

    identity: str
    tuned: bool

    def write_many(
        self, prompts: Sequence[list[Message]], candidates: int, seed: int
    ) -> list[list[str]]:
        """Different answers to each prompt, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Group:
    """The outcome of a group of signatures."""

    asked: tuple[Signature, ...]
    phrases: list[Phrase]
    refused: Counter[str]
    """Sentences refused, by reason code; one can have several."""
    written: int
    """Different sentences that the model wrote."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a reader's signatures have a sentence that is not banned."""

    reader: str
    covered: int
    signatures: int


def kept_phrases(old: Iterable[Phrase], author: Author) -> list[Phrase]:
    """The phrases of an earlier build to keep: this model's own, and any that a person edited.

    A draft of another model, another adapter or another prompt is written anew.
    """
    return [each for each in old if _touched_by_person(each) or _written_by(each, author)]


def _touched_by_person(phrase: Phrase) -> bool:
    return phrase.author == "person" or phrase.revision > 0


def _written_by(phrase: Phrase, author: Author) -> bool:
    try:
        signature = parse_signature(phrase.signature)
        expected = make_phrase(signature, phrase.text, author=author, now=phrase.time)
    except ValueError:  # a signature of another version
        return False
    return phrase == expected


def pending_groups(
    wanted: Iterable[Signature], kept: Iterable[Phrase]
) -> list[tuple[Signature, ...]]:
    """The complete groups in which a signature has no draft of the present model yet."""
    done = {each.signature for each in kept if not _touched_by_person(each)}
    signatures = tuple(wanted)
    groups = [signatures[start : start + GROUP] for start in range(0, len(signatures), GROUP)]
    return [group for group in groups if any(signature.key not in done for signature in group)]


class Build:
    """One build with a writer.

    Args:
        kept: the phrases of an earlier build; see :func:`kept_phrases`.
        now: the time of new phrases.
    """

    def __init__(
        self, writer: Writer, kept: Iterable[Phrase], candidates: int, seed: int, now: datetime
    ):
        self._writer = writer
        self._author = Author(writer.identity, writer.tuned)
        self._candidates, self._seed, self._now = candidates, seed, now
        self.phrases = {each.phrase_id: each for each in kept}
        """By id: all phrases of the phrasebook so far."""

    def run(self, groups: Iterable[tuple[Signature, ...]]) -> Iterator[Group]:
        """Write group by group; the build may be stopped between two groups."""
        for group in groups:
            first = self._ask(group, self._seed)
            found = {each.signature for each in first.phrases}
            again = tuple(signature for signature in group if signature.key not in found)
            if again:
                second = self._ask(again, self._seed + AGAIN)
                first = Group(
                    asked=group,
                    phrases=first.phrases + second.phrases,
                    refused=first.refused + second.refused,
                    written=first.written + second.written,
                )
            for phrase in first.phrases:
                self.phrases.setdefault(phrase.phrase_id, phrase)
            yield first

    def _ask(self, group: tuple[Signature, ...], seed: int) -> Group:
        asked = [question_for(signature, self._author) for signature in group]
        answers = self._writer.write_many(asked, self._candidates, seed)
        phrases, refused, written = [], Counter[str](), 0
        for signature, sentences in zip(group, answers, strict=True):
            for sentence in dict.fromkeys(sentences):
                written += 1
                phrase = make_phrase(signature, sentence, author=self._author, now=self._now)
                codes = refusals(signature, sentence, self.phrases.get(phrase.phrase_id))
                refused.update(codes)
                if not codes:
                    phrases.append(phrase)
        return Group(asked=group, phrases=phrases, refused=refused, written=written)


def reference_phrases(
    wanted: Iterable[Signature], phrases: Iterable[Phrase], now: datetime
) -> list[Phrase]:
    """Reference sentences for signatures that no phrase covers yet: drafts like any other.

    The model was trained with them; the same rules apply to them.
    """
    existing = list(phrases)
    known = {each.phrase_id: each for each in existing}
    uncovered = {signature.key for signature in wanted} - {
        x.signature for x in existing if x.status != "banned"
    }
    found = []
    for reference in load_references():
        signature, text = reference.signature, reference.text
        phrase = Phrase(
            phrase_id=ids.phrase_id(signature.key, text),
            signature=signature.key,
            text=text,
            status="draft",
            author="person",
            revision=0,
            time=now,
        )
        if signature.key in uncovered and not refusals(
            signature, text, known.get(phrase.phrase_id)
        ):
            found.append(phrase)
    return found


def measure_coverage(wanted: Sequence[Signature], phrases: Iterable[Phrase]) -> list[Coverage]:
    """How many signatures the phrases cover, by reader."""
    covered = {each.signature for each in phrases if each.status != "banned"}
    readers = dict.fromkeys(signature.audience for signature in wanted)
    return [
        Coverage(
            reader,
            sum(signature.audience == reader and signature.key in covered for signature in wanted),
            sum(signature.audience == reader for signature in wanted),
        )
        for reader in readers
    ]
