"""What the verifier knows of a language, compiled from ``tables/<locale>/lexicon.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from explain import tables

Pattern = re.Pattern[str]


class Limits(Struct, frozen=True):
    """How long a text for an audience may be; ``grade`` None: any reading grade."""

    sentences: int
    words: int
    grade: float | None = None


class Lexicon(Struct, frozen=True):
    """The word lists of one locale, each as one pattern."""

    neutral: Pattern
    negators: Pattern
    breaks: Pattern
    lasting: Pattern
    mentions: Pattern
    """Named groups ``end``, ``above``, ``below``, ``rise`` and ``fall``."""
    subjects: dict[str, Pattern]
    conditions: dict[str, Pattern]
    references: dict[str, Pattern]
    forbidden: dict[str, Pattern]
    audiences: dict[str, Pattern]
    places: dict[str, frozenset[str]]
    """Slot of time → the words that may stand right before it."""
    quantity_never: frozenset[str]
    """Words that never stand right before any other slot."""
    numerals: Pattern
    capitals: frozenset[str]
    common: frozenset[str]
    common_share: float
    limits: dict[str, Limits]
    neutral_words: dict[str, str]
    """Slot → words that stand for it where reading ease and length are measured."""


def pattern(words: Iterable[str]) -> Pattern:
    """One pattern that finds any of the words, the longest first, as whole words.

    >>> pattern(["no", "no longer"]).findall("It is no longer so; no, not.")
    ['no longer', 'no']
    """
    return re.compile(_either(words), re.IGNORECASE)


def _either(words: Iterable[str]) -> str:
    ordered = sorted(words, key=len, reverse=True)
    return r"(?<![\w'’])(?:" + "|".join(ordered) + r")(?![\w])"


@cache
def load(locale: str) -> Lexicon:
    """The lexicon of a locale."""
    raw = tables.read(f"{locale}/lexicon.toml")
    named = raw["kinds"]
    return Lexicon(
        neutral=pattern(raw["neutral"]),
        negators=pattern(raw["negators"]),
        breaks=_breaks(raw["breaks"]),
        lasting=pattern(raw["lasting"]),
        mentions=_mentions(raw),
        subjects=_by_kind(named, "subject"),
        conditions=_by_kind(named, "condition"),
        references=_by_kind(named, "reference"),
        forbidden={what: pattern(words) for what, words in raw["forbidden"].items()},
        audiences={who: pattern(words) for who, words in raw["audiences"].items()},
        places={k: frozenset(v) for k, v in raw["places"].items() if k != "quantity_never"},
        quantity_never=frozenset(raw["places"]["quantity_never"]),
        numerals=pattern(raw["numerals"]["words"]),
        capitals=frozenset(raw["capitals"]["words"]),
        common=frozenset(raw["common"]["words"]),
        common_share=raw["common"]["share"],
        limits={who: Limits(**row) for who, row in raw["limits"].items()},
        neutral_words=tables.words(locale)["neutral"],
    )


def _by_kind(named: Mapping[str, Any], what: str) -> dict[str, Pattern]:
    return {kind: pattern(row[what]) for kind, row in named.items() if what in row}


def _breaks(words: list[str]) -> Pattern:
    """Punctuation as it is, words as whole words."""
    marks = [word for word in words if word.startswith("[")]
    return re.compile("|".join([*marks, _either(w for w in words if w not in marks)]), re.I)


def _mentions(raw: Mapping[str, Any]) -> Pattern:
    groups = {
        "end": raw["ends"]["words"],
        "above": raw["states"]["above"],
        "below": raw["states"]["below"],
        "rise": raw["moves"]["above"],
        "fall": raw["moves"]["below"],
    }
    return re.compile("|".join(f"(?P<{k}>{_either(v)})" for k, v in groups.items()), re.I)
