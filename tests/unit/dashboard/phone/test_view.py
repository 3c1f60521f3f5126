"""What the page shows, from rows; and the words around it."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import dashboard.phone
from dashboard.phone import view
from dashboard.phone.access import sign_reply, verify_reply
from dashboard.phone.locales import LOCALES
from dashboard.phone.view import Answer, SentReply
from dashboard.phone.words import EN, preferred_words, word_names, words_for
from dashboard.worker_state.overview import Overview, ServiceState
from tests.support.notify_examples import NOW
from vigil.domain import ids

MINUTE = timedelta(minutes=1)
TEXTS = {
    "en": {"title": "Your heart rate is high.", "body": "It is 118.", "action": "Sit and rest."},
    "ar": {"title": "نبضك", "body": "مرتفع", "action": "اجلس"},
}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "alert_id": "a",
        "episode_id": "e",
        "phase": "opened",
        "time": NOW,
        "onset": NOW,
        "synthetic": False,
        "texts": TEXTS,
        "entry": "en.patient.heart_rate_high.above.opened#0a1b2c3d",
        **changes,
    }


def answer(verb: str, minutes: int, action_id: str = "") -> dict[str, Any]:
    return {
        "action_id": action_id or f"{verb}{minutes}",
        "episode_id": "e",
        "verb": verb,
        "time": NOW + minutes * MINUTE,
    }


@pytest.mark.parametrize(
    ("locale", "texts", "shown", "runs"),
    [
        ("en", TEXTS, "en", "ltr"),
        ("ar", TEXTS, "ar", "rtl"),
        ("es", TEXTS, "en", "ltr"),
        ("es", {"ar": TEXTS["ar"]}, "ar", "rtl"),
    ],
)
def test_the_patients_own_locale_then_english(
    locale: str, texts: dict[str, Any], shown: str, runs: str
) -> None:
    [message] = view.list_messages([row(texts=texts)], [], locale)
    assert (message.locale, message.dir) == (shown, runs)
    assert message.title == texts[shown]["title"]


@pytest.mark.parametrize("texts", [None, {}])
def test_without_a_patients_text_there_is_no_message(texts: Any) -> None:
    assert view.list_messages([row(texts=texts)], [], "en") == []


def test_the_latest_reply_counts_and_is_seen_only_by_what_came_after_it() -> None:
    before, after = answer("acknowledge", 1), answer("acknowledge", 9)
    replies = [before, answer("ok", 2), answer("need_help", 5)]
    [message] = view.list_messages([row()], replies, "en")
    assert message.answer == Answer("need_help", NOW + 5 * MINUTE, None)
    [message] = view.list_messages([row()], [*replies, after], "en")
    assert message.answer == Answer("need_help", NOW + 5 * MINUTE, NOW + 9 * MINUTE)
    [message] = view.list_messages([row()], [before], "en")
    assert message.answer is None
    [message] = view.list_messages([row(episode_id="another")], replies, "en")
    assert message.answer is None


def test_a_reply_that_was_just_taken_shows_until_the_record_has_it() -> None:
    sent = SentReply("new", "e", "need_help")
    [message] = view.list_messages([row()], [answer("ok", 2)], "en", sent)
    assert message.answer == Answer("need_help", None, None)
    on_record = [answer("ok", 2), answer("need_help", 3, "new")]
    [message] = view.list_messages([row()], on_record, "en", sent)
    assert message.answer == Answer("need_help", NOW + 3 * MINUTE, None)
    [message] = view.list_messages([row(episode_id="another")], [], "en", sent)
    assert message.answer is None


def test_the_version_changes_with_all_that_is_shown() -> None:
    shapes = [
        view.list_messages([], [], "en"),
        view.list_messages([row()], [], "en"),
        view.list_messages([row(phase="closed")], [], "en"),
        view.list_messages([row()], [answer("ok", 1)], "en"),
        view.list_messages([row()], [answer("ok", 1), answer("acknowledge", 2)], "en"),
    ]
    assert len({view.content_version(shape) for shape in shapes}) == len(shapes)
    assert view.content_version(view.list_messages([row()], [], "en")) == view.content_version(
        view.list_messages([row()], [], "en")
    )


def test_only_we_can_say_that_a_reply_was_sent() -> None:
    sent = SentReply(ids.derive("reply"), ids.derive("event"), "need_help")
    note = sign_reply(sent, "token")
    assert verify_reply(note, "token") == sent
    assert verify_reply(note, "another phone") is None
    assert verify_reply(note.replace("need_help", "ok"), "token") is None
    assert verify_reply("", "token") is None


@pytest.mark.parametrize("locale", LOCALES)
def test_the_words_around_a_message_are_plain(locale: str) -> None:
    assert words_for(locale).locale == locale
    for name in word_names():
        text = getattr(words_for(locale), name)
        assert text, name
        assert "<" not in text
        for sentence in re.split(r"(?<=[.?!:।。؟])\s*", text):
            assert len(sentence.split()) <= 18, f"{name}: {sentence}"


def test_every_word_is_shown_somewhere() -> None:
    folder = Path(dashboard.phone.__file__).parent
    files = [*folder.glob("templates/*.html"), *folder.glob("*.py")]
    source = "".join(path.read_text() for path in files)
    for name in word_names():
        assert re.search(rf"\b(w|EN|spoken)\.{name}\b", source), name


def test_no_word_of_ours_reassures() -> None:
    reported = " ".join(dataclasses.astuple(EN)).lower()
    for word in ("don't worry", "do not worry", "you are fine", "nothing to worry", "you are safe"):
        assert word not in reported


@pytest.mark.parametrize(
    ("asked", "locale"),
    [
        ("", "en"), ("*", "en"), ("de-AT, fr;q=0.5", "en"), ("es", "es"), ("zh-Hans-CN, zh", "zh"),
        ("AR-eg;q=0.2, hi-IN;q=0.7", "hi"), ("ar;q=0, es;q=0.001", "es"), ("ar;q=9;;=, ;", "ar"),
        ("x" * 100_000, "en"), (", " * 600 + "es", "en"),
    ],
)  # fmt: skip
def test_a_browsers_first_language_that_we_have(asked: str, locale: str) -> None:
    assert preferred_words(asked).locale == locale


@pytest.mark.parametrize(
    ("overview", "reported"),
    [
        (Overview(), ""),
        (Overview((ServiceState("detectors", "checking"),)), ""),
        (Overview((ServiceState("detectors", "down"),)), "unchecked"),
        (Overview((ServiceState("detectors", "part"),)), "maybe_unchecked"),
        (Overview((ServiceState("detectors", "late", minutes=5),)), "maybe_unchecked"),
        (Overview(unanswered=True), "maybe_unchecked"),
        (
            Overview((ServiceState("store", "down"), ServiceState("explain", "late"))),
            "messages_late",
        ),
        (Overview((ServiceState("notify", "down"),)), ""),
    ],
)
def test_a_patient_is_informed_when_nobody_looks_at_their_readings(
    overview: Overview, reported: str
) -> None:
    found = view.worker_warning(overview)
    assert found == reported
    if reported:
        assert all(getattr(words_for(locale), found) for locale in LOCALES)
    assert (view.content_version([], found) == view.content_version([])) == (not reported)


@pytest.mark.parametrize(
    ("phase", "entry", "over", "unknown"),
    [
        ("opened", "en.patient.heart_rate_high.above.opened#0a1b2c3d", False, False),
        ("closed", "en.patient.heart_rate_high.above.closed#0a1b2c3d", True, False),
        ("closed", "3c34c6ad-4241-59d5-a93f-1d1da76203a5", True, False),
        ("closed", "en.patient.unobserved#0a1b2c3d", False, True),
        ("closed", "en.patient.withdrawn#0a1b2c3d", False, True),
        ("closed", None, True, False),
    ],
)
def test_what_nobody_saw_the_end_of_is_not_called_over(
    phase: str, entry: str | None, over: bool, unknown: bool
) -> None:
    [message] = view.list_messages([row(phase=phase, entry=entry)], [], "en")
    assert (message.over, message.unknown) == (over, unknown)
