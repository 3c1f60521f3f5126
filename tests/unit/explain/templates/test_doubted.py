"""A value that is only doubted is not called wrong, and what to do fits it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from explain import tables
from explain.evaluation.checks import DOUBTED, WRONG, failures
from explain.evaluation.texts import facts_of
from explain.evaluation.translations import verify_local
from explain.facts.rows import row_of
from explain.languages import LOCALES
from explain.phrasebook.book import Phrasebook
from explain.phrasebook.files import shipped_phrases
from explain.templates.compose import compose, signatures_of
from explain.templates.drafts import draft_text
from explain.verifier import verify_draft
from tests.support.wording import AUDIENCES, ONSET, cells, event
from vigil.domain.alert import Text
from vigil.domain.episode import Event
from vigil.domain.kinds import PRIORITY_ORDER

KIND_OF = {reason: kind for kind, reason in tables.rows_of_reasons().values()}
STEPS: tuple[dict[str, Any], ...] = (
    {"phase": "opened"},
    {"phase": "updated"},
    {"phase": "opened", "retrospective": True},
    {"phase": "closed", "ended_at": ONSET},
)
EMERGENCY = " If you have chest pain, faint or can not breathe well, call for emergency help."


def doubted(reason: str, **changes: Any) -> Event:
    """A finding with this reason, of a pressure of 190."""
    evidence = {"reason": reason, "signal": "systolic", "value": 190.0, "samples": 1, "values": {}}
    kind = KIND_OF.get(reason, "sensor_fault")
    plain = {"kind": kind, "category": "technical", "priority": "low"}
    return event(**(plain | {"evidence": evidence} | changes))


def single(**changes: Any) -> Event:
    """A severe pressure that was measured once and judged as it stands."""
    evidence = {
        "signal": "systolic", "value": 190.0, "limit": 180.0, "samples": 1, "readings_beyond": 1,
        "values": {"systolic": 190.0, "diastolic": 120.0}, "duration_observed": False,
    } | changes.pop("evidence", {})  # fmt: skip
    return event(**({"kind": "blood_pressure_high", "evidence": evidence} | changes))


def patient_text(shown: Event) -> Text:
    return compose(shown).texts["patient"]["en"]


def test_each_reason_for_which_a_value_may_be_right_has_words_of_its_own() -> None:
    assert set(KIND_OF) == DOUBTED
    assert set(WRONG) == set(LOCALES)


@pytest.mark.parametrize(("reason", "step"), [*product(sorted(DOUBTED), STEPS)])
def test_no_text_calls_a_doubted_value_wrong(reason: str, step: dict[str, Any]) -> None:
    shown = doubted(reason, **step)
    book = Phrasebook(shipped_phrases(), "verified")
    assert signatures_of(shown) == {}
    for alert in (compose(shown), compose(shown, book)):
        facts = {who: facts_of(shown, who) for who in AUDIENCES}
        assert set(failures(shown, alert, facts)) == set(), alert.texts
    for who, locale in [("care_team", "en"), *(("patient", locale) for locale in LOCALES)]:
        local = facts_of(shown, who, locale)  # type: ignore[arg-type]
        draft = draft_text(local, 0)
        verify = verify_draft if locale == "en" else verify_local
        assert verify(draft, local, draft.seen.slots) == (), draft.message


def test_the_verifier_refuses_to_call_it_wrong() -> None:
    plain, fault = doubted("far_from_recent"), doubted("out_of_range")
    for who in AUDIENCES:
        wrong = draft_text(facts_of(fault, who), 0)
        assert "event_unknown" in verify_draft(wrong, facts_of(plain, who), wrong.seen.slots)


def test_what_cannot_be_true_is_still_called_so() -> None:
    fault = doubted("out_of_range")
    assert "can not be right" in patient_text(fault).body
    assert "faulty" in compose(fault).texts["care_team"]["en"].body


def test_a_pressure_far_from_the_last_asks_for_rest_and_another() -> None:
    shown = doubted("far_from_recent")
    text = patient_text(shown)
    assert text.title == "Your blood pressure is far from your last readings"
    assert text.action == (
        "Please rest, then measure again, and call your care team if it is the same." + EMERGENCY
    )
    care = compose(shown).texts["care_team"]["en"]
    assert "not confirmed: systolic 190 mmHg." in care.body
    assert care.action == "Repeat the measurement now, after a rest."


def test_a_single_severe_pressure_asks_for_another_and_a_second_one_for_a_call() -> None:
    assert patient_text(single(priority="medium")).action == (
        "Please rest, then measure again, and call your care team today." + EMERGENCY
    )
    confirmed = single(priority="high", evidence={"samples": 2, "readings_beyond": 2})
    assert patient_text(confirmed).action == "Call your care team now." + EMERGENCY
    assert patient_text(single(priority="high")).action == "Call your care team now." + EMERGENCY
    over = single(priority="medium", phase="closed", ended_at=ONSET)
    assert patient_text(over).action == "If you feel unwell, call your care team."


@pytest.mark.parametrize("kind", ["blood_pressure_high", "blood_pressure_low"])
def test_what_a_single_pressure_asks_for_passes_in_every_language(kind: str) -> None:
    for cell, priority in product(cells(kind), PRIORITY_ORDER):
        if cell.situation != "now":
            continue
        for locale in tables.locales_of(cell.audience):
            facts = replace(cell, basis="single", priority=priority, locale=locale)
            draft = draft_text(facts, 0)
            verify = verify_draft if locale == "en" else verify_local
            assert verify(draft, facts, draft.seen.slots) == (), draft.message
            assert (
                draft.action
                == tables.actions(locale)[cell.audience, tables.SINGLE_PRESSURE, "now"][priority]
            )


def test_what_a_technical_finding_counts_are_no_readings_that_it_rests_on() -> None:
    for reason in sorted(DOUBTED):
        assert "Rests on" not in compose(doubted(reason)).texts["care_team"]["en"].body


def test_a_kind_named_like_a_row_of_a_reason_is_unknown() -> None:
    assert row_of(event(kind="value_stuck", category="technical")) == "other_technical"


# ---- a clock


def clock(**evidence: Any) -> Event:
    known = {"reason": "constant_offset", **evidence}
    return event(kind="device_clock", category="technical", priority="low", evidence=known)


def test_a_clock_whose_offset_is_known_says_what_is_known_of_its_times() -> None:
    text = patient_text(clock(offset_seconds=-18_000.0))
    assert text.body.endswith(
        "It is about 5 hours ahead, so we only know roughly when your readings were made."
    )
    assert text.action == "Please check the clock of your device."
    care = compose(clock(offset_seconds=-18_000.0)).texts["care_team"]["en"].body
    assert "about 5 hours ahead" in care
    assert "not known" not in care


def test_a_clock_whose_offset_is_not_known_says_so() -> None:
    assert "We can not tell when its readings were made." in patient_text(clock()).body
    assert "is not known" in compose(clock()).texts["care_team"]["en"].body


@pytest.mark.parametrize("phase", ["opened", "updated", "closed"])
def test_a_finding_of_a_wrong_clock_says_by_how_much(phase: str) -> None:
    evidence = {**event().evidence, "time_uncertain": True, "offset_seconds": 960.0}
    alert = compose(event(phase=phase, evidence=evidence))
    assert alert.texts["patient"]["en"].body.startswith(
        "The clock of your device is about 16 minutes behind, so times here are not certain."
    )
    assert alert.texts["care_team"]["en"].body.startswith(
        "Time uncertain. The device clock is about 16 minutes behind."
    )
    for locale in LOCALES[1:]:
        facts = facts_of(event(phase=phase, evidence=evidence), "patient", locale)
        draft = draft_text(facts, 0)
        assert verify_local(draft, facts, draft.seen.slots) == (), draft.message
    del evidence["offset_seconds"]
    assert patient_text(event(phase=phase, evidence=evidence)).body.startswith(
        "The times in this message are not certain."
    )
