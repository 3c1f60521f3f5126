"""Answers come from facts, slots and tables; each figure has its source, each text is verified."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain import tables
from explain.evaluation import translations
from explain.facts.extraction import Facts
from explain.languages import LOCALES
from explain.questions.answers import MAX_SENTENCES, AnswerContext, answer, answer_pieces
from explain.questions.slots import CARE_TEAM_SLOTS, question_groups
from explain.questions.table import INTENTS, question_table
from explain.templates.drafts import choice_of
from explain.verifier import verify
from explain.verifier.candidate import Candidate
from explain.verifier.rules.form import grade
from tests.support.wording import AUDIENCES, HOSTILE, ONSET, cells, event, events
from vigil.domain.alert import Audience
from vigil.domain.kinds import KINDS

KINDS_ANSWERED = (*KINDS, "other_clinical", "other_technical")
OF_THE_FINDING = {"event_unnamed", "phase", "negation", "audience"}
"""Rules for a text that tells the finding; an answer may speak of something else, and of "I"."""
OF_ASKING = re.compile(
    r"We told you because|我们告诉您，是因为|This does not tell us the reason|^I can't"
)
"""Reviewed as they stand: why *we told* is no cause of the finding, and "I" is no numeral."""
OTHERS_WORDS: dict[Audience, re.Pattern[str]] = {
    "patient": re.compile(r"\b(this person|the patient|patient|he|she|his|her|their)\b", re.I),
    "care_team": re.compile(r"\b(you|your|yours|yourself)\b", re.I),
}
EXTRA = tuple(CARE_TEAM_SLOTS)
NOTES = [AnswerContext(), AnswerContext(seen=True, unused=True, kept_back=True)]


def askable(known: Facts) -> Facts:
    """The facts as an answer to this reader has them."""
    plain = question_groups()["patient"]["quantities"]
    if known.audience == "care_team" or tables.kinds()[known.kind].quantity in plain:
        return known
    shown = set(known.slots) - {"value", "limit", "extreme", "usual_range"}
    return replace(known, slots=tuple(sorted(shown)))


def refused(text: str, known: Facts) -> set[str]:
    text = OF_ASKING.sub("We told you that", text)
    candidate = Candidate(text, known, "message", tables.slots_of(text))
    codes = set(verify(candidate)) - OF_THE_FINDING
    return codes | ({"audience"} if OTHERS_WORDS[known.audience].search(candidate.bare) else set())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_ANSWERED)
def test_every_answer_that_can_be_made_passes_the_verifier(kind: str) -> None:
    """All directions, readers and situations; all slots, none, each alone, each missing."""
    tried = set()
    for known in map(askable, cells(kind)):
        own = known.slots + (EXTRA if known.audience == "care_team" else ())
        some = [(), *((s,) for s in own), *(tuple(k for k in own if k != s) for s in own)]
        for slots, intent in product(
            (own, *some), (*question_table(known.audience).intents, "refused")
        ):
            changed = replace(known, slots=tuple(sorted(slots)))
            for notes in NOTES:
                rendered = answer_pieces(intent, changed, notes)
                text = " ".join(piece.text for piece in rendered)
                if text and (text, known.direction) not in tried:
                    tried.add((text, known.direction))
                    assert refused(text, changed) == set(), (intent, text)
                    assert tables.slots_of(text) <= set(changed.slots)
    assert len(tried) > 20


@pytest.mark.slow
def test_a_patients_answer_is_short_and_easy() -> None:
    for kind in KINDS_ANSWERED:
        for known in map(askable, cells(kind)):
            if known.audience == "care_team":
                continue
            for intent in (*question_table("patient").intents, "refused"):
                text = " ".join(
                    piece.text for piece in answer_pieces(intent, known, AnswerContext())
                )
                candidate = Candidate(text, known, "message", tables.slots_of(text))
                assert len(candidate.sentences) <= MAX_SENTENCES, text
                assert all(len(s.split()) <= 18 for s in candidate.sentences), text
                assert grade(candidate.neutral) <= 6.0, text


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_intent_has_a_question_and_an_answer(audience: Audience) -> None:
    asks = question_table(audience).intents
    assert set(asks) <= set(INTENTS)
    assert set(INTENTS) == set(question_table("care_team").intents)
    for intent in asks:
        announced = answer(intent, event(), audience)
        assert announced.intent == intent
        assert announced.text
        assert announced.question == question_table(audience).text("ask", intent)


@pytest.mark.parametrize("locale", LOCALES[1:])
def test_every_translated_answer_passes_what_is_known_of_its_language(locale: str) -> None:
    tried, words = set(), translations.load_word_lists(locale)
    for kind in KINDS_ANSWERED:
        for known in map(askable, cells(kind)):
            if known.audience == "care_team":
                continue
            here = replace(known, locale=locale)
            for intent, notes in product((*question_table("patient").intents, "refused"), NOTES):
                rendered = answer_pieces(intent, here, notes)
                text = ("" if locale == "zh" else " ").join(piece.text for piece in rendered)
                if text not in tried:
                    tried.add(text)
                    announced = OF_ASKING.sub("", text)
                    piece = translations.Piece(
                        announced, "message", here, tables.slots_of(text), words
                    )
                    found = {code for code, refuses in translations.RULES.items() if refuses(piece)}
                    assert found == set(), text
    assert len(tried) > 100


def test_every_kind_says_why() -> None:
    assert set(question_groups()["why"]) == set(tables.kinds())
    for audience in AUDIENCES:
        for row in question_groups()["why"].values():
            assert question_table(audience).has("why", row)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_slot_that_an_answer_can_fill_has_a_label(audience: Audience) -> None:
    name = "questions" if audience == "patient" else "questions_care_team"
    table = tables.read_table(f"en/{name}.toml")
    used: set[str] = set()
    for section, rows in table.items():
        if section not in {"ask", "page", "basis"}:
            for text in rows.values():
                used |= tables.slots_of(text)
    for block in tables.audience("en", audience).blocks.values():
        for sentences in block.seen.values():
            used |= {slot for sentence in sentences for slot in sentence.slots}
    assert used <= set(table["basis"])


def test_what_to_do_is_the_tables_word_for_word() -> None:
    for priority, audience in product(("high", "medium", "low"), AUDIENCES):
        announced = event(priority=priority)
        action = tables.actions("en")[audience, "clinical", "now"][priority]  # type: ignore[index]
        assert answer("action", announced, audience).text == action
        assert answer("no such question", announced, audience).text.endswith(action)


def test_a_refusal_carries_the_emergency_line_where_it_applies() -> None:
    announced = answer("refused", event(priority="high"), "patient")
    assert announced.text == (
        "I can't answer that; your care team can. Call your care team now."
        " If you have chest pain, faint or can not breathe well, call for emergency help."
    )
    assert announced.intent == "refused"


@pytest.mark.parametrize(
    ("intent", "changes", "text"),
    [
        ("usual", {}, "Your usual is 58 to 75 beats a minute. We learn it from your own readings."),
        ("usual", {"evidence": {}}, "We do not know your usual for this yet."),
        ("usual", {"kind": "no_data", "category": "technical", "evidence": {}},
         "There is no usual to compare this with."),
        ("measured", {"evidence": {}}, "We have no readings to show for this message."),
        ("measured", {"kind": "sensor_fault", "category": "technical"},
         "We do not show readings that may be wrong."),
        ("when", {"phase": "closed", "ended_at": ONSET + timedelta(minutes=40)},
         "It began at 06:02 UTC. It ended at 06:42 UTC. It lasted for about 40 minutes."),
        ("over", {"retrospective": True},
         "We can not tell if it is over. If you feel unwell now, call your care team."),
    ],
)  # fmt: skip
def test_a_patients_answers(intent: str, changes: dict[str, Any], text: str) -> None:
    assert answer(intent, event(**changes), "patient").text == text


def twice_low(**more: Any) -> Any:
    """Two low pressures too far apart to say that it lasted."""
    evidence = {
        "signal": "systolic", "limit": 90.0, "value": 86.0, "samples": 2, "readings_beyond": 2,
        "values": {"systolic": 86.0, "diastolic": 52.0}, "duration_observed": False,
    }  # fmt: skip
    return event(kind="blood_pressure_low", evidence=evidence, **more)


@pytest.mark.parametrize(
    ("intent", "audience", "text"),
    [
        ("when", "patient", "It was seen in 2 of 2 readings, first at 06:02 UTC."
         " There are too few readings to tell how long it was so."),
        ("when", "care_team", "It was seen in 2 of 2 readings, first at 06:02 UTC."
         " The readings are too sparse to tell how long it was so."),
        ("over", "patient", "It was still so when last measured."
         " Please call your care team today."),
        ("why", "care_team", "Blood pressure low: 86 over 52 mmHg."
         " The limit in force, systolic 90 mmHg, was reached in 2 of 2 readings."),
        ("rule", "care_team", "Limit in force: systolic 90 mmHg."),
    ],
)  # fmt: skip
def test_an_answer_claims_no_duration_that_was_not_observed(
    intent: str, audience: Audience, text: str
) -> None:
    assert answer(intent, twice_low(), audience).text == text


def test_an_answer_says_when_the_end_was_seen_not_when_it_was() -> None:
    over = twice_low(phase="closed", ended_at=ONSET + timedelta(minutes=40))
    assert answer("over", over, "patient").text.startswith(
        "It was over when measured at 06:42 UTC."
    )
    when = answer("when", over, "care_team").text
    assert "It was found to be over at 06:42 UTC." in when
    assert "lasted" not in when
    assert "began" not in when


def test_blood_pressure_has_a_usual_that_a_patient_is_not_shown() -> None:
    evidence = {
        "signal": "systolic", "limit": 180.0, "value": 186.0, "extreme": 190.0,
        "values": {"systolic": 186.0, "diastolic": 104.0},
        "baseline": {"median": 120.0, "low": 110.0, "high": 131.0, "confidence": 1.0},
    }  # fmt: skip
    announced = event(kind="blood_pressure_high", evidence=evidence)
    assert "Your care team can tell you" in answer("usual", announced, "patient").text
    assert "110" not in str([answer(intent, announced, "patient") for intent in INTENTS])
    assert "110 to 131" in answer("usual", announced, "care_team").text


def test_the_care_team_reads_rule_parts_and_scores() -> None:
    evidence = {
        **event().evidence, "rule": "heart_rate.high", "limit_clear": 105.0,
        "persistence_seconds": 600, "scores": {"baseline": 6.21},
        "parts": [{"kind": "shock_index_high", "signal": "shock_index", "value": 1.2}],
    }  # fmt: skip
    announced = event(evidence=evidence)
    assert answer("rule", announced, "care_team").text == (
        "Rule heart_rate.high. Limit in force: 110 beats a minute. It ends at 105 beats a minute."
        " Delay before it is told: 10 min."
    )
    assert answer("scores", announced, "care_team").text == "Scores: baseline 6.21."
    assert answer("parts", announced, "care_team").text == "With it: shock index high, 1.20."
    assert answer("rule", announced, "patient").intent == "refused"


def test_whether_it_was_seen_is_stated() -> None:
    assert "No one" in answer("who", event(), "patient").text
    assert "has marked it as seen" in answer("who", event(), "patient", seen_at=ONSET).text


@given(events(), st.sampled_from([*INTENTS, "refused", *HOSTILE]), st.sampled_from(AUDIENCES))
def test_every_figure_of_an_answer_is_in_its_basis(
    announced: Any, intent: str, audience: Audience
) -> None:
    made = answer(intent, announced, audience, "en")
    text = made.text
    for ground in made.basis:
        if ground.source:
            assert ground.value in made.text
            text = text.replace(ground.value, "")
    assert not re.search(r"\d", text)
    for hostile in HOSTILE:
        assert hostile not in made.text
    assert any(not ground.source for ground in made.basis)


@given(events(), st.sampled_from(LOCALES), st.sampled_from(INTENTS))
def test_every_locale_answers_any_event(announced: Any, locale: str, intent: str) -> None:
    made = answer(intent, announced, "patient", locale)
    assert made.text
    assert "{" not in made.text
    assert all(ground.label for ground in made.basis)


def test_the_same_question_has_the_same_answer() -> None:
    assert answer("why", event(), "patient") == answer("why", event(), "patient")
    assert choice_of("a") == choice_of("a")
