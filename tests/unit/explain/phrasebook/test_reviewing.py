"""What a reviewer reads: every signature has words and an example that fits it."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest

from explain.facts.signature import Signature, every_signature, facts_of_signature, parse_signature
from explain.facts.slots import measure_slots
from explain.phrasebook.book import UNKNOWN_SIGNATURE, WRONG_ID
from explain.phrasebook.reviewing import (
    REFUSAL_REASONS,
    describe_signature,
    example_event,
    kind_label,
    make_example,
    split_at_slots,
)
from explain.templates.compose import signatures_of
from explain.templates.drafts import sentences_for
from explain.verifier import RULES
from vigil.domain.kinds import KINDS

ALL = list(every_signature())


def test_every_signature_has_words_of_its_own() -> None:
    wanted = [(describe_signature(each), each.slots) for each in ALL]
    assert len(set(wanted)) == len(ALL)


@pytest.mark.parametrize("audience", ["patient", "care_team"])
def test_every_signature_has_an_event_that_fills_its_slots(audience: str) -> None:
    for each in ALL:
        if each.audience == audience:
            assert set(each.slots) <= set(measure_slots(example_event(each))), each.key


def test_an_example_is_of_the_signature() -> None:
    for each in ALL:
        of_event = signatures_of(example_event(each))[each.audience]
        found = (of_event.kind, of_event.direction, of_event.announcement, of_event.activity)
        assert found == (each.kind, each.direction, each.announcement, each.activity), each.key
        assert of_event.also == each.also, each.key


def test_every_example_is_whole() -> None:
    for each in ALL:
        for sentence in sentences_for(facts_of_signature(each)):
            if tuple(sorted(sentence.slots)) == each.slots:
                shown = make_example(each, sentence.text)
                assert not re.search(r"[{}]", " ".join(astuple(shown))), each.key
                assert shown.sentence in shown.body


def test_what_cannot_be_filled_stands_as_it_is() -> None:
    wanted = parse_signature("en/patient/heart_rate_high.above/opened/-/-/heart_rate")
    shown = make_example(wanted, "Now {heart_rate} and {nonsense} <b>.")
    assert shown.sentence == "Now 118 beats a minute and {nonsense} <b>."


def test_a_part_and_a_low_finding_have_fitting_figures() -> None:
    wanted = parse_signature(
        "en/patient/heart_rate_low.below/opened/-/blood_pressure_high.above/heart_rate"
    )
    assert describe_signature(wanted)[-1] == "told with: Blood pressure high"
    shown = make_example(wanted, "Low at {heart_rate}, with {blood_pressure}.")
    assert shown.sentence == "Low at 44 beats a minute, with 182 over 108."


def test_pieces_are_the_sentence() -> None:
    text = "For {duration}, high: {heart_rate}."
    assert "".join(part for part, _ in split_at_slots(text)) == text
    assert [part for part, is_slot in split_at_slots(text) if is_slot] == [
        "{duration}",
        "{heart_rate}",
    ]


def test_every_reason_has_words() -> None:
    for code in (*(rule.code for rule in RULES), UNKNOWN_SIGNATURE, WRONG_ID):
        assert REFUSAL_REASONS[code].endswith(".")


def test_a_kind_of_another_version_has_a_name() -> None:
    assert kind_label("heart_rate_high") == KINDS["heart_rate_high"].label
    assert kind_label("from_the_future") == "From the future"


def test_a_measured_direction_is_said() -> None:
    wanted = Signature("en", "care_team", "heart_rate_unusual", "below", "opened")
    assert describe_signature(wanted)[1] == "Heart rate unusual for this person, below"
