"""The sentences that the verifier is measured on are whole, well labelled, and nobody else's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from explain import tables
from explain.evaluation.held_out import Bad, Good, bad, fresh_bad, fresh_good, good
from explain.facts.signature import every_signature, parse_signature
from explain.training.references import load_references
from tests.support.wording import AUDIENCES

ALLOWED = frozenset(every_signature())
KINDS = frozenset(
    {
        *("direction_flipped", "negation_added", "negation_removed", "end_claimed", "end_removed"),
        *("slot_dropped", "slot_doubled", "slot_renamed", "slot_swapped", "number_inserted"),
        *("number_word_inserted", "diagnosis_inserted", "medicine_inserted"),
        *("reassurance_inserted", "advice_inserted", "alarming_inserted", "other_event_named"),
        *("event_unnamed", "name_inserted", "markup_inserted", "control_character"),
        *("wrong_audience", "other_language", "too_long", "context_claimed"),
    }
)
SLOT_KINDS = frozenset({"slot_dropped", "slot_doubled", "slot_renamed", "slot_swapped"})
LONGEST_WORDS = {"patient": 18, "care_team": 30}
SLOT_WORDS = {"duration": 3, "heart_rate": 4, "value": 4, "blood_pressure": 3, "since": 5}
"""How many words a slot becomes, at most: ``about 40 minutes``; any other, two or three."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b\u2028\u202e\u2066\ufeff]")


GOOD = (*good(), *fresh_good())
BAD = (*bad(), *fresh_bad())


def every() -> list[Good | Bad]:
    """Of all four files."""
    return [*GOOD, *BAD]


def slots_in(text: str) -> list[str]:
    return sorted(match[1] for match in tables.SLOT.finditer(text))


def words_of(text: str) -> int:
    """Words as they are read, with every slot at its longest."""
    return sum(SLOT_WORDS.get(name, 3) for name in slots_in(text)) + len(
        re.findall(r"[\w'-]+", tables.SLOT.sub(" ", text))
    )


def test_there_are_enough_of_both_readers() -> None:
    counted = Counter(x.signature.audience for x in good())
    assert counted["patient"] >= 165
    assert counted["care_team"] >= 80
    assert len(bad()) >= 300
    fresh = Counter(x.signature.audience for x in fresh_good())
    assert fresh["patient"] >= 100
    assert fresh["care_team"] >= 60
    assert len(fresh_bad()) >= 260


def test_every_signature_is_one_that_can_be_asked_for() -> None:
    """As the references': a set of slots that the block has, in a circumstance that is told."""
    circumstances = {replace(x, slots=()) for x in ALLOWED}
    for x in every():
        rendered = x.signature
        assert parse_signature(rendered.key) == rendered
        assert replace(rendered, activity="", also="") in ALLOWED, (rendered.key, x.text)
        assert replace(rendered, slots=()) in circumstances, (rendered.key, x.text)


@pytest.mark.parametrize("read", [good, fresh_good])
def test_every_block_and_every_telling_has_a_good_sentence(
    read: Callable[[], tuple[Good, ...]],
) -> None:
    for who in AUDIENCES:
        wanted = {x.signature for x in read() if x.signature.audience == who}
        phrased = set(tables.kinds()) - set(tables.rows_of_reasons())
        assert {x.kind for x in wanted} == phrased
        assert {"opened", "updated", "late", "closed"} <= {x.announcement for x in wanted}
    patients = {x.signature for x in read() if x.signature.audience == "patient"}
    assert {x.activity for x in patients} == {"", "rest", "asleep", "active"}
    assert len({x.also for x in patients}) > 5


def test_no_sentence_stands_there_twice() -> None:
    found = Counter(x.text for x in every())
    assert [text for text, times in found.items() if times > 1] == []


def test_no_sentence_is_a_reference_or_one_of_the_tables() -> None:
    """What was learned from, or written with the rules, measures nothing."""
    known = {x.text for x in load_references()}
    for who in AUDIENCES:
        for block in tables.audience("en", who).blocks.values():
            known |= {sentence.text for wanted in block.seen.values() for sentence in wanted}
    assert [x.text for x in every() if x.text in known] == []


@pytest.mark.parametrize("read", [bad, fresh_bad])
def test_every_kind_of_error_is_there_often_enough(read: Callable[[], tuple[Bad, ...]]) -> None:
    counted = Counter(x.kind for x in read())
    assert set(counted) == KINDS
    assert {kind: times for kind, times in counted.items() if times < 10} == {}


def test_good_ones_carry_exactly_their_slots_and_no_figure() -> None:
    for x in GOOD:
        assert slots_in(x.text) == list(x.signature.slots), x.text
        assert not re.search(r"\d", x.text), x.text


@pytest.mark.parametrize("who", AUDIENCES)
def test_good_ones_are_short_and_speak_to_their_reader(who: str) -> None:
    for x in GOOD:
        if x.signature.audience == who:
            assert words_of(x.text) <= LONGEST_WORDS[who], x.text
            assert who == "patient" or not re.search(r"\byou", x.text, re.IGNORECASE), x.text


def test_bad_ones_carry_their_slots_where_these_are_not_what_is_wrong() -> None:
    for x in BAD:
        if x.kind not in SLOT_KINDS:
            assert slots_in(x.text) == list(x.signature.slots), x.text
    dropped = [x for x in BAD if x.kind == "slot_dropped"]
    assert all(set(slots_in(x.text)) < set(x.signature.slots) for x in dropped)
    doubled = [x for x in BAD if x.kind == "slot_doubled"]
    assert all(max(Counter(slots_in(x.text)).values()) > 1 for x in doubled)


def test_bad_ones_are_wrong_in_one_way() -> None:
    """Only those that are about length are too long; only theirs hold control characters."""
    for x in BAD:
        too_long = words_of(x.text) > LONGEST_WORDS[x.signature.audience]
        assert too_long == (x.kind == "too_long"), x.text
        assert bool(CONTROL.search(x.text)) == (x.kind == "control_character"), x.text
