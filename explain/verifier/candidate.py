"""A text to be verified, and the views of it that the rules use."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from explain.facts.extraction import Facts
from explain.tables import SLOT
from explain.verifier.lexicon import Lexicon, load_lexicon

Part = Literal["seen", "message", "title"]
PLACEHOLDER = "\N{SECTION SIGN}"
UNTIL = "\N{PILCROW SIGN}"
"""Replaces the slot of the time of the end: a finding that was "until" then is over."""
MARKS = PLACEHOLDER + UNTIL
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class Candidate:
    """A delexicalised text, and the facts that it must express.

    Args:
        part: ``seen``, the one sentence on what we saw (all that a model writes); ``message``,
            everything below the title; or ``title``.
        required: slots that must stand in it once each. No other may.
    """

    def __init__(self, text: str, facts: Facts, part: Part, required: frozenset[str]):
        self.text = text
        self.facts = facts
        self.part = part
        self.required = required

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words of its locale."""
        return load_lexicon(self.facts.locale)

    @cached_property
    def slots(self) -> list[str]:
        """The slots in it, in order, each as often as it stands there."""
        return SLOT.findall(self.text)

    @cached_property
    def bare(self) -> str:
        """The text with a mark for each slot, so that no slot's name is read as a word."""
        return SLOT.sub(lambda match: UNTIL if match[1] == "until" else PLACEHOLDER, self.text)

    @cached_property
    def plain(self) -> str:
        """``bare`` without the phrases that only look like something ("sit down")."""
        return self.lexicon.neutral.sub(" ", self.bare)

    @cached_property
    def neutral(self) -> str:
        """The text with short everyday words in place of slots, as many as a slot renders."""
        words = self.lexicon.neutral_words
        return SLOT.sub(lambda match: words.get(match[1], "something"), self.text)

    @cached_property
    def sentences(self) -> list[str]:
        """``neutral`` by sentence."""
        return [part for part in SENTENCE_END.split(self.neutral.strip()) if part]

    @cached_property
    def words(self) -> list[str]:
        """The words of ``bare``."""
        return _WORD.findall(self.bare)
