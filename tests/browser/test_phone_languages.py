"""The patient's page in each language: its own words, its own direction, nothing English left."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from dashboard.phone.locales import LOCALES
from dashboard.phone.words import EN, text_direction, word_names, words_for
from explain.facts.moments import time_of_day
from explain.facts.slot_formatting import slot_formatter
from explain.questions.answers import answer
from explain.tables import read_table
from explain.templates.compose import compose
from tests.browser.test_phone import WCAG, Phone, at_home
from tests.support.notify_examples import action
from tests.support.pages import fits
from tests.support.phone_house import link_for, stored
from tests.support.wording import ONSET, event, without_times
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

OTHERS = LOCALES[1:]
SCRIPTS = {"zh": r"[\u4e00-\u9fff]", "hi": r"[\u0900-\u097f]", "ar": r"[\u0600-\u06ff]"}
"""Locale → its letters, where they are not Latin."""
NEWEST = event(priority="high", evidence=event().evidence | {"duration_seconds": 7200.0})
EARLIER = event(
    episode_id="7c0f5a52-5f6e-5d5c-8e59-2f1f6f0f7a12",
    kind="blood_pressure_high",
    phase="closed",
    ended_at=ONSET,
    onset=ONSET - timedelta(hours=2),
    evidence={"signal": "systolic", "value": 182, "values": {"systolic": 182, "diastolic": 121}},
)
ENGLISH = {getattr(EN, name) for name in word_names()} - {EN.app_name} | {
    text
    for section in ("ask", "page", "basis")
    for text in read_table("en/questions.toml")[section].values()
}
NAMES = re.compile(r"Vigil|UTC|[A-Z]\w+/[A-Z]\w+|mmHg|JavaScript|iPhone|iPad|\b[ap]m\b")
"""Latin letters that stay in every language; Hindi writes am and pm so (CLDR)."""
TEXTS = """
() => [...document.querySelectorAll("body *:not(script, code)")].flatMap((element) =>
  [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
    .map((node) => node.textContent.trim()).filter((text) => text && element.checkVisibility()))
"""
"""Every visible piece of text on the page, but for where the reviewed words stand."""
TIMES_WRITTEN = """
() => [...document.querySelectorAll("time[data-local]")]
  .every((time) => !time.textContent.includes("UTC"))
"""
"""The page's script fetches the zone's rules, and writes the times after the page is loaded."""
OUTSIDE = """
() => [...document.querySelectorAll("main *, footer *, header *")]
  .filter((element) => element.checkVisibility())
  .filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    return left < -1 || right > innerWidth + 1;
  }).map((element) => element.outerHTML.slice(0, 120))
"""


def reading(phone: Phone, locale: str) -> None:
    """An enrolled phone of a patient who reads this language, with messages and an answer."""
    page = phone.page
    page.goto(f"{phone.base}/phone/enrol/{link_for(phone.settings)}")
    page.locator("form button").click()
    page.wait_for_url(f"{phone.base}/phone")
    phone.connection.execute("UPDATE patients SET locale = %s, synthetic = true", (locale,))
    newest = compose(NEWEST)
    reported = action("need_help", newest, time=utc_now())
    stored(phone.connection, NEWEST, newest, EARLIER, compose(EARLIER), reported)
    page.reload()
    page.wait_for_function(TIMES_WRITTEN)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")


def texts(page: Page) -> list[str]:
    found: list[str] = page.evaluate(TEXTS)
    return found


def in_one_language(shown: list[str], locale: str) -> None:
    """Nothing is English; where the letters are not Latin, only names are."""
    assert not ENGLISH & set(shown)
    if locale in SCRIPTS:
        alphabetic = ["".join(c for c in NAMES.sub("", text) if c.isalpha()) for text in shown]
        assert [text for text in alphabetic if text and not re.match(SCRIPTS[locale], text)] == []
        assert [text for text in alphabetic if re.search("[A-Za-z]", text)] == []


@pytest.mark.parametrize("locale", OTHERS)
def test_a_patient_reads_their_own_language_and_no_english(
    chromium_page: Page, database_url: str, locale: str
) -> None:
    page = chromium_page
    with at_home(page, database_url) as phone:
        reading(phone, locale)
        expect(page.locator("html")).to_have_attribute("lang", locale)
        expect(page.locator("html")).to_have_attribute("dir", text_direction(locale))
        w = words_for(locale)
        expect(page.get_by_role("heading", name=w.page_title)).to_be_visible()
        expect(page.get_by_role("button", name=w.reply_help)).to_be_visible()
        shown = texts(page)
        for expected in (NEWEST, EARLIER):
            mine = compose(expected).texts["patient"][locale]
            assert {mine.title, mine.action, *without_times(mine.body, expected, locale)} <= {
                *shown
            }
        assert {w.emergency, w.sent, w.earlier} <= set(shown)
        in_one_language(shown, locale)
        page.locator(".newest button[value=when]").click()
        page.wait_for_url("**/phone/questions")
        page.wait_for_function(TIMES_WRITTEN)
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        answered = texts(page)
        began = slot_formatter(locale).format(time_of_day(NEWEST.onset, NEWEST.detected_at))
        around = answer("when", NEWEST, "patient", locale).text.split(began)  # a time of its own
        assert len(around) == 2
        assert {piece.strip() for piece in around} <= set(answered)
        assert [text for text in answered if "UTC" in text] == ["UTC"]  # the page's zone, below
        in_one_language(answered, locale)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_arabic_runs_from_right_to_left(chromium_page: Page, database_url: str, width: int) -> None:
    page = chromium_page
    page.set_viewport_size({"width": width, "height": 800})
    with at_home(page, database_url) as phone:
        reading(phone, "ar")
        starts = page.evaluate(
            """() => [...document.querySelectorAll("h1, h2, h3, .newest p")]
              .map((element) => [getComputedStyle(element).direction, element.innerText])"""
        )
        assert {way for way, _ in starts} == {"rtl"}, starts
        heading, icon = page.locator("h1").bounding_box(), page.locator(".top img").bounding_box()
        assert heading is not None
        assert icon is not None
        assert abs(icon["x"] + icon["width"] - heading["x"] - heading["width"]) < 2
        fits(page, width)
        page.evaluate("scrollTo(-500, 0)")  # to where right-to-left content overflows
        assert page.evaluate("scrollX") == 0
        assert page.evaluate(OUTSIDE) == []
        isolated = page.evaluate(
            """() => [...document.querySelectorAll("time")]
              .map((time) => getComputedStyle(time).unicodeBidi)"""
        )
        assert set(isolated) == {"isolate"}, isolated
        answered = page.locator(".answer").first
        expect(answered).to_have_css("border-right-width", "5px")
        expect(answered).to_have_css("border-left-width", "0px")


def test_an_english_message_on_an_arabic_page_runs_its_own_way(
    chromium_page: Page, database_url: str
) -> None:
    page = chromium_page
    with at_home(page, database_url) as phone:
        reading(phone, "ar")
        phone.connection.execute(
            "UPDATE alerts SET texts = jsonb_set(texts, '{patient}',"
            " jsonb_build_object('en', texts #> '{patient,en}'))"
        )
        page.reload()
        newest = page.locator(".newest > div")
        expect(newest).to_have_attribute("lang", "en")
        expect(newest).to_have_css("direction", "ltr")
        what_to_do = page.locator(".newest .do h3")
        expect(what_to_do).to_have_text(words_for("ar").what_to_do)
        expect(what_to_do).to_have_css("direction", "rtl")


@pytest.mark.parametrize("locale", OTHERS)
def test_axe_finds_no_fault_in_another_language(
    chromium_page: Page, database_url: str, locale: str
) -> None:
    page = chromium_page
    with at_home(page, database_url) as phone:
        reading(phone, locale)
        results = Axe().run(page, options={"runOnly": WCAG})
        assert results.violations_count == 0, results.generate_report()
