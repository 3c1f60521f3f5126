"""The subjects of a sentence, and which of them each claim belongs to.

A *subject* is a topic of the lexicon where it is named ("your heart rate"). Two that are joined
("your heart rate and your blood pressure") count as one. One that only qualifies another
("for your blood pressure") is *oblique*: what follows belongs to the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from explain.verifier.lexicon import Lexicon, Pattern, topic_of

_OBLIQUE = re.compile(
    r"\b(?:for|against|than|of|in|from|on|between|at)\s+(?:[^\W\d_]+['’]?s?\s+)?$", re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"^\s+$")
_SHARED = re.compile(r"^\s+and\s+$")
_SAME = re.compile(r"^\s+(?:(?:your|the|its|this\sperson['’]s)\s+)?$")
_MOVE_OF = re.compile(
    r"^\s+(?:(?:of|in|to)\s+(?:(?:your|the|a|its|this\sperson['’]s)\s+)?)?$", re.IGNORECASE
)

_GAPS = {"rise": _MOVE_OF, "fall": _MOVE_OF, "same": _SAME}


@dataclass(frozen=True, slots=True)
class Subject:
    """One place that names a topic."""

    start: int
    end: int
    topic: str
    together: frozenset[str]
    """The topics that it is joined with, its own among them."""
    oblique: bool


def find_subjects(
    sentence: str, subjects: Pattern, words: Lexicon, claimed: list[tuple[int, int]]
) -> list[Subject]:
    """The subjects of a sentence, in order.

    Args:
        claimed: where the sentence claims something. What has a claim of its own, right before it
            or between it and the next, is not joined with the next.
    """
    found: list[Subject] = []
    for match in subjects.finditer(sentence):
        topic, together = topic_of(match), frozenset({topic_of(match)})
        oblique = _OBLIQUE.search(sentence, 0, match.start()) is not None
        if found and _joined(
            sentence, found[-1], start=match.start(), words=words, claimed=claimed
        ):
            together |= found[-1].together
            oblique |= found[-1].oblique
        found.append(
            Subject(
                start=match.start(),
                end=match.end(),
                topic=topic,
                together=together,
                oblique=oblique,
            )
        )
    return found


def _joined(
    sentence: str, before: Subject, start: int, words: Lexicon, claimed: list[tuple[int, int]]
) -> bool:
    """Whether a subject that starts there is joined with the one before it."""
    between = sentence[before.end : start]
    if not words.joins.search(between):
        return False
    for at, end in claimed:
        attribute = _ATTRIBUTE.match(sentence[end : before.start]) is not None
        if before.end <= at < start or (attribute and not _SHARED.match(between)):
            return False
    return True


def subject_of_claim(
    sentence: str, span: tuple[int, int], subjects: list[Subject], what: str
) -> Subject | None:
    """The subject that words at a place belong to; None: the sentence names none.

    The one right after an attribute ("a high heart rate", "a drop in your blood pressure"), else
    the last named before, else the first named after.
    """
    start, end = span
    before = [subject for subject in subjects if subject.end <= start]
    after = [subject for subject in subjects if subject.start >= end]
    if after and _GAPS.get(what, _ATTRIBUTE).match(sentence[end : after[0].start]):
        return after[0]
    upright = [subject for subject in before if not subject.oblique]
    ahead = [subject for subject in after if not subject.oblique] or after
    if upright or not ahead:
        return (upright or before or [None])[-1]  # type: ignore[list-item]
    joined = [subject for subject in ahead if ahead[0].topic in subject.together]
    return joined[-1]  # "both are low: your heart rate and your blood pressure"
