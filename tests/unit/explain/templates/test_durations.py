"""Words claim what was observed: a duration where readings bear it, else how many readings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from explain import tables
from explain.evaluation.checks import failures
from explain.evaluation.events import sets
from explain.evaluation.texts import facts_of
from explain.evaluation.translations import verify_local
from explain.facts.extraction import SPAN_SLOTS, duration_observed
from explain.facts.moments import TIMES
from explain.facts.slot_formatting import slot_formatter
from explain.facts.slots import render_slots
from explain.languages import LOCALES
from explain.questions.answers import answer
from explain.questions.table import question_table
from explain.templates.compose import AUDIENCES, compose
from explain.templates.drafts import choice_of, draft_text
from explain.verifier import verify_draft
from tests.support.wording import category_of, event, events
from vigil.domain.alert import Alert
from vigil.domain.episode import Event

JANUARY = datetime(2026, 1, 31, 8, tzinfo=UTC)


def sparse(onset: datetime, now: datetime, **changes: Any) -> Event:
    """A finding whose readings stand too far apart to say how long it lasted."""
    known = {
        "signal": "systolic",
        "values": {"systolic": 90.0, "diastolic": 60.0},
        "limit": 90.0,
        "samples": 2,
        "readings_beyond": 2,
        "longest_gap_seconds": (now - onset).total_seconds(),
        "duration_observed": False,
        "duration_seconds": (now - onset).total_seconds(),
    }
    known |= changes.pop("evidence", {})
    plain = {"kind": "blood_pressure_low", "onset": onset, "detected_at": now, "evidence": known}
    return event(**(plain | changes))


LOW_AGAIN = sparse(JANUARY, JANUARY + timedelta(hours=3))
AFTER_59_DAYS = sparse(
    JANUARY,
    JANUARY + timedelta(days=59),
    phase="closed",
    sequence=2,
    ended_at=JANUARY + timedelta(days=59),
    evidence={"values": {"systolic": 124.0, "diastolic": 78.0}, "samples": 3},
)
AN_HOUR_APART = sparse(
    JANUARY,
    JANUARY + timedelta(minutes=62),
    kind="heart_rate_high",
    evidence={"signal": "heart_rate", "values": {"heart_rate": 131.0}, "limit": 120.0},
)
NOT_SEEN_AGAIN = sparse(
    JANUARY,
    JANUARY + timedelta(days=10),
    phase="closed",
    sequence=2,
    ended_at=JANUARY + timedelta(hours=3),
    evidence={"reason": "unobserved"},
)


def english(made: Event) -> dict[str, str]:
    """What each reader reads in English, but for the title."""
    alert = compose(made)
    return {
        who: f"{alert.texts[who]['en'].body} {alert.texts[who]['en'].action}" for who in AUDIENCES
    }


def everything(alert: Alert) -> Iterator[tuple[str, str]]:
    """Each text of an alert with its locale."""
    for texts in alert.texts.values():
        for locale, text in texts.items():
            yield locale, f"{text.title} {text.body}"


# ---- the examples


def test_two_pressures_three_hours_apart_are_counted() -> None:
    texts = english(LOW_AGAIN)
    assert texts["patient"].startswith(
        "Your blood pressure is low, at 90 over 60."
        " It was low in 2 of 2 readings, first at 08:00 UTC."
    )
    assert "Low in 2 of 2 readings, first at 08:00 UTC." in texts["care_team"]
    assert "3 hours" not in str(texts)


def test_an_end_59_days_later_claims_no_59_days() -> None:
    texts = english(AFTER_59_DAYS)
    assert texts["patient"] == (
        "Your blood pressure is no longer low."
        " It was low in 2 of 3 readings, first on 31 January."
        " If you feel unwell, call your care team."
    )
    assert "Low in 2 of 3 readings, first on 31 January." in texts["care_team"]
    assert "Found to be over at 08:00 UTC." in texts["care_team"]
    assert "Ended at" not in texts["care_team"]
    assert "59" not in str(texts)


def test_two_readings_62_minutes_apart_did_not_stay_high_for_an_hour() -> None:
    texts = english(AN_HOUR_APART)
    assert texts["patient"].startswith(
        "Your heart rate is high, at 131 beats a minute."
        " It was high in 2 of 2 readings, first at 08:00 UTC."
    )
    for claim in ("60 minutes", "stayed", "has been"):
        assert claim not in str(texts)


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("es", "Estuvo baja en 2 de 3 mediciones, por primera vez el 31 de enero."),
        ("zh", "3次读数中有2次偏低，第一次是在1月31日。"),
        ("hi", "3 रीडिंग में से 2 में यह कम था, पहली बार 31 जनवरी को।"),
        ("ar", "كان منخفضا في ٢ من أصل ٣ قراءات، أول مرة يوم ٣١ يناير."),
    ],
)
def test_every_locale_counts_the_readings_and_dates_the_first(locale: str, text: str) -> None:
    assert text in compose(AFTER_59_DAYS).texts["patient"][locale].body


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (1, "قراءة واحدة (١)"),
        (2, "١ من أصل قراءتين (٢)"),
        (3, "١ من أصل ٣ قراءات"),
        (11, "١ من أصل ١١ قراءة"),
        (100, "١ من أصل ١٠٠ قراءة"),
    ],
)
def test_arabic_has_a_form_for_each_count(of: int, text: str) -> None:
    made = sparse(JANUARY, JANUARY, evidence={"samples": of, "readings_beyond": 1})
    assert render_slots(made, "ar")["readings_beyond"] == text


def test_one_reading_is_one() -> None:
    made = sparse(JANUARY, JANUARY, evidence={"samples": 1, "readings_beyond": 1})
    assert "It was low in 1 reading, first at 08:00 UTC." in english(made)["patient"]
    spanish = render_slots(made, "es")["readings_beyond"]
    assert spanish == "1 medición"


@pytest.mark.parametrize("beyond", [None, 0, -1, 3, "2", True, float("nan")])
def test_readings_that_do_not_add_up_are_not_counted(beyond: Any) -> None:
    made = sparse(JANUARY, JANUARY + timedelta(days=59), evidence={"readings_beyond": beyond})
    assert "readings_beyond" not in render_slots(made, "en")
    assert "We first saw this on 31 January." in english(made)["patient"]
    assert "First seen on 31 January." in english(made)["care_team"]


def test_a_trend_over_days_is_dated_and_not_counted() -> None:
    made = sparse(
        JANUARY,
        JANUARY + timedelta(days=9),
        kind="resting_heart_rate_raised",
        evidence={"signal": "resting_heart_rate", "value": 74.0, "nights_used": 30},
    )
    texts = english(made)
    assert "We first saw this on 31 January." in texts["patient"]
    assert "Rests on 30 earlier nights." in texts["care_team"]
    assert "of 2" not in str(texts)


def test_what_was_observed_keeps_its_duration() -> None:
    text = compose(event()).texts["patient"]["en"].body
    assert "for about 40 minutes" in text
    assert "readings" not in text


def test_what_a_device_did_keeps_its_duration() -> None:
    quiet = event(kind="no_data", category="technical", evidence={"duration_seconds": 5400.0})
    for texts in english(quiet).values():
        assert "about 90 minutes" in texts


# ---- an end that nobody saw


def test_an_end_that_nobody_saw_is_no_recovery() -> None:
    texts = english(NOT_SEEN_AGAIN)
    assert texts["patient"].startswith(
        "No more readings of this have come in since 31 January. No one can tell if it is over."
    )
    assert texts["care_team"].startswith(
        "Closed without an end that was seen: nothing of this has been measured since 31 January."
        " Whether it is over is not known."
    )
    assert texts["care_team"].endswith("Repeat the measurement.")
    for claim in ("no longer", "back", "normal", "Ended", "Found to be over"):
        assert claim not in str(texts)
    for who in AUDIENCES:
        over = answer("over", NOT_SEEN_AGAIN, who).text
        assert "if it is over" in over or "Whether it is over is not known" in over


def test_an_end_that_nobody_saw_is_said_in_every_locale() -> None:
    for locale in LOCALES:
        text = compose(NOT_SEEN_AGAIN).texts["patient"][locale]
        since = render_slots(NOT_SEEN_AGAIN, locale)["unseen_since"]
        assert since in text.body
        facts = facts_of(NOT_SEEN_AGAIN, "patient", locale)
        draft = draft_text(facts, 0)
        if locale != "en":
            assert verify_local(draft, facts, draft.seen.slots) == ()


def test_what_was_observed_up_to_then_has_no_end_either() -> None:
    watched = sparse(
        JANUARY,
        JANUARY + timedelta(hours=5),
        phase="closed",
        ended_at=JANUARY + timedelta(hours=3),
        evidence={"reason": "unobserved", "duration_observed": True, "samples": 40},
    )
    assert "until" not in render_slots(watched, "en")
    assert "since 11:00 UTC" in english(watched)["patient"]


# ---- what an update announces


@pytest.mark.parametrize(
    ("change", "patient", "care_team"),
    [
        ("worse", "It is further off than when we last wrote.",
         "Further off than at the announcement before."),
        ("raised", "It is more urgent now than when we last wrote.",
         "More urgent than at the announcement before."),
        ("corrected", "Some of the readings do not count any more.",
         "Some readings do not count any more, and the figures are without them."),
        ("continues", "We wrote about this before, and it is still so.",
         "Announced before, and still so."),
        ("eased", "It is less urgent now, but it had high priority before.",
         "Less urgent now; it was high priority before."),
    ],
)  # fmt: skip
def test_a_change_is_announced(change: str, patient: str, care_team: str) -> None:
    known = {"change": change, "highest_priority": "high"}
    made = sparse(JANUARY, JANUARY, phase="updated", sequence=1, evidence=known)
    texts = english(made)
    assert patient in texts["patient"]
    assert care_team in texts["care_team"]
    for locale in LOCALES[1:]:
        local = compose(made).texts["patient"][locale].body
        without = compose(sparse(JANUARY, JANUARY, phase="updated", sequence=1)).texts
        assert local != without["patient"][locale].body


@pytest.mark.parametrize(("known", "sentence", "patient"), [
    ({"protocol": "sparse"},
     "From fewer readings than a home protocol asks for, and so less certain.",
     "It comes from few readings, so it is less certain."),
    ({"protocol": "systolic"},
     "From systolic pressures alone, and so less certain.",
     "It comes from the top number alone, so it is less certain."),
    ({"judged_while_active": "duration"},
     "Judged although active: activity alone does not explain it.", ""),
])  # fmt: skip
def test_what_is_out_of_the_ordinary_about_a_finding_is_said(
    known: dict[str, str], sentence: str, patient: str
) -> None:
    made = sparse(JANUARY, JANUARY, evidence=known)
    assert sentence in english(made)["care_team"]
    assert patient in english(made)["patient"]
    plain, own = compose(sparse(JANUARY, JANUARY)).texts, compose(made).texts
    for locale in LOCALES:
        differs = own["patient"][locale].body != plain["patient"][locale].body
        assert differs == bool(patient), "less certain: in every language"
    over = sparse(JANUARY, JANUARY, phase="closed", ended_at=JANUARY, evidence=known)
    assert sentence not in english(over)["care_team"]


@pytest.mark.parametrize("phase", ["opened", "updated"])
@pytest.mark.parametrize("change", ["", *tables.CHANGES])
@pytest.mark.parametrize("observed", [True, False])
@pytest.mark.parametrize("protocol", ["sparse", "systolic"])
def test_less_certain_passes_the_verifier_and_has_room(
    phase: str, change: str, observed: bool, protocol: str
) -> None:
    made = sparse(
        JANUARY,
        JANUARY + timedelta(days=30),
        kind="blood_pressure_raised_over_days",
        phase=phase,
        priority="low",
        evidence={
            "protocol": protocol,
            "change": change,
            "duration_observed": observed,
            "average": {"systolic": 158.0, "diastolic": 98.0},
            "value": 158.0,
            "limit": 135.0,
        },
    )
    for locale in LOCALES:
        facts = facts_of(made, "patient", locale)
        draft = draft_text(facts, choice_of(made.episode_id))
        assert tables.audience(locale, "patient").frame.basis[protocol] in draft.message
        assert not verify_draft(draft, facts, draft.seen.slots) if locale == "en" else True
        assert not verify_local(draft, facts, draft.seen.slots) if locale != "en" else True


@pytest.mark.parametrize("change", ["earlier", "parts", "better", "", None, 3, ["worse"]])
def test_any_other_change_has_no_sentence(change: Any) -> None:
    made = sparse(JANUARY, JANUARY, phase="updated", evidence={"change": change})
    assert compose(made).texts == compose(sparse(JANUARY, JANUARY, phase="updated")).texts


@pytest.mark.parametrize("highest", ["medium", "low", "none", 1, None])
def test_a_priority_that_was_not_higher_is_not_named(highest: Any) -> None:
    known = {"change": "eased", "highest_priority": highest}
    made = sparse(JANUARY, JANUARY, phase="updated", priority="medium", evidence=known)
    assert "It is less urgent now than it was before." in english(made)["patient"]
    assert "priority" not in str(english(made))


def test_what_it_was_is_not_hidden_later() -> None:
    known = {"highest_priority": "high"}
    made = sparse(JANUARY, JANUARY, phase="closed", ended_at=JANUARY, evidence=known)
    assert "Most urgent before: high priority." in english(made)["care_team"]


def test_a_further_finding_leaves_no_room_for_what_it_means() -> None:
    """At most five sentences: the finding, the further one, the count, and what to do."""
    part = {"kind": "heart_rate_high", "signal": "heart_rate", "value": 131.0, "limit": 120.0}
    known = {"parts": [part], "change": "worse"}
    made = sparse(JANUARY, JANUARY, phase="updated", priority="high", evidence=known)
    text = english(made)["patient"]
    assert "Your heart rate is high." in text
    assert "in 2 of 2 readings" in text
    assert text.count(". ") + 1 == 5


# ---- a palpated pressure


@pytest.mark.parametrize("phase", ["opened", "updated"])
def test_a_systolic_pressure_alone_is_in_its_alert(phase: str) -> None:
    made = sparse(JANUARY, JANUARY, phase=phase, evidence={"values": {"systolic": 74.0}})
    texts = compose(made).texts
    assert "74 (top number)" in texts["patient"]["en"].body
    assert "systolic 74 mmHg" in texts["care_team"]["en"].body
    for locale in LOCALES:
        assert slot_formatter(locale).figure("74") in texts["patient"][locale].body


# ---- every event


@pytest.mark.slow
def test_no_text_of_the_whole_grid_claims_a_duration_that_was_not_observed() -> None:
    kinds, seen = set(), set()
    for made in sets.unobserved_events():
        alert = compose(made)
        facts = {who: facts_of(made, who) for who in AUDIENCES}
        assert set(failures(made, alert, facts)) == set(), made
        for who in AUDIENCES:
            draft = draft_text(facts[who], choice_of(made.episode_id))
            if draft.message not in seen:
                seen.add(draft.message)
                assert verify_draft(draft, facts[who], draft.seen.slots) == (), draft.message
        kinds.add((made.kind, made.phase))
    clinical = [kind for kind in tables.kinds() if category_of(kind) == "clinical"]
    assert kinds == set(product(clinical, ("opened", "updated", "closed")))


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES[1:])
def test_no_translation_of_the_whole_grid_claims_one_either(locale: str) -> None:
    seen = set()
    for made in sets.unobserved_events():
        facts = facts_of(made, "patient", locale)
        draft = draft_text(facts, choice_of(made.episode_id))
        if draft.message not in seen:
            seen.add(draft.message)
            assert verify_local(draft, facts, draft.seen.slots) == (), draft.message
    assert len(seen) > 100


@settings(max_examples=150, deadline=None)
@given(events())
def test_no_event_without_an_observed_duration_is_worded_with_one(any_event: Event) -> None:
    alert = compose(any_event)
    if duration_observed(any_event):
        return
    shown = {name for slots in (alert.slots, *alert.local_slots.values()) for name in slots}
    assert shown.isdisjoint(SPAN_SLOTS)
    measured = TIMES["duration"](any_event, True)
    for locale, text in everything(alert):
        if measured is not None:
            assert slot_formatter(locale).format(measured) not in text
    for who in AUDIENCES:
        for intent in question_table(who).intents:
            made = answer(intent, any_event, who)
            if measured is not None:
                assert slot_formatter("en").format(measured) not in made.text


@pytest.mark.parametrize("phase", ["updated", "closed"])
@pytest.mark.parametrize("within", [True, False])
def test_that_readings_were_withdrawn_is_said_of_whatever_stands(phase: str, within: bool) -> None:
    known = {"change": "corrected", "within_limits": within}
    ended = JANUARY if phase == "closed" else None
    made = sparse(JANUARY, JANUARY, phase=phase, ended_at=ended, evidence=known)
    assert "Some of the readings do not count any more." in english(made)["patient"]
    assert "Some readings do not count any more" in english(made)["care_team"]
    for locale in LOCALES:
        facts = facts_of(made, "patient", locale)
        draft = draft_text(facts, 0)
        verify = verify_draft if locale == "en" else verify_local
        assert verify(draft, facts, draft.seen.slots) == (), draft.message


@pytest.mark.parametrize("reason", ["rule_withdrawn", "gone", "reading_withdrawn", "unobserved"])
def test_an_end_that_no_reading_showed_has_no_time(reason: str) -> None:
    known = {"reason": reason, "duration_observed": True}
    made = sparse(JANUARY, JANUARY, phase="closed", ended_at=JANUARY, evidence=known)
    assert "until" not in render_slots(made, "en")
    assert "Ended at" not in english(made)["care_team"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"phase": "closed", "ended_at": JANUARY},
        {"phase": "closed", "ended_at": JANUARY, "reason": "unobserved"},
    ],
)
def test_averages_over_days_are_not_counted_as_readings(changes: dict[str, Any]) -> None:
    """The step that ends it lists no days: its count is one of averages."""
    reason = {"reason": changes.pop("reason")} if "reason" in changes else {}
    known = {"samples": 25, "readings_beyond": 25, **reason}
    made = sparse(
        JANUARY,
        JANUARY + timedelta(days=30),
        kind="blood_pressure_raised_over_days",
        evidence=known,
        **changes,
    )
    assert not {"samples", "readings_beyond"} & set(render_slots(made, "en"))
    assert "readings" not in english(made)["care_team"].replace("No more readings", "")
