"""Texts before their slots are filled: sentences of the reviewed tables, put in order.

A draft is what the verifier judges. It depends on facts alone, so there are finitely many.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from explain import languages, tables
from explain.facts.extraction import Facts
from explain.facts.slots import fill_slots
from explain.tables import Block, Frame, Sentence


@dataclass(frozen=True, slots=True)
class Draft:
    """A text before its slots are filled: what the verifier judges."""

    title: str
    before: tuple[str, ...]
    seen: Sentence
    after: tuple[str, ...]
    action: str
    space: str = " "
    """The separator between two sentences."""

    @property
    def body(self) -> str:
        """The sentences between title and action."""
        return self.space.join((*self.before, self.seen.text, *self.after))

    @property
    def message(self) -> str:
        """Everything below the title."""
        return f"{self.body}{self.space}{self.action}"


def draft_text(facts: Facts, choice: int) -> Draft:
    """The delexicalised text for these facts; ``choice`` settles it among equal sentences."""
    equal = most_informative(sentences_for(facts), frozenset(facts.slots))
    return draft_around(facts, equal[choice % len(equal)], names_further_finding=False)


def draft_around(facts: Facts, seen: Sentence, *, names_further_finding: bool) -> Draft:
    """The tables' words around a sentence on what we saw.

    Args:
        also_told: the sentence names the further finding (:attr:`Facts.also`) itself.
    """
    table = tables.audience(facts.locale, facts.audience)
    block = block_for(facts)
    used = set(seen.slots)
    after = []
    if facts.also and not names_further_finding:
        after.append(_further_finding_sentence(facts))
    for detail in (*block.details, *table.frame.details):
        if used.isdisjoint(detail.slots) and detail.slots.issubset(facts.slots):
            after.append(detail.text)
            used |= detail.slots
    after += _circumstances(facts, table.frame)
    if facts.situation == "now" and not facts.also:  # room for one more sentence, not for two
        after.append(block.meaning)
    title = block.title if facts.situation == "now" else block.title_past
    if facts.synthetic:
        title = fill_slots(table.frame.synthetic, {"title": title})
    before = (table.frame.late,) if facts.late else ()
    action = tables.actions(facts.locale)[facts.audience, facts.category, facts.situation]
    space = languages.sentence_separator(facts.locale)
    return Draft(
        title=title,
        before=before,
        seen=seen,
        after=tuple(after),
        action=action[facts.priority],
        space=space,
    )


def make_sentence(text: str, entry: str) -> Sentence:
    """A sentence that is not from the tables: a phrase, or a model's."""
    return Sentence(text, tables.slots_of(text), entry)


def block_for(facts: Facts) -> Block:
    """The reviewed wordings of a kind in a direction."""
    return tables.audience(facts.locale, facts.audience).blocks[facts.kind, facts.direction]


def sentences_for(facts: Facts) -> tuple[Sentence, ...]:
    """The tables' sentences for what we saw."""
    if facts.announcement in tables.ENDS:
        return tables.audience(facts.locale, facts.audience).frame.ends[facts.announcement]
    return block_for(facts).seen[facts.announcement]


def most_informative(sentences: tuple[Sentence, ...], known: frozenset[str]) -> list[Sentence]:
    """Of the sentences whose slots are all known, those with the most slots: with the first such
    set of slots, so that all of them have the same content.
    """
    possible = [s for s in sentences if s.slots <= known]
    first = max(possible, key=lambda s: len(s.slots))
    return [s for s in possible if s.slots == first.slots]


def choice_of(episode_id: str) -> int:
    """A uniformly distributed number derived from an episode's id."""
    return int.from_bytes(sha256(episode_id.encode()).digest()[:8])


def _further_finding_sentence(facts: Facts) -> str:
    """The further finding in a sentence of its own, without slots."""
    kind, _, direction = facts.also.partition(".")
    blocks = tables.audience(facts.locale, facts.audience).blocks
    sentences = blocks[kind, direction].seen["opened"]  # type: ignore[index]
    return next(sentence.text for sentence in sentences if not sentence.slots)


def _circumstances(facts: Facts, frame: Frame) -> list[str]:
    """What the person was doing, for a clinical finding; what is wrong, for a technical one."""
    if facts.category == "clinical":
        sentence = frame.activity.get(facts.activity)
    else:
        sentence = None if facts.phase == "closed" else frame.reason.get(facts.reason)
    return [sentence] if sentence else []
