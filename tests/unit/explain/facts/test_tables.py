"""The reviewed tables are whole, and every sentence that they can make passes the verifier."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from explain import tables
from explain.facts.extraction import TECHNICAL_REASONS
from explain.facts.slots import SLOTS
from explain.facts.units import UNITS
from explain.templates.drafts import draft_text, sentences_for
from explain.verifier import verify_draft
from explain.verifier.candidate import Candidate
from explain.verifier.lexicon import load_lexicon
from tests.support.wording import AUDIENCES, category_of, cells, directions_of
from vigil.domain.alert import Audience
from vigil.domain.kinds import KINDS, PRIORITY_ORDER, Priority
from vigil.domain.signals import SIGNALS

CHANGES = tables.CHANGES
EVERY_KIND = (*KINDS, *sorted(tables.rows_of_reasons()), "other_clinical", "other_technical")


def test_every_kind_has_a_row_and_no_row_is_left_over() -> None:
    assert set(tables.kinds()) == set(EVERY_KIND)
    for row in tables.kinds().values():
        assert not row.quantity or row.quantity in UNITS


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_kind_and_direction_has_words(audience: Audience) -> None:
    blocks = tables.audience("en", audience).blocks
    assert set(blocks) == {(kind, d) for kind in EVERY_KIND for d in directions_of(kind)}


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_list_ends_with_a_sentence_that_needs_no_slot(audience: Audience) -> None:
    for place, block in tables.audience("en", audience).blocks.items():
        for announcement, sentences in block.seen.items():
            assert not sentences[-1].slots, (place, announcement)
            assert len({s.text for s in sentences}) == len(sentences), (place, announcement)


def test_every_slot_in_the_tables_is_known() -> None:
    for audience in AUDIENCES:
        table = tables.audience("en", audience)
        sentences = [
            *table.frame.details,
            *table.frame.counted,
            *(s for ending in table.frame.ends.values() for s in ending),
            *(s for changed in table.frame.change.values() for s in changed),
        ]
        sentences += table.frame.time_uncertain
        for block in table.blocks.values():
            sentences += [*block.details, *block.counted, *block.meaning]
            sentences += [s for many in block.seen.values() for s in many]
        for sentence in sentences:
            assert sentence.slots <= set(SLOTS), sentence.text


def test_every_slot_has_neutral_words() -> None:
    assert set(load_lexicon("en").neutral_words) == set(SLOTS)


def test_there_is_an_action_for_every_audience_category_situation_and_priority() -> None:
    rows = ("clinical", "technical", tables.SINGLE_PRESSURE, "clock")
    wanted = product(AUDIENCES, rows, ("now", "late", "ended", "unknown"))
    actions = tables.actions("en")
    assert set(actions) == set(wanted)
    for texts in actions.values():
        assert set(texts) == set(PRIORITY_ORDER)


def test_the_most_urgent_action_is_never_softened() -> None:
    """A change of these words is a clinical decision: make it here too."""
    actions = tables.actions("en")
    assert actions["patient", "clinical", "now"]["high"] == (
        "Call your care team now."
        " If you have chest pain, faint or can not breathe well, call for emergency help."
    )
    assert actions["care_team", "clinical", "now"]["high"] == (
        "See or call the patient now. Repeat the measurement."
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_text_that_can_be_made_passes_the_verifier(kind: str) -> None:
    """All directions, audiences and situations; all slots, none, each alone, each missing."""
    for facts in cells(kind):
        known, tried = facts.slots, set()
        some = [(), *((s,) for s in known), *(tuple(k for k in known if k != s) for s in known)]
        changeable = facts.phase == "updated" and facts.category == "clinical"
        news = ("", *CHANGES) if changeable else ("",)
        for slots, choice, change in product(
            (known, *some), range(len(sentences_for(facts))), news
        ):
            changed = replace(facts, slots=slots, change=change)
            words = draft_text(changed, choice)
            if words.message not in tried:
                tried.add(words.message)
                assert verify_draft(words, changed, words.seen.slots) == (), words.message


@pytest.mark.slow
@pytest.mark.parametrize("priority", sorted(PRIORITY_ORDER))
@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_action_passes_the_verifier(audience: Audience, priority: Priority) -> None:
    for kind in EVERY_KIND:
        for facts in cells(kind):
            if facts.audience == audience:
                changed = replace(facts, priority=priority, category=category_of(kind))
                words = draft_text(changed, 0)
                assert verify_draft(words, changed, words.seen.slots) == (), words.message


@pytest.mark.parametrize("reason", TECHNICAL_REASONS)
def test_every_reason_is_stated_to_the_care_team(reason: str) -> None:
    for facts in cells("sensor_fault"):
        if facts.audience == "care_team" and facts.situation == "now":
            words = draft_text(replace(facts, reason=reason), 0)
            assert tables.audience("en", "care_team").frame.reason[reason] in words.body
            assert verify_draft(words, facts, words.seen.slots) == ()


@pytest.mark.parametrize("kind", [k for k in EVERY_KIND if category_of(k) == "clinical"])
def test_what_a_wrong_clock_measured_says_so_in_a_text_that_passes(kind: str) -> None:
    for plain in cells(kind):
        facts = replace(plain, time_uncertain=True)
        words = draft_text(facts, 0)
        known, unknown = tables.audience("en", facts.audience).frame.time_uncertain
        assert (known.text in words.before) == (not facts.late)
        assert verify_draft(words, facts, words.seen.slots) == (), words.message
        without = replace(facts, slots=tuple(set(facts.slots) - {"clock_offset"}))
        assert (unknown.text in draft_text(without, 0).before) == (not facts.late)


def test_every_clinical_kind_and_signal_can_stand_in_a_list() -> None:
    words = tables.words("en")
    assert set(words["parts"]) == {k.name for k in KINDS.values() if k.category == "clinical"}
    assert set(words["signals"]) == set(SIGNALS)


def test_neutral_words_are_as_many_as_a_slot_can_render() -> None:
    words = tables.words("en")["neutral"]
    longest = {
        "heart_rate": "118 beats a minute", "blood_pressure": "182 over 121",
        "blood_pressure_mmhg": "182 over 121 mmHg", "duration": "about 100 minutes",
        "since": "02:10 UTC on 19 November", "usual_range": "60 to 75 beats a minute",
        "limit": "118 beats a minute", "score": "7 points", "samples": "41 readings",
        "readings_beyond": "40 of 41 readings", "first_seen": "on 19 November",
        "found_over": "at 02:10 UTC", "unseen_since": "since 19 November",
        "highest_priority": "high priority",
        "average_blood_pressure": "138 over 86", "average_blood_pressure_mmhg": "138 over 86 mmHg",
    }  # fmt: skip
    for slot, rendered in longest.items():
        assert len(words[slot].split()) >= len(rendered.split()), slot


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_clinical_kind_can_be_counted_where_it_was_not_observed_all_along(
    audience: Audience,
) -> None:
    table = tables.audience("en", audience)
    assert not table.frame.counted[-1].slots
    for (kind, direction), block in table.blocks.items():
        if category_of(kind) == "technical":
            assert not block.counted, kind
            continue
        (counted,) = block.counted
        assert counted.slots == {"readings_beyond", "first_seen"}, (kind, direction)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_change_and_every_end_has_a_sentence_that_needs_no_slot(audience: Audience) -> None:
    frame = tables.audience("en", audience).frame
    assert set(frame.change) == set(CHANGES)
    for sentences in (*frame.change.values(), *frame.ends.values()):
        assert not sentences[-1].slots


def test_a_draft_has_a_place_for_each_slot_once() -> None:
    for facts in cells("heart_rate_high"):
        words = draft_text(facts, 1)
        message = Candidate(words.message, facts, "message", tables.slots_of(words.message))
        assert len(message.slots) == len(set(message.slots))
