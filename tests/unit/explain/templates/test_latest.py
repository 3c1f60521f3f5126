"""A step whose reading does not show the finding says "was", and what the latest reading is."""

from __future__ import annotations

from dataclasses import replace as changed
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from explain import tables
from explain.evaluation.checks import STILL, failures
from explain.evaluation.events import sets
from explain.evaluation.texts import facts_of
from explain.evaluation.translations import verify_local
from explain.languages import LOCALES
from explain.questions.answers import answer
from explain.questions.table import question_table
from explain.tables import Sentence
from explain.templates.compose import AUDIENCES, compose, signatures_of
from explain.templates.drafts import choice_of, draft_around, draft_text
from explain.verifier import verify_draft
from tests.support.wording import category_of, event, events
from vigil.domain.episode import Event

READ = {"systolic": 128.0, "diastolic": 80.0}


def step(evidence: dict[str, Any], **more: Any) -> Event:
    """A step of a high pressure, of which 128 over 80 is measured now unless said otherwise."""
    known = {
        "signal": "systolic",
        "direction": "above",
        "limit": 160.0,
        "limit_clear": 150.0,
        "value": 128.0,
        "values": READ,
        "extreme": 182.0,
        "change": "parts",
        "samples": 4,
        "readings_beyond": 3,
        "duration_observed": True,
        "duration_seconds": 1800.0,
        **evidence,
    }
    known = {key: value for key, value in known.items() if value is not None}
    made = event(kind="blood_pressure_high", phase="updated", sequence=1, priority="high")
    return replace(made, evidence=known, **more)


def english(made: Event) -> tuple[str, str]:
    """The whole English text for patient and care team."""
    texts = compose(made).texts
    both = (texts["patient"]["en"], texts["care_team"]["en"])
    return tuple(f"{text.title}. {text.body}" for text in both)  # type: ignore[return-value]


@pytest.mark.parametrize("change", [None, *sets.CHANGES, "something new"])
@pytest.mark.parametrize("stated", [True, None])
def test_what_is_within_its_limits_was_high(change: str | None, stated: bool | None) -> None:
    patient, care_team = english(step({"change": change, "within_limits": stated}))
    assert "was high" in patient
    assert "The latest reading is 128 over 80." in patient
    assert "Blood pressure was high. Latest reading: 128 over 80 mmHg." in care_team
    for text in (patient, care_team):
        assert "still" not in text
        assert "is high" not in text
        assert "minutes" not in text, "how long it was is not known"


def test_another_limit_of_the_kind_that_is_passed_keeps_it_high() -> None:
    """152 over 104: the systolic one is within its limit, the diastolic one is not."""
    known = {"value": 152.0, "values": {"systolic": 152.0, "diastolic": 104.0}}
    patient, _ = english(step({**known, "within_limits": False}))
    assert "still high" in patient


@pytest.mark.parametrize(("value", "still"), [(159.0, False), (160.0, True), (171.0, True)])
def test_at_the_limit_it_is_beyond(value: float, still: bool) -> None:
    found = english(step({"value": value, "values": {"systolic": value, "diastolic": 90.0}}))
    assert all(("still high" in text) == still for text in found)


RATE = {"signal": "heart_rate", "limit": 120.0, "value": 96.0, "values": {"heart_rate": 96.0}}
SLOW = {**RATE, "limit": 40.0, "value": 52.0, "values": {"heart_rate": 52.0}, "direction": "below"}


@pytest.mark.parametrize(
    ("kind", "known", "was", "latest"),
    [
        ("heart_rate_high", RATE, "heart rate was high", "96 beats a minute"),
        ("heart_rate_low", SLOW, "heart rate was low", "52 beats a minute"),
        (
            "blood_pressure_low",
            {"limit": 90.0, "direction": "below"},
            "blood pressure was low",
            "128 over 80",
        ),
        # the opposite: too high, and now too low
        (
            "blood_pressure_high",
            {"value": 80.0, "values": {"systolic": 80.0, "diastolic": 48.0}},
            "blood pressure was high",
            "80 over 48",
        ),
        # the means of blocks are beyond, the reading that is shown is not
        (
            "heart_rate_unusual",
            {**RATE, "limit": 95.0, "value": 101.0, "values": {"heart_rate": 72.0}},
            "heart rate was higher than usual",
            "72 beats a minute",
        ),
    ],
)
def test_rates_low_values_and_opposites(
    kind: str, known: dict[str, Any], was: str, latest: str
) -> None:
    assert f"Your {was}. The latest reading is {latest}." in english(step(known, kind=kind))[0]


def test_a_step_without_a_reading_sounds_like_none() -> None:
    """As at a tick that shows silence: nothing was measured."""
    made = step({"value": None, "values": {}, "limit": 160.0})
    read = made.onset.strftime("%Y-%m-%dT%H:%M:%SZ")
    unread = replace(made, evidence={**made.evidence, "last_reading": read})
    patient, care_team = english(unread)
    assert "Your blood pressure was high. This is from the last reading of it." in patient
    assert "By its last reading: not measured at this step." in care_team
    assert not any("still" in text or "now" in text for text in (patient, care_team))


def test_a_part_that_may_be_over_is_not_announced() -> None:
    part = {"kind": "heart_rate_high", "signal": "heart_rate", "value": 113.0, "limit": 120.0}
    for within, named in ((None, True), (True, False)):
        made = step({"value": 170.0, "values": {"systolic": 170.0, "diastolic": 90.0},
                     "parts": [{**part, "within_limits": within}]})  # fmt: skip
        patient, care_team = english(made)
        assert ("Your heart rate is high." in patient) == named
        assert ("With it: heart rate high" in care_team) == named


def test_no_phrase_is_used_for_it() -> None:
    assert signatures_of(step({})) == {}


def test_answers_say_neither_that_it_goes_on_nor_how_long() -> None:
    for who in AUDIENCES:
        for intent in question_table(who).intents:
            text = answer(intent, step({}), who).text
            assert not STILL["en"].search(text), text
            assert "minutes" not in text, text


# ---- the verifier


@pytest.mark.parametrize(
    "text",
    [
        "Your blood pressure is still high.",
        "Your blood pressure is high.",
        "Your blood pressure remains high.",
        "Your blood pressure was high, and it still is.",
        "Your blood pressure stays above the limit.",
        "Your high blood pressure continues.",
    ],
)
def test_the_verifier_refuses_what_lasts(text: str) -> None:
    facts = facts_of(step({}), "patient")
    draft = draft_around(facts, Sentence(text, frozenset(), ""), names_further_finding=False)
    assert "latest_not_beyond" in verify_draft(draft, facts, frozenset())
    shown = changed(facts, latest="")
    assert "latest_not_beyond" not in verify_draft(draft, shown, frozenset())


def test_the_verifier_refuses_a_title_and_a_sentence_beside_it() -> None:
    facts = facts_of(step({}), "patient")
    draft = draft_text(facts, 0)
    assert verify_draft(draft, facts, draft.seen.slots) == ()
    for wrong in (
        changed(draft, title="Your blood pressure is high"),
        changed(draft, after=("It is still high.", *draft.after)),
        changed(draft, after=("It remains so.", *draft.after)),
    ):
        assert "latest_not_beyond" in verify_draft(wrong, facts, draft.seen.slots)


@pytest.mark.parametrize("locale", LOCALES[1:])
def test_the_check_of_translations_refuses_what_lasts(locale: str) -> None:
    facts = facts_of(step({}), "patient", locale)
    draft, block = draft_text(facts, 0), tables.audience(locale, "patient").blocks
    own = block["blood_pressure_high", "above"]
    assert verify_local(draft, facts, frozenset()) == ()
    for lasting in (*own.seen["opened"], *own.seen["updated"]):
        wrong = changed(draft, seen=lasting)
        assert "latest_not_beyond" in verify_local(wrong, facts, lasting.slots)
    assert "latest_not_beyond" in verify_local(
        changed(draft, title=own.title), facts, draft.seen.slots
    )


# ---- every event


@pytest.mark.slow
def test_over_the_whole_grid_nothing_still_is_that_the_reading_does_not_show() -> None:
    seen, kinds = set(), set()
    for made in sets.latest_events():
        alert = compose(made)
        facts = {who: facts_of(made, who) for who in AUDIENCES}
        assert all(facts[who].latest for who in AUDIENCES), made
        assert set(failures(made, alert, facts)) == set(), alert.texts
        kinds.add(made.kind)
        for who in AUDIENCES:
            draft = draft_text(facts[who], choice_of(made.episode_id))
            if draft.message not in seen:
                seen.add(draft.message)
                assert verify_draft(draft, facts[who], draft.seen.slots) == (), draft.message
    assert len(kinds) == sum(category_of(kind) == "clinical" for kind in tables.kinds())


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES[1:])
def test_no_translation_of_the_whole_grid_does_either(locale: str) -> None:
    seen = set()
    for made in sets.latest_events():
        facts = facts_of(made, "patient", locale)
        draft = draft_text(facts, choice_of(made.episode_id))
        if draft.message not in seen:
            seen.add(draft.message)
            assert verify_local(draft, facts, draft.seen.slots) == (), draft.message
    assert len(seen) > 100


def test_the_check_sees_a_text_that_says_still() -> None:
    made, high = step({}), step({"value": 170.0, "values": {"systolic": 170.0, "diastolic": 90.0}})
    facts = {who: facts_of(high, who) for who in AUDIENCES}
    assert "latest" not in [*failures(high, compose(high), facts)]
    found = [*failures(made, compose(high), facts)]
    assert found.count("latest") == 1 + len(LOCALES)


def test_where_the_reading_shows_it_nothing_changes() -> None:
    for made in chain(sets.core_events(400), sets.combined_events(100)):
        assert facts_of(made, "patient").latest == "", made


@settings(max_examples=150, deadline=None)
@given(events())
def test_of_any_event_no_text_contradicts_its_reading(any_event: Event) -> None:
    alert = compose(any_event)
    facts = {who: facts_of(any_event, who) for who in AUDIENCES}
    if facts["patient"].latest:
        assert "latest" not in {*failures(any_event, alert, facts)}
