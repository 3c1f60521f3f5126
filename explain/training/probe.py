"""A quick look at what a model writes: of its likeliest answers, how many the verifier passes.

``vigil explain evaluate`` is the whole report; these are the figures of an adapter's card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from explain.facts.signature import Signature, facts_of_signature
from explain.language_model.prompt import tuned_request
from explain.training.references import Reference
from explain.verifier import verify
from explain.verifier.candidate import Candidate

SLOTS = frozenset({"slot_malformed", "slot_unknown", "slot_missing", "slot_repeated"})
CONTRADICTIONS = frozenset({"event_unnamed", "direction", "negation", "phase"})


class BatchWriter(Protocol):
    """What answers many requests."""

    def write_many(self, prompts: Sequence[str], candidates: int = 1) -> list[list[str]]:
        """The answers to each."""


class Figures(Struct, frozen=True):
    """Shares are of the signatures asked for, each once."""

    signatures: int
    passed: float
    slot_errors: float
    """Missing, doubled, unknown or malformed."""
    contradictions: float
    """Event, direction, negation or phase."""
    numerals: float
    refused: dict[str, int]
    """Reason code → sentences."""


def unique_signatures(examples: Iterable[Reference]) -> list[Signature]:
    """The signatures of a part's sentences, each once, in order."""
    return list(dict.fromkeys(example.signature for example in examples))


def judge_answer(signature: Signature, sentence: str) -> tuple[str, ...]:
    """The reason codes for which the verifier refuses a sentence alone."""
    facts, slots = facts_of_signature(signature), frozenset(signature.slots)
    return verify(Candidate(text=sentence, facts=facts, part="seen", required=slots))


def probe_answers(model: BatchWriter, asked: Sequence[Signature]) -> Figures:
    """Ask once for each signature and judge the answers."""
    answers = model.write_many([tuned_request(signature) for signature in asked])
    return summarise_refusals(
        [judge_answer(signature, texts[0]) for signature, texts in zip(asked, answers, strict=True)]
    )


def summarise_refusals(refused: Sequence[tuple[str, ...]]) -> Figures:
    """The shares of judged sentences."""
    count = max(len(refused), 1)

    def share(among: frozenset[str]) -> float:
        return round(sum(not among.isdisjoint(found) for found in refused) / count, 4)

    return Figures(
        signatures=len(refused),
        passed=round(sum(not found for found in refused) / count, 4),
        slot_errors=share(SLOTS),
        contradictions=share(CONTRADICTIONS),
        numerals=share(frozenset({"numeral"})),
        refused=dict(Counter(code for found in refused for code in found).most_common()),
    )
