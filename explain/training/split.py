"""Which sentences the model learns from, which end its training, and which only judge it.

Whole kinds and whole families of phrasing are held out, so that no test sentence is phrased
like a training sentence, or none in training is about its kind. The division is fixed here; nothing
is random.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from explain.facts.signature import Signature
from explain.training.examples import TABLE
from explain.training.references import Reference

Part = Literal["train", "validation", "test"]
TEST_KINDS = frozenset({"mean_arterial_pressure_low", "resting_heart_rate_raised", "poor_contact"})
VALIDATION_KINDS = frozenset({"shock_index_high", "device_clock"})
TEST_FAMILIES = frozenset({"earlier", "limit", "pair_with", "persist", "was_then", "you"})
VALIDATION_FAMILIES = frozenset({"clock", "inset", "lasted"})


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts, each in the order in which its sentences were given."""

    train: tuple[Reference, ...]
    validation: tuple[Reference, ...]
    test: tuple[Reference, ...]


def part_of(example: Reference) -> Part:
    """Test goes before validation, validation before training."""
    about = {example.signature.kind, example.signature.also.partition(".")[0]}
    if about & TEST_KINDS or example.family in TEST_FAMILIES:
        return "test"
    if about & VALIDATION_KINDS or example.family in VALIDATION_FAMILIES:
        return "validation"
    return "train"


def split_references(references: Iterable[Reference], own: Iterable[Reference] = ()) -> Split:
    """Divide the references; the tables' own sentences are only learnt from.

    A wording that is judged is not learnt from, whatever its family there or here.
    """
    parts: dict[Part, list[Reference]] = {"train": [], "validation": [], "test": []}
    for example in references:
        parts[part_of(example)].append(example)
    tested = {example.text for example in parts["test"]}
    parts["validation"] = [x for x in parts["validation"] if x.text not in tested]
    judged = tested | {example.text for example in parts["validation"]}
    learnt = [*parts["train"], *(x for x in own if part_of(x) == "train")]
    return Split(
        tuple(x for x in _without_repeats(learnt) if x.text not in judged),
        tuple(_without_repeats(parts["validation"])),
        tuple(_without_repeats(parts["test"])),
    )


def _without_repeats(examples: Iterable[Reference]) -> Iterable[Reference]:
    """Each signature and wording once: as it came first."""
    found: dict[tuple[Signature, str], Reference] = {}
    for example in examples:
        found.setdefault((example.signature, example.text), example)
    return found.values()


def part_counts(divided: Split) -> dict[str, dict[str, int]]:
    """How many sentences, families and kinds each part has; the tables' own apart."""
    return {
        name: {
            "sentences": len(part),
            "from_tables": sum(x.family == TABLE for x in part),
            "families": len({x.family for x in part} - {TABLE}),
            "kinds": len({x.signature.kind for x in part}),
            "signatures": len({x.signature for x in part}),
        }
        for name, part in (
            ("train", divided.train),
            ("validation", divided.validation),
            ("test", divided.test),
        )
    }
