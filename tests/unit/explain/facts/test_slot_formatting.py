"""A locale's digits, marks, units, plurals and times; the same figures in every one."""

from __future__ import annotations

import unicodedata

import pytest

from explain import languages, tables
from explain.facts.slot_formatting import SlotValue, slot_formatter

FORMS: tuple[SlotValue, ...] = (
    *((unit, "118") for unit in ("heart_rate", "respiratory_rate", "spo2", "pressure")),
    ("temperature", "38.4"),
    ("shock_index", "1.12"),
    ("blood_pressure", "182", "121"),
    ("blood_pressure_mmhg", "182", "121"),
    *((unit, count) for unit in ("minutes", "hours", "days") for count in ("1", "2", "5", "40")),
    ("samples", "1"),
    ("nights", "56"),
    ("range", "heart_rate", "58", "75"),
    ("time", "02", "10"),
    ("time_and_day", "02", "10", "19", "11"),
)


def figures(text: str) -> list[str]:
    """The runs of digits in a text, as plain digits."""
    plain = "".join(
        str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd" else " " for c in text
    )
    return plain.split()


@pytest.mark.parametrize("locale", languages.LOCALES)
@pytest.mark.parametrize("wording", FORMS)
def test_every_locale_says_the_same_figures(locale: str, wording: SlotValue) -> None:
    wanted = [part for figure in wording[1:] if figure[0].isdigit() for part in figure.split(".")]
    if wording[0] == "time_and_day" and locale != "zh":
        wanted.pop()  # the month has a name; in Chinese its name is its number
    text = slot_formatter(locale).format(wording)
    assert sorted(figures(text)) == sorted(wanted), text
    assert "{" not in text


def test_digits_and_marks_are_the_locale_s_own() -> None:
    wording = {
        locale: slot_formatter(locale).format(("temperature", "38.4"))
        for locale in languages.LOCALES
    }
    assert "38.4" in wording["en"]
    assert "38,4" in wording["es"]
    assert "٣٨٫٤" in wording["ar"]


def test_months_have_names() -> None:
    day = ("time_and_day", "02", "10", "19", "11")
    assert "19 November" in slot_formatter("en").format(day)
    assert "noviembre" in slot_formatter("es").format(day)


def test_plurals_follow_the_count_in_every_locale() -> None:
    assert slot_formatter("en").format(("minutes", "1")) == "about 1 minute"
    for locale in languages.LOCALES:
        formatter = slot_formatter(locale)
        forms = {
            formatter.format(("days", str(n))).replace(_digits(locale, n), "#")
            for n in (1, 2, 5, 11, 100)
        }
        assert len(forms) >= {"en": 2, "es": 2, "zh": 1, "hi": 1, "ar": 3}[locale], forms


@pytest.mark.parametrize(
    ("locale", "wording", "words"),
    [
        ("hi", ("nights", "0"), "0 पिछली रात"),
        ("hi", ("nights", "1"), "1 पिछली रात"),
        ("hi", ("nights", "2"), "2 पिछली रातें"),
        ("es", ("samples", "999999"), "999999 mediciones"),
        ("es", ("samples", "1000000"), "1000000 de mediciones"),
        ("es", ("hours", "2000000"), "unos 2000000 de horas"),
        ("es", ("hours", "2000001"), "unas 2000001 horas"),
        ("ar", ("respiratory_rate", "3"), "٣ أنفاس في الدقيقة"),
        ("ar", ("respiratory_rate", "11"), "١١ نفسا في الدقيقة"),
        ("ar", ("respiratory_rate", "99"), "٩٩ نفسا في الدقيقة"),
        ("ar", ("respiratory_rate", "100"), "١٠٠ نفس في الدقيقة"),
    ],
)
def test_a_noun_stands_in_the_number_that_its_count_asks_for(
    locale: str, wording: SlotValue, words: str
) -> None:
    assert slot_formatter(locale).format(wording) == words


def _digits(locale: str, count: int) -> str:
    return slot_formatter(locale).figure(str(count))


def test_the_care_team_reads_english_only() -> None:
    with pytest.raises(LookupError, match="care_team has no words in 'es'"):
        tables.audience("es", "care_team")
    with pytest.raises(LookupError, match="patient has no words in 'xx'"):
        tables.audience("xx", "patient")


def test_what_cannot_be_said_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="cannot be formatted"):
        slot_formatter("en").format(("heart_rate", "1", "2", "3"))
