"""Vocabulary: a sentence on what we saw is made of words that are known to be harmless.

What a list of forbidden words forgets (a disease, a medicine, a name, a cause) this rule does not
let in: a word that it does not know is refused, whatever it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from explain import tables
from explain.verifier.candidate import Candidate

_WORD = re.compile(r"[^\W\d_]+")
_ENDINGS = ("s", "es", "ed", "d", "ing", "er", "r", "est", "st", "ly")


def vocabulary(candidate: Candidate) -> bool:
    """A word that is not among those of the audience's vocabulary."""
    return next(unknown_words(candidate), None) is not None


def unknown_words(candidate: Candidate) -> Iterator[str]:
    """The words of a sentence on what we saw that the vocabulary lacks."""
    known = candidate.lexicon.vocabulary[candidate.facts.audience]
    if candidate.part == "seen" and candidate.facts.announcement not in tables.ENDS:
        for word in _WORD.findall(candidate.bare.replace("’", "'")):
            if not _known(word.lower(), known):
                yield word


@lru_cache(maxsize=4096)
def _known(word: str, known: frozenset[str]) -> bool:
    """Whether a word, or what it is a plain form's ending of, is known.

    >>> _known("dropping", frozenset({"drop"})), _known("stayed", frozenset({"stay"}))
    (True, True)
    >>> _known("sepsis", frozenset({"drop"}))
    False
    """
    return word in known or any(stem in known for stem in _stems(word))


def _stems(word: str) -> Iterator[str]:
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3:
            continue
        yield stem
        yield stem + "e"
        if stem[-1] == stem[-2]:
            yield stem[:-1]
        if stem[-1] == "i":
            yield stem[:-1] + "y"
