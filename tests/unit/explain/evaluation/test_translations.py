"""The second look at translated texts: what it refuses in each language, and that ours pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explain import tables
from explain.evaluation.translations import RULES, verify_local
from explain.facts.extraction import SPAN_SLOTS, Facts
from explain.tables import Sentence, slots_of
from explain.templates.drafts import Draft, draft_text
from explain.verifier import RULES as ENGLISH
from tests.support.wording import cells, closed, facts
from vigil.values.catalogs import LOCALES

TRANSLATED = LOCALES[1:]
SLOTS = frozenset({"heart_rate"})


def codes(locale: str, about: Facts, **changes: str) -> tuple[str, ...]:
    """Codes for the table's own text with the sentence, title or action changed."""
    about = replace(about, locale=locale, slots=("heart_rate",))
    plain = draft_text(about, 0)
    text = changes.get("seen", plain.seen.text)
    seen = Sentence(text, slots_of(text), "changed")
    title, action = changes.get("title", plain.title), changes.get("action", plain.action)
    changed = Draft(title, plain.before, seen, plain.after, action, plain.space)
    return verify_local(changed, about, plain.seen.slots)


def compose_text(locale: str, about: Facts) -> str:
    """The table's own sentence."""
    return draft_text(replace(about, locale=locale, slots=("heart_rate",)), 0).seen.text


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_text_of_the_tables_passes(locale: str) -> None:
    for kind in tables.kinds():
        for cell in cells(kind):
            if cell.audience == "patient":
                about = replace(cell, locale=locale)
                words = draft_text(about, 0)
                assert verify_local(words, about, words.seen.slots) == (), words.message


def test_its_codes_are_those_of_the_english_verifier() -> None:
    assert set(RULES) <= {rule.code for rule in ENGLISH}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_form(locale: str) -> None:
    own = compose_text(locale, facts())
    wrong = {
        "slot_missing": own.replace("{heart_rate}", ""),
        "slot_repeated": own + "{heart_rate}",
        "slot_unknown": own.replace("{heart_rate}", "{heart_rate} {spo2}"),
        "slot_malformed": own + "{x.__class__}",
        "control_character": own[:4] + "\u202e" + own[4:],
        "markup": f"<b>{own}</b>",
        "numeral": own + " ١١٨",
        "sentences": f"{own} {own}".replace("{heart_rate}", "", 1),
        "sentence_length": own[:-1] * 9 + own[-1],
        "language": own + " сердце",
    }
    for code, text in wrong.items():
        assert code in codes(locale, facts(), seen=text), (code, text)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_the_other_direction_is_refused(locale: str) -> None:
    low = facts(kind="heart_rate_low", direction="below")
    assert "direction" in codes(locale, facts(), seen=compose_text(locale, low))
    assert "direction" in codes(locale, low, seen=compose_text(locale, facts()))
    uneven = facts(kind="heart_rate_irregular", direction="none")
    assert "direction" in codes(locale, uneven, seen=compose_text(locale, low))
    title = draft_text(replace(low, locale=locale), 0).title
    assert "direction" in codes(locale, facts(), title=title)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_an_end_is_claimed_of_what_is_over_and_of_nothing_else(locale: str) -> None:
    assert "phase" in codes(locale, facts(), seen=compose_text(locale, closed()))
    assert "phase" in codes(locale, closed(), seen=compose_text(locale, facts()))


@pytest.mark.parametrize(
    ("locale", "code", "words"),
    [
        ("es", "reassurance", "No se preocupe."), ("es", "medicine", "Tome su medicina."),
        ("es", "diagnosis", "Tiene una infección."), ("es", "alarming", "Es peligroso."),
        ("zh", "reassurance", "请放心。"), ("zh", "medicine", "请服药。"),
        ("zh", "diagnosis", "您感染了。"), ("zh", "alarming", "这很危险。"),
        ("hi", "reassurance", "चिंता न करें।"), ("hi", "medicine", "दवा लें।"),
        ("hi", "diagnosis", "आपको संक्रमण है।"), ("hi", "alarming", "यह खतरनाक है।"),
        ("ar", "reassurance", "لا تقلق."), ("ar", "medicine", "تناول الدواء."),
        ("ar", "diagnosis", "لديك عدوى."), ("ar", "alarming", "هذا خطير."),
    ],
)  # fmt: skip
def test_forbidden_words(locale: str, code: str, words: str) -> None:
    assert code in codes(locale, facts(), action=words)


CLAIMS = {
    "es": (
        "Su frecuencia cardíaca lleva horas alta, en {heart_rate}.",
        "Su frecuencia cardíaca ha estado alta, en {heart_rate}.",
        "Su frecuencia cardíaca está alta desde hace mucho, en {heart_rate}.",
        "Su frecuencia cardíaca estuvo alta durante días, en {heart_rate}.",
        "Su frecuencia cardíaca se ha mantenido alta, en {heart_rate}.",
        "Su frecuencia cardíaca está alta sin interrupción, en {heart_rate}.",
    ),
    "zh": (
        "您的心率一直偏高，为{heart_rate}。",
        "您的心率持续偏高，为{heart_rate}。",
        "您的心率长时间偏高，为{heart_rate}。",
        "您的心率连续偏高，为{heart_rate}。",
        "您的心率偏高已有数天，为{heart_rate}。",
    ),
    "hi": (
        "आपके दिल की धड़कन लगातार तेज़ है, {heart_rate}।",
        "आपके दिल की धड़कन कई घंटों से तेज़ है, {heart_rate}।",
        "आपके दिल की धड़कन काफ़ी देर से तेज़ है, {heart_rate}।",
        "आपके दिल की धड़कन तेज़ रही है, {heart_rate}।",
        "आपके दिल की धड़कन अब तक तेज़ है, {heart_rate}।",
    ),
    "ar": (
        "معدل ضربات قلبك مرتفع منذ ساعات، وهو {heart_rate}.",
        "معدل ضربات قلبك مرتفع باستمرار، وهو {heart_rate}.",
        "كان معدل ضربات قلبك مرتفعا طوال الليل، وبلغ {heart_rate}.",
        "معدل ضربات قلبك مرتفع دون انقطاع، وهو {heart_rate}.",
        "بقي معدل ضربات قلبك مرتفعا، وبلغ {heart_rate}.",
        "كان معدل ضربات قلبك مرتفعا لعدة أيام، وبلغ {heart_rate}.",
    ),
}
"""Locale → sentences that say that a high heart rate lasted."""


@pytest.mark.parametrize(("locale", "text"), [(x, text) for x in CLAIMS for text in CLAIMS[x]])
def test_a_duration_that_was_not_observed_is_refused(locale: str, text: str) -> None:
    about = facts(duration_observed=False)
    assert "duration_unobserved" in codes(locale, about, seen=text)
    assert "duration_unobserved" not in codes(locale, facts(), seen=text)
    assert "duration_unobserved" not in codes(locale, about)


@pytest.mark.parametrize("locale", TRANSLATED)
@pytest.mark.parametrize("slot", sorted(SPAN_SLOTS))
def test_a_slot_of_a_span_is_refused_where_none_was_observed(locale: str, slot: str) -> None:
    own = compose_text(locale, facts())
    about = facts(duration_observed=False)
    assert "duration_unobserved" in codes(locale, about, seen=f"{own}{{{slot}}}")
