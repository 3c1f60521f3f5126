"""Form: how many sentences, how long, how hard to read, in which language."""

from __future__ import annotations

from functools import lru_cache

from explain.verifier.candidate import MARKS, Candidate
from explain.verifier.rules.vocabulary import unknown_words

MOST_UNKNOWN = 0.5
"""Of a sentence's words: where more are not in the vocabulary, it is in another language."""


def empty(candidate: Candidate) -> bool:
    """No words at all, or a sentence without an end."""
    if not candidate.words:
        return True
    return candidate.part != "title" and not candidate.text.rstrip().endswith((".", "?"))


def sentences(candidate: Candidate) -> bool:
    """More sentences than this part or audience takes; *what we saw* and a title are one each."""
    most = candidate.lexicon.limits[candidate.facts.audience].sentences
    return len(candidate.sentences) > (most if candidate.part == "message" else 1)


def sentence_length(candidate: Candidate) -> bool:
    """A sentence of more words than the audience takes, each slot counted as what it renders."""
    most = candidate.lexicon.limits[candidate.facts.audience].words
    return any(len(sentence.split()) > most for sentence in candidate.sentences)


def reading_grade(candidate: Candidate) -> bool:
    """A message above the audience's Flesch-Kincaid grade (a title or one sentence has none)."""
    highest = candidate.lexicon.limits[candidate.facts.audience].grade
    if highest is None or candidate.part != "message":
        return False
    return grade(candidate.neutral) > highest


@lru_cache(maxsize=256)
def grade(text: str) -> float:
    """Flesch-Kincaid grade level (Kincaid et al. 1975), by textstat.

    Imported here because its dictionaries take 75 MB, and only what a model wrote, and the tests of
    the tables, are ever graded.
    """
    import textstat  # noqa: PLC0415

    return float(textstat.flesch_kincaid_grade(text))


def language(candidate: Candidate) -> bool:
    """Letters of another script or, in *what we saw*, too many words that it does not have."""
    characters = set(candidate.bare).difference(MARKS)
    if any(c.isalpha() and not c.isascii() for c in characters):
        return True
    if candidate.part != "seen":
        return False
    foreign = sum(1 for _ in unknown_words(candidate))
    return foreign > MOST_UNKNOWN * len(candidate.words)
