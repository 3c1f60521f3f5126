"""The references are whole, every one may go out, and none stands there twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from explain import tables
from explain.facts.signature import Signature, every_signature, facts_of_signature, parse_signature
from explain.tables import Sentence
from explain.templates.drafts import draft_around
from explain.training.references import Reference, __file__, _references_of_block, load_references
from explain.verifier import verify_draft
from tests.support.wording import AUDIENCES
from vigil.domain.alert import Audience

ALLOWED = frozenset(every_signature())
FOLDER = Path(__file__).parent
AT_LEAST = {"patient": 420, "care_team": 180}


def plain(source: Signature) -> Signature:
    """Without what the person was doing and what else was found."""
    return replace(source, activity="", also="")


def codes_of(reference: Reference) -> tuple[str, ...]:
    """The verifier's answer to a reference in its place in a text."""
    source, facts = reference.signature, facts_of_signature(reference.signature)
    slots = frozenset(source.slots)
    seen = Sentence(reference.text, slots, "reference")
    return verify_draft(
        draft_around(facts, seen, names_further_finding=bool(source.also)), facts, slots
    )


@pytest.mark.parametrize("who", AUDIENCES)
def test_there_are_enough(who: Audience) -> None:
    assert sum(x.signature.audience == who for x in load_references()) >= AT_LEAST[who]


def test_every_reference_has_a_signature_that_can_be_asked_for() -> None:
    for reference in load_references():
        source = reference.signature
        assert plain(source) in ALLOWED, (source.key, reference.text)
        assert parse_signature(source.key) == source
        variant = replace(source, slots=())
        assert variant in {replace(x, slots=()) for x in ALLOWED}, source.key


def test_no_sentence_stands_there_twice() -> None:
    for who in AUDIENCES:
        found = Counter(x.text for x in load_references() if x.signature.audience == who)
        assert [text for text, times in found.items() if times > 1] == []


@pytest.mark.parametrize("who", AUDIENCES)
def test_every_block_is_worded_in_every_way(who: Audience) -> None:
    wanted = {replace(x, slots=()) for x in ALLOWED if x.audience == who and x == plain(x)}
    assert wanted <= {replace(x.signature, slots=()) for x in load_references()}


@pytest.mark.slow
def test_every_reference_may_go_out() -> None:
    refused = {
        (x.signature.key, x.text): codes for x in load_references() if (codes := codes_of(x))
    }
    assert refused == {}


def test_the_verifier_is_asked_of_each_for_its_own_facts() -> None:
    """Told of the other direction, a plain reference is refused."""
    source = Signature("en", "patient", "heart_rate_high", "above", "opened", slots=("heart_rate",))
    high = next(x for x in load_references() if x.signature == source)
    turned = Reference(replace(source, kind="heart_rate_low", direction="below"), "now", high.text)
    assert codes_of(high) == ()
    assert "direction" in codes_of(turned)


def test_no_sentence_is_one_of_the_tables() -> None:
    """What is only copied teaches nothing, and cannot judge."""
    own = {
        sentence.text
        for who in AUDIENCES
        for block in tables.audience("en", who).blocks.values()
        for sentences in block.seen.values()
        for sentence in sentences
    }
    assert [x.text for x in load_references() if x.text in own] == []


def test_families_are_those_that_the_readme_names() -> None:
    named = (FOLDER / "README.md").read_text("utf-8")
    assert [
        x for x in sorted({x.family for x in load_references()}) if f"| `{x}` |" not in named
    ] == []


def test_a_list_that_is_none_of_the_format_is_an_error() -> None:
    source = Signature("en", "patient", "no_data", "none", "opened")
    with pytest.raises(ValueError, match="no list of references"):
        list(_references_of_block(source, {"resting": []}))
