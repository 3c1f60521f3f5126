"""Every locale says all that English says, with the same slots, the same direction and action.

No locale is skipped: English is its own catalogue and is held to the same laws.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import pytest
from babel import Locale
from babel.messages.pofile import read_po

from dashboard.phone import locales as phone_locales
from dashboard.phone.locales import extract as phone_extract
from explain import languages, tables
from explain.facts.slot_formatting import SlotValue, slot_formatter
from explain.languages import LOCALES
from explain.tables import extract
from explain.templates.compose import compose
from tests.support.wording import event
from vigil.values.catalog_files import Message, plural_counts
from vigil.values.catalogs import SOURCE

TRANSLATED = LOCALES[1:]
SCRIPT = {
    "en": "LATIN",
    "es": "LATIN",
    "zh": "CJK UNIFIED IDEOGRAPH",
    "hi": "DEVANAGARI",
    "ar": "ARABIC",
}
LATIN_ANYWHERE = {"UTC", "mmHg", "C", "Vigil", "iPhone", "iPad", "JavaScript"}
"""Names that every script writes in Latin letters."""
URGENCY = {
    " now": {"es": "ahora", "zh": "现在", "hi": "अभी", "ar": "الآن"},
    " today": {"es": "hoy", "zh": "今天", "hi": "आज", "ar": "اليوم"},
    "Call |call ": {"es": "llame", "zh": "打电话|呼叫", "hi": "फ़ोन", "ar": "الاتصال"},
    "emergency": {"es": "emergencias", "zh": "急救", "hi": "आपात", "ar": "طوارئ"},
    " if |^If ": {"es": "si ", "zh": "如果", "hi": "अगर|हो, तो", "ar": "إذا"},
}
"""What makes an action urgent or conditional in English → by locale, what says the same."""
SAME_END = {".": ".。।", "?": "?？؟", ":": ":："}
SENTENCE_END = re.compile(r"(?<=[.。।?？؟])\s*")
TYPICAL: dict[str, SlotValue] = {
    "value": ("heart_rate", "66"),
    "heart_rate": ("heart_rate", "118"),
    "blood_pressure": ("blood_pressure", "182", "121"),
    "average_blood_pressure": ("blood_pressure", "138", "86"),
    "spo2": ("spo2", "91"),
    "respiratory_rate": ("respiratory_rate", "24"),
    "temperature": ("temperature", "38.4"),
    "score": ("score", "7"),
    "duration": ("minutes", "40"),
    "since": ("time", "02", "10"),
    "until": ("time", "02", "50"),
    "usual_range": ("range", "heart_rate", "58", "75"),
    "limit": ("heart_rate", "110"),
    "extreme": ("heart_rate", "131"),
    "samples": ("samples", "41"),
    "readings_beyond": ("readings_beyond", "40", "41"),
    "first_seen": ("on_day", "31", "1"),
    "found_over": ("at_time", "02", "50"),
    "unseen_since": ("since_day", "31", "1"),
    "highest_priority": ("priority_high",),
}


class Translated(NamedTuple):
    """One message and what a locale makes of it, in one form or several."""

    context: str
    english: str
    forms: tuple[str, ...]


def both(locale: str) -> Iterator[Translated]:
    """Every message that a patient reads in a locale: alerts', questions', the page's."""
    for catalogue_for, made in (
        (languages.catalogue_for, extract.messages()),
        (phone_locales.catalogue_for, phone_extract.template()),
    ):
        catalogue = catalogue_for(locale)
        for context, english in made:
            one = english if isinstance(english, str) else english[0]
            plain = (english,) if isinstance(english, str) else english
            forms = plain if locale == SOURCE else catalogue.messages.get((context, one), ())
            yield Translated(context, one, forms)


def catalogue_of(module: Any, locale: str) -> Any:
    find = (phone_locales if module is phone_locales else languages).catalogue_for
    return find(locale)


def forms_of(locale: str) -> Iterator[tuple[Translated, str]]:
    return chain.from_iterable(((entry, form) for form in entry.forms) for entry in both(locale))


def bare(text: str) -> str:
    return tables.SLOT.sub(" ", text)


@cache
def lexicon(locale: str) -> dict[str, Any]:
    return tables.read_table(f"{locale}/lexicon.toml")


def finds(locale: str, words: list[str], text: str) -> str:
    """The first of a lexicon's words in a text, or nothing."""
    whole = lexicon(locale).get("word_boundaries", True)
    for word in words:
        wanted = rf"(?<!\w)(?:{word})(?!\w)" if whole else word
        found = re.search(wanted, text, re.IGNORECASE)
        if found:
            return found[0]
    return ""


def blocks(locale: str) -> Iterator[tuple[str, str, tables.Block]]:
    for (kind, direction), block in tables.audience(locale, "patient").blocks.items():
        yield kind, direction, block


# ---- files


@pytest.mark.parametrize("locale", LOCALES)
def test_every_message_is_translated(locale: str) -> None:
    assert [entry for entry in both(locale) if not entry.forms or not all(entry.forms)] == []


@pytest.mark.parametrize("locale", TRANSLATED)
@pytest.mark.parametrize(
    ("module", "messages"),
    [(languages, list(extract.messages())), (phone_locales, list(phone_extract.template()))],
    ids=["alerts", "phone"],
)
def test_a_catalogue_has_the_messages_of_now_and_no_others(
    module: Any, messages: list[Message], locale: str
) -> None:
    with (module.FOLDER / f"{locale}.po").open("rb") as file:
        read = read_po(file, locale=locale, abort_invalid=True)
    there = {(m.context, m.id) for m in read if m.id}
    assert there == {(c, m) for c, m in messages}, (
        "run python -m explain.tables.extract, and dashboard.phone.locales.extract"
    )
    assert not any(m.fuzzy for m in read if m.id)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_slot_is_dropped_added_or_renamed(locale: str) -> None:
    for entry, form in forms_of(locale):
        assert Counter(tables.SLOT.findall(form)) == Counter(tables.SLOT.findall(entry.english))
        assert not set(bare(form)) & set("{}"), form


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("module", [languages, phone_locales], ids=["alerts", "phone"])
def test_a_count_has_the_form_that_the_cldr_gives_it(module: Any, locale: str) -> None:
    form, category = catalogue_of(module, locale).form, Locale.parse(locale).plural_form
    counts = [*range(1100), *range(999_990, 1_000_010), 2_000_000, 7_500_000]
    pairs = {(form(count), category(count)) for count in counts}
    categories = category.tags | {"other"}
    assert {name for _, name in pairs} == categories
    assert sorted(index for index, _ in pairs) == list(range(len(categories)))
    assert [category(count) for count in plural_counts(locale)] == [
        name for _, name in sorted(pairs)
    ]


@pytest.mark.parametrize("locale", LOCALES)
def test_plurals_are_complete_and_each_has_its_figure(locale: str) -> None:
    units = tables.words(SOURCE)["plurals"]
    counted = [entry for entry in both(locale) if entry.context.startswith("words.plurals.")]
    assert len(counted) == len(units)
    for entry in counted:
        assert len(entry.forms) == len(plural_counts(locale)), entry
        assert all(form.count("{value}") == 1 for form in entry.forms), entry


# ---- characters


@pytest.mark.parametrize("locale", LOCALES)
def test_no_message_has_a_number_of_its_own(locale: str) -> None:
    for entry, form in forms_of(locale):
        numbers = [c for c in bare(form) if unicodedata.category(c)[0] == "N"]
        assert numbers == [], entry


@pytest.mark.parametrize("locale", LOCALES)
def test_letters_are_of_the_locales_own_script(locale: str) -> None:
    for entry, form in forms_of(locale):
        for word in re.findall(r"[A-Za-z]+", bare(form)):
            assert SCRIPT[locale] == "LATIN" or word in LATIN_ANYWHERE, entry
        for character in re.sub(r"[A-Za-z]+", "", bare(form)):
            if character.isalpha():
                assert unicodedata.name(character).startswith(SCRIPT[locale]), entry


@pytest.mark.parametrize("locale", LOCALES)
def test_no_space_is_left_over_and_no_control_character_hides(locale: str) -> None:
    for entry, form in forms_of(locale):
        assert form == form.strip(), entry
        assert "  " not in form, entry
        hidden = [c for c in form if unicodedata.category(c)[0] == "C" and c != "\u200d"]
        assert hidden == [], entry  # but the joiner that Devanagari spells with


@pytest.mark.parametrize("locale", LOCALES)
def test_a_message_ends_as_the_english_one_does(locale: str) -> None:
    for entry, form in forms_of(locale):
        marks = SAME_END.get(entry.english[-1])
        if marks:
            assert form[-1] in marks, entry
        else:
            assert form[-1] not in "".join(SAME_END.values()), entry


# ---- meaning


@pytest.mark.parametrize("locale", LOCALES)
def test_an_action_is_the_english_one(locale: str) -> None:
    """One translation for each English action, another for each other, of as many sentences."""
    made: dict[str, set[str]] = {}
    for entry, form in forms_of(locale):
        if entry.context.startswith("actions."):
            made.setdefault(entry.english, set()).add(form)
            asked = [len(SENTENCE_END.split(text)) for text in (entry.english, form)]
            assert asked[0] == asked[1], entry
    assert all(len(forms) == 1 for forms in made.values()), made
    assert len(set().union(*made.values())) == len(made)
    theirs, ours = tables.actions(locale), tables.actions(SOURCE)
    for key in ours:
        if key[0] == "patient":
            assert {p: {text} for p, text in theirs[key].items()} == {
                p: made[text] for p, text in ours[key].items()
            }


@pytest.mark.parametrize("locale", TRANSLATED)
def test_an_action_is_as_urgent_and_on_the_same_condition(locale: str) -> None:
    for entry, form in forms_of(locale):
        if entry.context.startswith("actions."):
            asked = SENTENCE_END.split(entry.english)
            reported = SENTENCE_END.split(form)
            for english, text in zip(asked, reported, strict=True):
                for word, by_locale in URGENCY.items():
                    wanted = re.search(word, english) is not None
                    found = re.search(by_locale[locale], text, re.IGNORECASE) is not None
                    assert wanted == found, f"{word!r}: {text}"


@pytest.mark.parametrize("locale", LOCALES)
def test_what_english_distinguishes_is_distinguished(locale: str) -> None:
    ours = {(kind, side): block for kind, side, block in blocks(SOURCE)}
    for kind, side, block in blocks(locale):
        english, reported = _texts(ours[kind, side]), _texts(block)
        pairs = set(zip(english, reported, strict=True))
        assert len(pairs) == len({e for e, _ in pairs}) == len({t for _, t in pairs}), kind


def _texts(block: tables.Block) -> list[str]:
    seen = chain.from_iterable(block.seen[announcement] for announcement in tables.ANNOUNCEMENTS)
    sentences = [sentence.text for sentence in (*block.counted, *seen)]
    return [block.title, block.title_past, *_meanings(block), *sentences]


def _meanings(block: tables.Block) -> list[str]:
    return [sentence.text for sentence in block.meaning]


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_finding_points_the_way_that_it_points_in_english(locale: str) -> None:
    states = lexicon(locale)["states"]
    for kind, direction, block in blocks(locale):
        lasting = [block.title, block.title_past]
        for announcement in tables.ANNOUNCEMENTS:
            if announcement != "closed":
                lasting += [sentence.text for sentence in block.seen[announcement]]
        if kind != "shock_index_high":  # "this was so"
            lasting += [sentence.text for sentence in block.counted]
        for text in lasting:
            for side in ("above", "below"):
                entry = bool(finds(locale, states[side], text))
                assert entry == (side == direction), f"{kind}.{direction}: {text}"


@pytest.mark.parametrize("locale", TRANSLATED)
def test_an_end_is_worded_as_an_end_and_nothing_else_is(locale: str) -> None:
    ends = lexicon(locale)["ends"]["words"]
    for kind, direction, block in blocks(locale):
        for text in (block.title, block.title_past, *_meanings(block)):
            assert not finds(locale, ends, text), f"{kind}.{direction}: {text}"
        for announcement in tables.ANNOUNCEMENTS:
            for sentence in block.seen[announcement]:
                over = bool(finds(locale, ends, sentence.text))
                assert over == (announcement == "closed"), f"{kind}.{direction}: {sentence.text}"


@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_alert_diagnoses_names_a_medicine_reassures_or_frightens(locale: str) -> None:
    for entry, form in forms_of(locale):
        if entry.context.startswith(("patient.", "actions.", "words.")):
            for what, words in lexicon(locale)["forbidden"].items():
                found = finds(locale, words, bare(form))
                assert not found, f"{what}: {found} in {form}"


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_lexicon_has_what_a_verifier_needs(locale: str) -> None:
    raw = lexicon(locale)
    assert raw["script"] == [SCRIPT[locale]]
    assert isinstance(raw["word_boundaries"], bool)
    assert set(raw["forbidden"]) >= {"diagnosis", "medicine", "reassurance", "alarming"}
    lists = [*raw["states"].values(), raw["ends"]["words"], *raw["forbidden"].values()]
    for words in lists:
        assert len(words) == len(set(words))
        for word in words:
            re.compile(word)
            assert word == word.strip() != ""


@pytest.mark.parametrize("locale", LOCALES)
def test_sentences_are_short(locale: str) -> None:
    limits = lexicon(locale)["limits"]["patient"]
    format_slot = slot_formatter(locale).format
    filled = {name: format_slot(entry) for name, entry in TYPICAL.items()}
    for entry, form in forms_of(locale):
        if entry.context.startswith("words."):
            continue
        for sentence in SENTENCE_END.split(form):
            reported = tables.SLOT.sub(lambda match: filled.get(match[1], match[1]), sentence)
            assert len(reported.split()) <= limits["words"], reported
            assert len(bare(sentence)) <= limits.get("characters", 200), sentence


@pytest.mark.parametrize("locale", LOCALES)
def test_sentences_stand_as_the_locale_sets_them(locale: str) -> None:
    body = compose(event()).texts["patient"][locale].body
    inside = re.findall(r"(?<=[.。।])(\s*)(?=\D)", body[:-1])
    assert inside
    assert set(inside) == {"" if locale == "zh" else " "}, body
