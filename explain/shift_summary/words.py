"""The sentences of a summary: wordings of the reviewed table, split into segments.

A segment is words, or something that has a source: a count and the things that it counts, a value,
a time, a patient. Every figure that a reader sees is in a segment with a source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, Literal

from explain import tables

What = Literal["words", "count", "value", "time", "patient", "span"]
Scope = Literal["ward", "patient"]
MAX_NAMED_PATIENTS = 5
"""Patients that a list names; how many more there are is counted."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a sentence."""

    text: str
    what: What = "words"
    ids: tuple[str, ...] = ()
    """Sorted: what a count counts (events, actions, patients, as ``key`` says), else the one event,
    action or patient that it is from; empty for words, and for a count of nothing."""
    key: str = ""
    """What the ids are, or which key of the one event; empty for words."""
    moment: datetime | None = None
    """Of a time: which it is."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a summary."""

    kind: str
    """The row of the table."""
    entry: str
    """Its wording's name in the table, with a digest."""
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(segment.text for segment in self.segments)


Slots = Mapping[str, Sequence[Segment]]
"""What can be filled in, each as segments."""


@cache
def summary_table() -> dict[str, Any]:
    """The table ``summary.toml``."""
    return tables.read_table("en/summary.toml")


def wordings(scope: Scope, kind: str, known: Iterable[str]) -> list[str]:
    """Of the equal wordings whose slots are known, those with the most slots."""
    names = set(known)
    possible = [text for text in summary_table()[scope][kind] if tables.slots_of(text) <= names]
    most = max(len(tables.slots_of(text)) for text in possible)
    return [text for text in possible if len(tables.slots_of(text)) == most]


def build_sentence(scope: Scope, kind: str, slots: Slots, choice: str) -> Sentence:
    """One sentence; ``choice`` (whom and which window it is about) settles its wording."""
    equal = wordings(scope, kind, slots)
    digest = sha256(f"{choice}|{kind}".encode()).digest()
    text = equal[int.from_bytes(digest[:8]) % len(equal)]
    entry = f"en.summary.{scope}.{kind}#{sha256(text.encode()).hexdigest()[:8]}"
    return Sentence(kind, entry, tuple(_upper(list(_cut(text, slots)))))


def _cut(text: str, slots: Slots) -> Iterator[Segment]:
    end = 0
    for match in tables.SLOT.finditer(text):
        if match.start() > end:
            yield Segment(text[end : match.start()])
        yield from slots[match[1]]
        end = match.end()
    if end < len(text):
        yield Segment(text[end:])


def _upper(segments: list[Segment]) -> list[Segment]:
    """A sentence begins with a capital, but for an identifier, which stays as it is."""
    first = segments[0]
    if first.what == "words":
        segments[0] = Segment(first.text[:1].upper() + first.text[1:])
    return segments


def text_segment(text: str) -> Segment:
    """Plain words."""
    return Segment(text)


def count_segments(ids: Iterable[str], key: str, noun: str = "") -> list[Segment]:
    """How many there are, and what: ``3 alerts``.

    Args:
        noun: a row of ``[words.plurals]``; empty: the number alone.
    """
    counted = tuple(sorted(set(ids)))
    return [Segment(text=counted_noun(len(counted), noun), what="count", ids=counted, key=key)]


def counted_noun(number: int, noun: str) -> str:
    """``3 alerts``, or ``3`` where the noun is empty."""
    if not noun:
        return str(number)
    return (
        f"{number} {summary_table()['words']['plurals'][noun]['one' if number == 1 else 'other']}"
    )


def patient_segments(ids: Iterable[str]) -> list[Segment]:
    """``p1, p2 and 3 more``: the first in order of id are named."""
    ordered = sorted(set(ids))
    segments: list[Segment] = []
    for patient_id in ordered[:MAX_NAMED_PATIENTS]:
        if segments:
            segments.append(text_segment(", "))
        segments.append(
            Segment(text=patient_id, what="patient", ids=(patient_id,), key="patient_id")
        )
    rest = ordered[MAX_NAMED_PATIENTS:]
    if rest:
        segments += [
            text_segment(" and "),
            *count_segments(rest, "patients"),
            text_segment(f" {summary_table()['words']['more']}"),
        ]
    return segments
