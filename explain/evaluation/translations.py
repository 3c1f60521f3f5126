"""Verifies texts in languages other than English: reviewed translations.

Only translators write these texts, one for each English sentence, so this is a second check of a
person's work, not a guard for a model's sentences. It sees form
(slots, characters, script, lengths) as well as the English verifier does. Of the meaning it sees
single words: a word of the finding's direction and none of the other, a word of an end where it is
over and none where it lasts, no word of a duration where none was observed, no word of the
forbidden lists. It does not see negation, which
subject a word belongs to, a number in words, or a word that no list has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from explain import tables
from explain.facts.extraction import SPAN_SLOTS, Facts
from explain.tables import SLOT, Announcement
from explain.templates.drafts import Draft
from explain.verifier.lexicon import Pattern, compile_words

PUNCTUATION = frozenset(" .,;:'’()?-–¿，。、；：（）？।،؛؟")
LATIN_NAMES = re.compile(r"\b(?:UTC|Vigil)\b")
"""What keeps its letters in every script."""
_LASTING: tuple[Announcement, ...] = ("opened", "updated")
_SENTENCE_END = re.compile(r"(?<=[.?।؟])\s+|(?<=[。？])")


@dataclass(frozen=True, slots=True)
class LocaleWords:
    """The word lists of one locale, each as one pattern."""

    script: tuple[str, ...]
    """How the Unicode names of its letters begin."""
    states: dict[str, Pattern]
    ends: Pattern
    durations: Pattern
    """Words that claim that a condition lasted from one reading to the next."""
    persisting: Pattern
    """Words that say of a finding that it still is."""
    forbidden: dict[str, Pattern]
    sentences: int
    words: int
    characters: int
    """Of one sentence, besides slots."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a text to be verified."""

    text: str
    part: str
    facts: Facts
    required: frozenset[str]
    words: LocaleWords

    @property
    def bare(self) -> str:
        """The text without its slots."""
        return SLOT.sub(" ", self.text)

    @property
    def slots(self) -> list[str]:
        """The slots in it, each as often as it stands there."""
        return SLOT.findall(self.text)

    @property
    def sentences(self) -> list[str]:
        """The text by sentence."""
        return [part for part in _SENTENCE_END.split(self.text.strip()) if part.strip()]


@cache
def load_word_lists(locale: str) -> LocaleWords:
    """The lexicon of a locale other than English."""
    raw = tables.read_table(f"{locale}/lexicon.toml")
    limits = raw["limits"]["patient"]
    compiled = compile_words if raw["word_boundaries"] else _anywhere
    return LocaleWords(
        script=tuple(raw["script"]),
        states={side: compiled(raw["states"][side]) for side in ("above", "below")},
        ends=compiled(raw["ends"]["words"]),
        durations=compiled(raw["durations"]["words"]),
        persisting=compiled(raw["persisting"]["words"]),
        forbidden={what: compiled(listed) for what, listed in raw["forbidden"].items()},
        sentences=limits["sentences"],
        words=limits["words"],
        characters=limits["characters"],
    )


def _anywhere(words: list[str]) -> Pattern:
    return re.compile("|".join(sorted(words, key=len, reverse=True)), re.IGNORECASE)


# ---- rules


def empty(piece: Piece) -> bool:
    """No letter at all."""
    return not any(character.isalpha() for character in piece.bare)


def control_character(piece: Piece) -> bool:
    """As in English; bidirectional marks too, which code sets where they are needed."""
    return any(
        unicodedata.category(c)[0] == "C" or (unicodedata.category(c)[0] == "Z" and c != " ")
        for c in piece.text
    )


def markup(piece: Piece) -> bool:
    """All but letters, their marks, and plain punctuation of any of our scripts."""
    return any(
        unicodedata.category(c)[0] not in "LMNCZ" and c not in PUNCTUATION and c not in "{}"
        for c in piece.bare
    )


def slot_malformed(piece: Piece) -> bool:
    """A brace that is no slot's."""
    return "{" in piece.bare or "}" in piece.bare


def slot_unknown(piece: Piece) -> bool:
    """A slot that this text may not use, or that this event cannot fill."""
    return any(slot not in piece.required & set(piece.facts.slots) for slot in piece.slots)


def slot_missing(piece: Piece) -> bool:
    """A required slot that is not there."""
    return not piece.required.issubset(piece.slots)


def slot_repeated(piece: Piece) -> bool:
    """A slot more than once."""
    return len(piece.slots) != len(set(piece.slots))


def numeral(piece: Piece) -> bool:
    """A digit of any script outside a slot."""
    return any(unicodedata.category(c)[0] == "N" for c in piece.bare)


def language(piece: Piece) -> bool:
    """A letter of another script."""
    return any(
        c.isalpha() and not unicodedata.name(c, "").startswith(piece.words.script)
        for c in LATIN_NAMES.sub(" ", piece.bare)
    )


def direction(piece: Piece) -> bool:
    """While it lasts: no word of the finding's side, or one of a side that no finding has.

    An end may be worded with either direction ("has come back down").
    """
    facts = piece.facts
    if piece.part == "message" or facts.announcement in tables.ENDS:
        return False
    if facts.phase == "closed" and piece.part == "seen":
        return False
    sides = {facts.direction}
    if facts.also and piece.part == "seen":
        sides.add(facts.also.partition(".")[2])  # type: ignore[arg-type]
    sides_named = {side for side, words in piece.words.states.items() if words.search(piece.bare)}
    own = facts.direction == "none" or facts.direction in sides_named
    return not own or bool(sides_named - sides)


def phase(piece: Piece) -> bool:
    """Over, without a word of an end; or such a word for what lasts."""
    if piece.part != "seen" or piece.facts.announcement in tables.ENDS:
        return False
    over = piece.words.ends.search(piece.bare) is not None
    return over != (piece.facts.phase == "closed")


def duration_unobserved(piece: Piece) -> bool:
    """A duration, by a slot or in words, of what was not observed all along."""
    if piece.facts.duration_observed:
        return False
    return (
        not SPAN_SLOTS.isdisjoint(piece.slots)
        or piece.words.durations.search(piece.bare) is not None
    )


def latest_not_beyond(piece: Piece) -> bool:
    """Told as lasting, by a word or by a sentence of the tables that does, where the latest reading
    does not show it."""
    facts = piece.facts
    if not facts.latest:
        return False
    if piece.words.persisting.search(piece.bare) is not None:
        return True
    block = tables.audience(facts.locale, facts.audience).blocks[facts.kind, facts.direction]
    lasting = {block.title} | {one.text for name in _LASTING for one in block.seen[name]}
    return piece.part != "message" and piece.text in lasting


def sentences(piece: Piece) -> bool:
    """More sentences than the locale's limit; what we saw and a title are one each."""
    return len(piece.sentences) > (piece.words.sentences if piece.part == "message" else 1)


def sentence_length(piece: Piece) -> bool:
    """More words, a slot as one, or more characters besides slots, than the locale's limit."""
    return any(
        len(sentence.split()) > piece.words.words
        or len(SLOT.sub("", sentence)) > piece.words.characters
        for sentence in piece.sentences
    )


def _forbidden(what: str) -> Callable[[Piece], bool]:
    return lambda piece: piece.words.forbidden[what].search(piece.bare) is not None


FORBIDDEN = ("diagnosis", "medicine", "reassurance", "alarming")
RULES: dict[str, Callable[[Piece], bool]] = {
    rule.__name__: rule
    for rule in (
        *(empty, control_character, markup, slot_malformed, slot_unknown, slot_missing),
        *(slot_repeated, numeral, direction, phase, duration_unobserved, latest_not_beyond),
        *(sentences, sentence_length, language),
    )
} | {what: _forbidden(what) for what in FORBIDDEN}
"""Reason code → rule. The codes are those of the English verifier."""


def verify_local(draft: Draft, facts: Facts, required: frozenset[str]) -> tuple[str, ...]:
    """The reason codes for which a translated text must be refused; none: it may go out.

    Args:
        facts: with the locale of the text.
        required: the slots that the sentence on what we saw must carry.
    """
    words = load_word_lists(facts.locale)
    pieces = (
        Piece(text=draft.title, part="title", facts=facts, required=frozenset(), words=words),
        Piece(text=draft.seen.text, part="seen", facts=facts, required=required, words=words),
        Piece(
            text=draft.message,
            part="message",
            facts=facts,
            required=tables.slots_of(draft.message),
            words=words,
        ),
    )
    found = (code for piece in pieces for code, refuses in RULES.items() if refuses(piece))
    return tuple(dict.fromkeys(found))
