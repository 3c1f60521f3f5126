"""The patient's page in each language: its own words, its own direction, nothing English left."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from dashboard.phone.locales import LOCALES
from dashboard.phone.words import EN, text_direction, word_names, words_for
from explain.questions.answers import answer
from explain.tables import read_table
from explain.templates.compose import compose
from tests.browser.test_phone import WCAG, Phone, at_home
from tests.support.notify_examples import action
from tests.support.phone_house import link_for, stored
from tests.support.wording import ONSET, event
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
NAMES = re.compile(r"Vigil|UTC|mmHg|JavaScript|iPhone|iPad|\b[ap]m\b")
"""Latin letters that stay in every language; Hindi writes am and pm so (CLDR)."""
TEXTS = """
() => [...document.querySelectorAll("body *:not(script, code)")].flatMap((element) =>
  [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
    .map((node) => node.textContent.trim()).filter((text) => text && element.checkVisibility()))
"""
"""Every visible piece of text on the page, but for where the reviewed words stand."""
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
        assert page.get_attribute("html", "lang") == locale
        assert page.get_attribute("html", "dir") == text_direction(locale)
        w = words_for(locale)
        assert page.get_by_role("heading", name=w.page_title).is_visible()
        assert page.get_by_role("button", name=w.reply_help).is_visible()
        shown = texts(page)
        for expected in (NEWEST, EARLIER):
            mine = compose(expected).texts["patient"][locale]
            assert {mine.title, mine.body, mine.action} <= set(shown)
        assert {w.emergency, w.sent, w.earlier} <= set(shown)
        in_one_language(shown, locale)
        page.locator(".newest button[value=when]").click()
        page.wait_for_url("**/phone/questions")
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        answered = texts(page)
        assert answer("when", NEWEST, "patient", locale).text in answered
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
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate("scrollTo(-500, 0)")  # to where right-to-left content overflows
        assert page.evaluate("scrollX") == 0
        assert page.evaluate(OUTSIDE) == []
        isolated = page.evaluate(
            """() => [...document.querySelectorAll("time")]
              .map((time) => getComputedStyle(time).unicodeBidi)"""
        )
        assert set(isolated) == {"isolate"}, isolated
        answered = page.locator(".answer").first
        assert answered.evaluate("(e) => getComputedStyle(e).borderRightWidth") == "5px"
        assert answered.evaluate("(e) => getComputedStyle(e).borderLeftWidth") == "0px"


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
        assert newest.get_attribute("lang") == "en"
        assert newest.evaluate("(e) => getComputedStyle(e).direction") == "ltr"
        what_to_do = page.locator(".newest .do h3")
        assert what_to_do.inner_text() == words_for("ar").what_to_do
        assert what_to_do.evaluate("(e) => getComputedStyle(e).direction") == "rtl"


@pytest.mark.parametrize("locale", OTHERS)
def test_axe_finds_no_fault_in_another_language(
    chromium_page: Page, database_url: str, locale: str
) -> None:
    page = chromium_page
    with at_home(page, database_url) as phone:
        reading(phone, locale)
        results = Axe().run(page, options={"runOnly": WCAG})
        assert results.violations_count == 0, results.generate_report()
