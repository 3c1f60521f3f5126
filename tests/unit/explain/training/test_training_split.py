"""The split: whole kinds and families are held out, and nothing that is judged is learnt."""

from __future__ import annotations

from msgspec.structs import replace

from explain import tables
from explain.facts.signature import Signature
from explain.training.examples import TABLE, table_examples
from explain.training.references import Reference, load_references
from explain.training.split import (
    TEST_FAMILIES,
    TEST_KINDS,
    VALIDATION_FAMILIES,
    VALIDATION_KINDS,
    Split,
    part_counts,
    part_of,
    split_references,
)

SPLIT = split_references(load_references(), table_examples())
PARTS = {"train": SPLIT.train, "validation": SPLIT.validation, "test": SPLIT.test}


def kinds(examples: tuple[Reference, ...]) -> set[str]:
    """All that the sentences are about."""
    both = {(x.signature.kind, x.signature.also.partition(".")[0]) for x in examples}
    return {kind for pair in both for kind in pair if kind}


def families(examples: tuple[Reference, ...]) -> set[str]:
    return {x.family for x in examples}


def test_no_kind_and_no_family_of_the_test_is_learnt() -> None:
    assert not kinds(SPLIT.train) & (TEST_KINDS | VALIDATION_KINDS)
    assert not families(SPLIT.train) & (TEST_FAMILIES | VALIDATION_FAMILIES)
    assert not kinds(SPLIT.validation) & TEST_KINDS
    assert not families(SPLIT.validation) & TEST_FAMILIES
    learnt = {(x.family, x.signature.kind) for x in SPLIT.train}
    assert not learnt & {(x.family, x.signature.kind) for x in (*SPLIT.validation, *SPLIT.test)}


def test_no_wording_stands_in_two_parts() -> None:
    texts = [{x.text for x in part} for part in PARTS.values()]
    assert sum(map(len, texts)) == len(set().union(*texts))


def test_what_is_held_out_is_there() -> None:
    assert set(tables.kinds()) >= TEST_KINDS | VALIDATION_KINDS
    assert families(load_references()) >= TEST_FAMILIES | VALIDATION_FAMILIES
    assert not TEST_KINDS & VALIDATION_KINDS
    assert not TEST_FAMILIES & VALIDATION_FAMILIES
    for part in (SPLIT.validation, SPLIT.test):
        assert {x.signature.audience for x in part} == {"patient", "care_team"}
        assert len(part) >= 80


def test_every_reference_is_in_one_part_and_the_tables_own_are_only_learnt() -> None:
    assert {x.text for part in PARTS.values() for x in part} >= {x.text for x in load_references()}
    assert all(x.family != TABLE for x in (*SPLIT.validation, *SPLIT.test))
    assert sum(x.family == TABLE for x in SPLIT.train) > 300


def test_a_further_finding_counts_as_a_kind() -> None:
    source = Signature("en", "patient", "heart_rate_high", "above", "opened")
    variant = replace(source, also="mean_arterial_pressure_low.below")
    assert part_of(Reference(source, "now", "…")) == "train"
    assert part_of(Reference(variant, "now", "…")) == "test"


def test_a_wording_that_is_judged_is_not_learnt_under_another_name() -> None:
    source = Signature("en", "patient", "heart_rate_high", "above", "opened")
    same = "Your heart rate is high."
    judged = Reference(source, "you", same)
    got = split_references(
        [Reference(source, "now", same), judged], [Reference(source, TABLE, same)]
    )
    assert got == Split((), (), (judged,))


def test_counts_say_what_there_is() -> None:
    assert {name: row["sentences"] for name, row in part_counts(SPLIT).items()} == {
        name: len(part) for name, part in PARTS.items()
    }
