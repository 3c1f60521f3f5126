"""A person's own words are one of our questions, or refused; nothing unsafe is answered."""

from __future__ import annotations

import time
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.languages import LOCALES
from explain.questions.asking import (
    MAX_QUESTION_CHARACTERS,
    intent_of,
    normalise_question,
    question_patterns,
)
from explain.questions.table import INTENTS, question_table
from tests.support.wording import HOSTILE

FOLDER = Path(__file__).parent / "asking"
RECALL = {"en": 0.95, "es": 0.95, "zh": 0.95, "hi": 0.95, "ar": 0.95}
"""Of the questions that have an answer, so many are known, since the patterns were mended."""


@cache
def questions(locale: str) -> dict[str, list[str]]:
    raw: dict[str, list[str]] = tomllib.loads((FOLDER / f"{locale}.toml").read_text("utf-8"))
    return raw


def test_there_are_enough_questions() -> None:
    assert set(RECALL) == set(LOCALES)
    for locale in LOCALES:
        asked = [text for rows in questions(locale).values() for text in rows]
        assert len(asked) >= (150 if locale == "en" else 40)
        assert len(set(asked)) == len(asked)
        assert set(questions(locale)) == {*question_table("patient").intents, "refused"}


@pytest.mark.parametrize("locale", LOCALES)
def test_nothing_is_answered_as_what_it_is_not(locale: str) -> None:
    for intent, rows in questions(locale).items():
        wanted = {None} if intent == "refused" else {None, intent}
        for text in rows:
            assert intent_of(text, locale) in wanted, text


@pytest.mark.parametrize("locale", LOCALES)
def test_most_of_what_can_be_answered_is_known(locale: str) -> None:
    asked = [(i, q) for i, rows in questions(locale).items() if i != "refused" for q in rows]
    known = sum(intent_of(text, locale) == intent for intent, text in asked)
    assert known >= RECALL[locale] * len(asked)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_questions_on_the_buttons_are_known_in_every_locale(locale: str) -> None:
    for intent in question_table("patient", locale).intents:
        assert intent_of(question_table("patient", locale).text("ask", intent), locale) == intent


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Which rule fired?", "rule"), ("What is the threshold?", "rule"),
        ("Anything else?", "parts"), ("What else was found?", "parts"),
        ("What was the score?", None), ("What are the scores?", "scores"),
        ("Who acknowledged this?", "who"), ("What is usual for this person?", "usual"),
        ("Why this alert?", "why"), ("What was the patient's heart rate?", "measured"),
        ("Should I give him aspirin?", None), ("Is the patient septic?", None),
        ("Is it a stroke?", None), ("Will she deteriorate?", None), ("What dose?", None),
    ],
)  # fmt: skip
def test_the_care_teams_own_words(text: str, intent: str | None) -> None:
    assert intent_of(text, "en", "care_team") == intent


def test_what_only_the_care_team_asks_is_not_known_of_a_patient() -> None:
    assert intent_of("Which rule fired?", "en") is None
    for known in question_table("care_team").intents:
        assert intent_of(question_table("care_team").text("ask", known), "en", "care_team") == known


@pytest.mark.parametrize("locale", LOCALES)
def test_every_intent_of_a_patient_has_patterns(locale: str) -> None:
    assert set(question_patterns(locale).intents) == set(question_table("patient").intents)


@pytest.mark.parametrize(
    "text",
    [
        "Can I take more of it?", "Am I OK?", "Is it a heart attack?", "Should I go to hospital?",
        "What does it mean for my cancer?", "Why was I told this, and is it my pills?",
        "What is my usual dose?", "What should I do about my husband?", "Is it over, am I safe?",
        *HOSTILE,
    ],
)  # fmt: skip
def test_what_we_never_answer_is_refused(text: str) -> None:
    assert intent_of(text, "en") is None


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Has my heart stopped?", "en"), ("Did my heart stop?", "en"), ("Is my pulse gone?", "en"),
        ("Is my heart broken?", "en"), ("Why is this high?", "en"),
        ("Has my watch stopped?", "en"), ("Have the alerts stopped?", "en"),
        ("Has my breathing stopped now?", "en"),
        ("¿Se ha parado mi corazón?", "es"), ("¿Mi corazón ha parado?", "es"),
        ("我的心跳停了吗？", "zh"), ("क्या मेरी धड़कन रुक गई?", "hi"), ("هل توقف قلبي؟", "ar"),
    ],
)  # fmt: skip
def test_what_stopped_is_the_finding_and_never_the_heart(text: str, locale: str) -> None:
    """Each is a known question with words that elsewhere change nothing."""
    assert intent_of(text, locale) is None


@pytest.mark.parametrize("locale", LOCALES)
def test_a_word_too_many_is_refused(locale: str) -> None:
    for intent, rows in questions(locale).items():
        for text in rows[:3] if intent != "refused" else ():
            assert intent_of(f"{text} xyzzy", locale) is None
            assert intent_of(f"{text} 118", locale) is None


def test_a_long_text_is_refused_and_the_longest_is_read() -> None:
    text = "please " * 41 + "what now"
    assert len(text) <= MAX_QUESTION_CHARACTERS
    assert intent_of(text, "en") == "action"
    assert intent_of(text + " " * MAX_QUESTION_CHARACTERS, "en") is None


def test_how_it_is_written_does_not_matter() -> None:
    for text in (
        "WHAT’S MY USUAL?",
        "what's my usual",
        "ｗｈａｔｓ my usual!!",
        "whats\u00a0my\nusual",
    ):
        assert intent_of(text, "en") == "usual"
    assert intent_of("ماذا يعني هذا؟", "ar") == intent_of("مَاذَا يَعْنِي هٰذَا", "ar") == "meaning"
    assert normalise_question("¿Qué\u202e pasó?", "es") == " que paso "


@given(st.text(max_size=MAX_QUESTION_CHARACTERS + 20), st.sampled_from([*LOCALES, "xx"]))
def test_any_text_has_an_intent_or_none(text: str, locale: str) -> None:
    assert intent_of(text, locale) in {None, *INTENTS}


@pytest.mark.parametrize("locale", LOCALES)
def test_no_text_takes_long(locale: str) -> None:
    """Rows of words that change nothing, which a careless pattern reads in endless ways."""
    raw: dict[str, Any] = tomllib.loads(
        (Path(__file__).parents[4] / f"explain/tables/{locale}/asking.toml").read_text("utf-8")
    )
    began = time.perf_counter()
    for word in raw["filler"]:
        for start in ("", "what is ", "is ", "why did ", "هل ", "क्या "):
            intent_of(
                (start + f"{word} " * MAX_QUESTION_CHARACTERS)[:MAX_QUESTION_CHARACTERS], locale
            )
    assert time.perf_counter() - began < 20
