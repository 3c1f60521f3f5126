"""What the model itself writes, before anything is refused: one sentence for each signature.

An event's prompt is its signature and greedy decoding has one answer, so each signature is asked
once and counts as often as the core grid has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from explain.facts.signature import Signature
from explain.phrasebook.book import judge_sentence
from explain.templates.compose import signatures_of
from vigil.domain.episode import Event

GROUPS: Mapping[str, frozenset[str]] = {
    "slot": frozenset({"slot_missing", "slot_repeated", "slot_unknown", "slot_malformed"}),
    "numeral": frozenset({"numeral"}),
    "contradiction": frozenset(
        {"direction", "negation", "phase", "event_unnamed", "event_unknown", "context"}
    ),
    "forbidden": frozenset({"diagnosis", "medicine", "reassurance", "alarming", "advice"}),
}
"""A metric → the reason codes that count for it."""
Ask = Callable[[Sequence[Signature]], list[str]]
"""One greedy answer to each."""


@dataclass(slots=True)
class RawOutcome:
    """What a model wrote for some signatures."""

    name: str
    sentences: int
    """Counted as often as they are wanted."""
    signatures: int
    errors: dict[str, int]
    """Of :data:`GROUPS`, and ``any``: refused for whatever reason."""
    codes: dict[str, int]
    copied: int
    """Sentences that stand word for word among the training sentences or the tables."""
    refused: list[tuple[str, str, str]]
    """Signature, sentence and codes, of each signature that was refused."""


def wanted_signatures(events: Iterable[Event]) -> Counter[Signature]:
    """The signatures that events ask for, and how often."""
    return Counter(signature for event in events for signature in signatures_of(event).values())


def measure_raw(
    name: str, ask: Ask, wishes: Mapping[Signature, int], known: set[str]
) -> RawOutcome:
    """Ask for a sentence of each signature and judge it.

    Args:
        known: sentences that the model has seen.
    """
    signatures = sorted(wishes)
    errors, codes = Counter[str](), Counter[str]()
    refused: list[tuple[str, str, str]] = []
    copied = 0
    for signature, sentence in zip(signatures, ask(signatures), strict=True):
        times, found = wishes[signature], set(judge_sentence(signature, sentence))
        copied += times * (sentence in known)
        for code in found:
            codes[code] += times
        for group, members in GROUPS.items():
            errors[group] += times * bool(found & members)
        errors["any"] += times * bool(found)
        if found:
            refused.append((signature.key, sentence, " ".join(sorted(found))))
    total = sum(wishes.values())
    return RawOutcome(
        name=name,
        sentences=total,
        signatures=len(signatures),
        errors=dict(errors),
        codes=dict(codes),
        copied=copied,
        refused=refused,
    )
