"""What a text claims about direction: each mention, whether it is negated, whether it lasts.

A negator turns around what follows it in the same clause, an even number of them nothing. A lasting
verb ("is", "still") before a mention makes it present. Phrases that only look like a direction
("sit down") are gone by then: see ``neutral`` in the lexicon.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from explain.verifier import lexicon
from explain.verifier.candidate import Candidate
from explain.verifier.lexicon import Lexicon

What = Literal["above", "below", "rise", "fall", "end", "condition", "denial"]
SIDE = {"above": "above", "rise": "above", "below": "below", "fall": "below"}


class Mention(NamedTuple):
    """One place in a text that claims something."""

    what: What
    """``denial`` is a negator that turns around nothing after it: "a high rate was not seen"."""
    negated: bool
    lasting: bool

    @property
    def side(self) -> str:
        """``above`` or ``below``, or empty where it is no direction."""
        return SIDE.get(self.what, "")

    @property
    def move(self) -> bool:
        """A change ("fell") rather than a state ("low")."""
        return self.what in {"rise", "fall"}


def mentions(candidate: Candidate) -> tuple[Mention, ...]:
    """Every claim in a text, in order."""
    facts = candidate.facts
    return _mentions(candidate.plain, facts.kind, facts.locale)


@lru_cache(maxsize=64)
def _mentions(text: str, kind: str, locale: str) -> tuple[Mention, ...]:
    words = lexicon.load(locale)
    found: list[Mention] = []
    for clause in words.breaks.split(text):
        found.extend(_in_clause(clause, kind, words))
    return tuple(found)


def _in_clause(clause: str, kind: str, words: Lexicon) -> Iterator[Mention]:
    places: list[tuple[int, What]] = []
    conditions = words.conditions.get(kind)
    if conditions is not None:
        for match in conditions.finditer(clause):
            places.append((match.start(), "condition"))
            blank = " " * len(match[0])
            clause = clause[: match.start()] + blank + clause[match.end() :]
    for match in words.mentions.finditer(clause):
        what: What = match.lastgroup  # type: ignore[assignment]
        places.append((match.start(), what))
    negators = [match.end() for match in words.negators.finditer(clause)]
    lasting = [match.end() for match in words.lasting.finditer(clause)]
    last = max((start for start, _ in places), default=-1)
    if any(end > last for end in negators):
        yield Mention("denial", negated=False, lasting=False)
    for start, what in sorted(places):
        turns = sum(end <= start for end in negators)
        yield Mention(what, turns % 2 == 1, any(end <= start for end in lasting))
