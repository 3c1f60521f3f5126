"""Texts before their slots are filled: sentences of the reviewed tables, put in order.

A draft is what the verifier judges. It depends on facts alone, so there are finitely many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from explain import languages, tables
from explain.facts.extraction import Facts
from explain.facts.rows import action_rows
from explain.facts.slots import fill_slots
from explain.tables import Block, Frame, Sentence
from vigil.domain.kinds import KINDS

_OF_ANY_READING = frozenset({"eased", "corrected"})
"""Changes that are so whatever the latest reading is."""
_WITHOUT = frozenset({"without_reading", "without_readings"})
_SENTENCE_END = re.compile(r"[.?](?:\s|$)")


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
        names_further_finding: the sentence names the further finding (:attr:`Facts.also`) itself.
    """
    return replace(_draft_around(facts, seen.slots, names_further_finding), seen=seen)


@lru_cache(maxsize=8192)
def _draft_around(facts: Facts, slots: frozenset[str], names_further_finding: bool) -> Draft:
    """The same for every sentence on what we saw that has these slots; its place is empty."""
    seen = Sentence("", slots, "")
    frame, block = tables.audience(facts.locale, facts.audience).frame, block_for(facts)
    present = facts.situation == "now" and not facts.latest
    title = block.title if present else block.title_past
    if facts.announcement == "taken_back":
        title = fill_slots(frame.taken_back_title, {"title": title})
    if facts.synthetic:
        title = fill_slots(frame.synthetic, {"title": title})
    necessary, used = _necessary_sentences(facts, seen, names_further_finding=names_further_finding)
    further = _details(facts, used) + _circumstances(facts, frame)
    alone = not (facts.also or facts.time_uncertain or facts.beyond_another)
    if present and alone:  # room for one more sentence, not for two
        further.append(fullest(block.meaning, facts).text)
    before = _before(facts, frame)
    taken = sum(max(1, len(_SENTENCE_END.findall(text))) for text in before)
    room = _room(facts) - taken - 1
    return Draft(
        title=title,
        before=before,
        seen=seen,
        after=(*necessary, *further)[:room],
        action=_action(facts, facts.locale),
        space=languages.sentence_separator(facts.locale),
    )


def _before(facts: Facts, frame: Frame) -> tuple[str, ...]:
    """What stands before the sentence on what we saw. What is found once readings were withdrawn
    may be history, and its readings had arrived in time: what it rests on follows."""
    if facts.late:
        return () if facts.basis in _WITHOUT else (frame.late,)
    return (fullest(frame.time_uncertain, facts).text,) if facts.time_uncertain else ()


def _necessary_sentences(
    facts: Facts, seen: Sentence, *, names_further_finding: bool
) -> tuple[list[str], set[str]]:
    """What must follow the sentence on what we saw, the most necessary first, and the slots used.

    What the latest reading is, where it does not show it; a further finding; that nobody knows
    whether it is over; in how many readings it was seen, where no duration may be claimed; what
    changed; and what it rests on, where that is unusual.
    """
    frame = tables.audience(facts.locale, facts.audience).frame
    after, used = [], set(seen.slots)
    if facts.latest:
        newest = fullest(frame.latest[_latest_row(facts, frame)], facts)
        after.append(newest.text)
        used |= newest.slots
    if facts.also and not names_further_finding:
        after.append(_further_finding_sentence(facts))
    if facts.announcement == "unobserved":
        after.append(frame.unknown)
    if not facts.duration_observed:
        counted = fullest((*block_for(facts).counted, *frame.counted), facts)
        after.append(counted.text)
        used |= counted.slots | ({"samples"} if "readings_beyond" in counted.slots else set())
    if facts.change in _OF_ANY_READING or (facts.change and not facts.latest):
        changed = fullest(frame.change[facts.change], facts)
        after.append(changed.text)
        used |= changed.slots
    if facts.basis in frame.basis:
        after.append(frame.basis[facts.basis])
    return after, used


def _latest_row(facts: Facts, frame: Frame) -> str:
    """Which sentences say what the latest reading is."""
    if facts.latest == "unread":
        return "unread"
    if facts.kind in KINDS and KINDS[facts.kind].cause == "trend":
        return "trend"
    quantity = tables.kinds()[facts.kind].quantity
    return quantity if quantity in frame.latest else "other"


def fullest(sentences: tuple[Sentence, ...], facts: Facts) -> Sentence:
    """The first sentence whose slots are all known; the last needs none."""
    return next(one for one in sentences if one.slots.issubset(facts.slots))


def _details(facts: Facts, used: set[str]) -> list[str]:
    """Sentences for the known slots that no sentence has used yet."""
    found = []
    frame = tables.audience(facts.locale, facts.audience).frame
    for detail in (*block_for(facts).details, *frame.details):
        if used.isdisjoint(detail.slots) and detail.slots.issubset(facts.slots):
            found.append(detail.text)
            used |= detail.slots
    return found


def _room(facts: Facts) -> int:
    """How many sentences may stand above the action; the same in every locale."""
    action = _action(facts, languages.LOCALES[0])
    return tables.most_sentences(facts.audience) - len(_SENTENCE_END.findall(action))


def _action(facts: Facts, locale: str) -> str:
    table = tables.actions(locale)[facts.audience, action_rows(facts), facts.situation]
    return table[facts.priority]


def make_sentence(text: str, entry: str) -> Sentence:
    """A sentence that is not from the tables: a phrase, or a model's."""
    return Sentence(text, tables.slots_of(text), entry)


def block_for(facts: Facts) -> Block:
    """The reviewed wordings of a kind in a direction."""
    return tables.audience(facts.locale, facts.audience).blocks[facts.kind, facts.direction]


def sentences_for(facts: Facts) -> tuple[Sentence, ...]:
    """The tables' sentences for what we saw; what the latest reading does not show is past."""
    if facts.announcement in tables.ENDS:
        return tables.audience(facts.locale, facts.audience).frame.ends[facts.announcement]
    if facts.latest:
        return block_for(facts).seen["late"][-1:]
    return block_for(facts).seen[facts.announcement]


def most_informative(sentences: tuple[Sentence, ...], known: frozenset[str]) -> list[Sentence]:
    """Of the sentences whose slots are all known, those with the most slots: with the first such
    set of slots, so that all of them have the same content.
    """
    possible = [s for s in sentences if s.slots <= known]
    first = max(possible, key=lambda s: len(s.slots))
    return [s for s in possible if s.slots == first.slots]


@lru_cache(maxsize=8192)
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
    if facts.announcement == "taken_back":
        sentence = frame.withdrawal.get(facts.reason)
    elif facts.category == "clinical":
        sentence = frame.activity.get(facts.activity)
    else:
        sentence = None if facts.phase == "closed" else frame.reason.get(facts.reason)
    return [sentence] if sentence else []
