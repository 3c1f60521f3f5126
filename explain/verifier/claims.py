"""What a text claims: each mention of a direction, a condition or an end, and of which subject.

A negator turns around what follows it in the same clause, an even number of them nothing; where
nothing follows, it turns around what stands before ("a high rate was not seen"), and in a clause
without a claim it denies all. A lasting verb ("is", "still") before a claim makes it present, a
past one ("was") past. Phrases that only look like a direction ("sit down") are gone by then: see
``neutral`` in the lexicon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from explain.verifier.candidate import SENTENCE_END, Candidate
from explain.verifier.lexicon import Lexicon, load_lexicon
from explain.verifier.subjects import Subject, find_subjects, subject_of_claim

What = Literal["above", "below", "rise", "fall", "end", "span", "condition", "same"]
SIDE = {"above": "above", "rise": "above", "below": "below", "fall": "below"}
_CLAIMS = frozenset({*SIDE, "end", "span", "condition", "same"})
_TENSES = {"lasting": "lasting", "past": "past", "history": "past"}
_MOVED = {"above": "rise", "below": "fall"}
_RELAPSE = re.compile(r"back|return|revert|settl", re.IGNORECASE)
_CEASED = re.compile(r"\b(?:no|any) ?(?:longer|more)\b", re.IGNORECASE)
_NONE = re.compile(r"(?:no|none|nothing|without)\b", re.IGNORECASE)
_AGAIN = re.compile(r"again|once more", re.IGNORECASE)
_RELATION = re.compile(r"\b(?:from|after|below|under|within|inside|since|of)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """One place in a text that claims something."""

    what: What
    """``span``: how long it was ("lasted"), which means that it is over, or is late data."""
    about: frozenset[str]
    """The topics that it is about; empty where the text has named none."""
    own: bool
    """Said in words that are the kind's alone."""
    negated: bool
    lasting: bool
    past: bool
    """It was so; or it is denied from behind, and was never so."""
    again: bool
    """Its clause contains "again"."""

    @property
    def side(self) -> str:
        """``above`` or ``below``, or empty where it is no direction."""
        return SIDE.get(self.what, "")

    @property
    def move(self) -> bool:
        """A change ("fell") rather than a state ("low")."""
        return self.what in {"rise", "fall"}


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a text claims, in order."""

    claims: tuple[Claim, ...]
    denied: bool
    """A clause denies without naming what: "which is not true"."""
    present: bool
    """It contains "now": what was so is still so."""
    named: tuple[tuple[str, tuple[Subject, ...]], ...]
    """Each sentence, and its subjects."""


@dataclass(frozen=True, slots=True, order=True)
class _Token:
    start: int
    end: int
    what: str
    own: bool


def read_claims(candidate: Candidate) -> Reading:
    """What a text claims."""
    facts = candidate.facts
    also = facts.also.partition(".")[0] if candidate.part != "title" else ""
    return _read(candidate.plain, facts.kind, also=also, locale=facts.locale)


@lru_cache(maxsize=256)
def _read(text: str, kind: str, also: str, locale: str) -> Reading:
    words = load_lexicon(locale)
    claims: list[Claim] = []
    named: list[tuple[str, tuple[Subject, ...]]] = []
    denied = present = False
    last: Subject | None = None
    for sentence in SENTENCE_END.split(text):
        tokens = _tokens(sentence, [k for k in (kind, also) if k], words)
        claimed = [
            (token.start, token.end)
            for token in tokens
            if token.what in _CLAIMS and token.what != "same"
        ]
        mentioned = find_subjects(
            sentence, words.kinds[kind].subjects, words=words, claimed=claimed
        )
        named.append((sentence, tuple(mentioned)))
        present |= any(token.what == "present" for token in tokens)
        for clause in _clauses(sentence, tokens, words):
            denied |= _denies(clause)
            claims.extend(_claims(sentence, clause, named=mentioned, last=last))
        if mentioned and (claimed or last is None):  # what is named for its value alone is not "it"
            last = mentioned[-1]
    return Reading(claims=tuple(_same(claims)), denied=denied, present=present, named=tuple(named))


def _tokens(sentence: str, kinds: list[str], words: Lexicon) -> list[_Token]:
    """Claims and what turns them, in order; each place of the sentence is read once."""
    found = []
    patterns = [words.kinds[kind].words for kind in kinds]
    subject = words.kinds[kinds[0]].subjects
    for n, pattern in enumerate((*patterns, subject, words.signals)):
        matches = list(pattern.finditer(sentence))
        if pattern is not subject:
            found += [_Token(*m.span(), str(m.lastgroup), n < len(patterns)) for m in matches]
        for m in matches:
            sentence = sentence[: m.start()] + "_" * len(m[0]) + sentence[m.end() :]
    found.sort()
    return _back(sentence, found)


def _back(sentence: str, tokens: list[_Token]) -> list[_Token]:
    """ "Back above it" is a move: a state right after an end is where it has gone."""
    moved = list(tokens)
    for n in range(1, len(tokens)):
        before, token = tokens[n - 1], tokens[n]
        near = token.start - before.end <= 1
        if before.what == "end" and token.what in _MOVED and near:
            moved[n] = replace(token, what=_MOVED[token.what])
    return moved


def _clauses(sentence: str, tokens: list[_Token], words: Lexicon) -> Iterator[list[_Token]]:
    """The tokens between one break and the next."""
    inside = [(token.start, token.end) for token in tokens if token.what in {"end", "condition"}]
    breaks = [
        match.start()
        for match in words.breaks.finditer(sentence)
        if not any(start <= match.start() < end for start, end in inside)
    ]
    for start, end in zip([-1, *breaks], [*breaks, len(sentence)], strict=True):
        clause = [token for token in tokens if start <= token.start < end]
        if clause:
            yield clause


def _denies(clause: list[_Token]) -> bool:
    """A negator with nothing to turn around."""
    kinds = {token.what for token in clause}
    return bool(kinds & {"negator", "after"}) and not kinds & _CLAIMS


def _claims(
    sentence: str, clause: list[_Token], named: list[Subject], last: Subject | None
) -> Iterator[Claim]:
    claiming = [token for token in clause if token.what in _CLAIMS]
    ends = [token for token in claiming if token.what == "end"]
    again = any(_AGAIN.search(sentence, end.start, end.end) for end in ends)
    ceased = bool(claiming) and _CEASED.search(sentence, clause[0].start) is not None
    for token in claiming:
        tense = _tense(clause, token)
        own = (
            subject_of_claim(sentence, (token.start, token.end), subjects=named, what=token.what)
            or last
        )
        yield Claim(
            what=token.what,  # type: ignore[arg-type]
            about=own.together if own else frozenset(),
            own=token.own,
            negated=_turns(sentence, clause, token) % 2 == 1,
            lasting=tense == "lasting" or _relapses(sentence, clause, token),
            past=(tense == "past" or _behind(clause, token) > 0) and not ceased,
            again=again,
        )


def _turns(sentence: str, clause: list[_Token], token: _Token) -> int:
    """How often a claim is turned around: by the negators before it in its clause, by those after
    the last one, and an end by a condition that contains "no" itself ("no data are coming in").
    """
    turns = [other for other in clause if other.what in {"negator", "after"}]
    led = [other.end for other in clause if other.what == "history" and other.end <= token.start]
    count = sum(max(led, default=0) <= turn.start < token.start for turn in turns)
    count += _behind(clause, token)
    if token.what == "end":
        before = [other for other in clause if other.own and other.start < token.start]
        count += sum(_NONE.match(sentence, other.start) is not None for other in before)
    return count


def _behind(clause: list[_Token], token: _Token) -> int:
    """The negators that stand behind the last claim of a clause: "a high rate was not seen"."""
    if any(other.what in _CLAIMS and other.start > token.start for other in clause):
        return 0
    return sum(other.start >= token.end and other.what == "after" for other in clause)


def _tense(clause: list[_Token], token: _Token) -> str:
    """``lasting``, ``past`` or empty: by the nearest word before it."""
    tenses = [t.what for t in clause if t.end <= token.start and t.what in _TENSES]
    return _TENSES[tenses[-1]] if tenses else ""


def _relapses(sentence: str, clause: list[_Token], token: _Token) -> bool:
    """ "Has gone back to being high": an end that leads into the finding."""
    if token.what not in {"above", "below", "condition"}:
        return False
    for other in clause:
        if other.what == "end" and other.end <= token.start:
            way = sentence[other.start : token.start]
            if _RELAPSE.search(way) and not _RELATION.search(way):
                return True
    return False


def _same(claims: list[Claim]) -> Iterator[Claim]:
    """ "And so is your blood pressure" claims what was claimed before it."""
    before: Claim | None = None
    for claim in claims:
        if claim.what != "same":
            before = claim
            yield claim
        elif before is not None:
            yield replace(before, about=claim.about)
