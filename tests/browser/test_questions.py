"""Questions about an alert in Chromium: by button, by own words, without a script, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from explain.questions.answers import answer
from explain.questions.table import question_table
from explain.templates.compose import compose
from local.parts import free_port
from store.database.connections import Connection, connect
from store.writing.writer import write
from tests.browser.test_summary import signed_in
from tests.support.messages import received
from tests.support.pages import fits
from tests.support.phone_house import PhonePart, link_for, patient
from tests.support.running import serving
from tests.support.wording import event, without_times
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
EVENT = event(priority="high")


@contextmanager
def at_home(page: Page, database_url: str, locale: str = "en") -> Iterator[str]:
    """A patient's phone with one message."""
    port = free_port()
    settings = Settings(
        demo=True, database_url=database_url, http_port=port,
        public_url=f"http://127.0.0.1:{port}", log_level="ERROR",
    )  # fmt: skip
    with connect(settings, autocommit=True) as connection:
        patient(connection, locale=locale)
        store_message(connection)
        with serving([PhonePart(settings)], settings) as base:
            page.goto(f"{base}/phone/enrol/{link_for(settings)}")
            page.locator("form button").click()
            page.wait_for_url(f"{base}/phone")
            yield base


def store_message(connection: Connection) -> None:
    """An event and its words."""
    write(connection, [received(EVENT)])
    write(connection, [received(compose(EVENT), 1)])


def ask_by_button(page: Page) -> None:
    """Open what is under the message and press each button in turn."""
    for intent in question_table("patient").intents:
        page.get_by_text("Ask about this message").first.click()
        page.get_by_role("button", name=question_table("patient").text("ask", intent)).first.click()
        made = answer(intent, EVENT, "patient")
        expect(page.get_by_role("heading", name=made.question)).to_be_visible()
        for piece in without_times(made.text, EVENT, "en"):  # times are in the reader's zone
            expect(page.locator(".answer-text")).to_contain_text(piece)
        page.get_by_text("What this rests on").click()
        expect(page.locator(".grounds > div").first).to_be_visible()
        page.get_by_role("link", name="Back to your messages").click()


def test_every_button_is_answered(chromium_page: Page, database_url: str) -> None:
    with at_home(chromium_page, database_url):
        ask_by_button(chromium_page)


def test_it_works_without_a_script(chromium_page: Page, database_url: str) -> None:
    browser = chromium_page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False).new_page()
    with at_home(plain, database_url):
        ask_by_button(plain)


def test_own_words_by_keyboard(chromium_page: Page, database_url: str) -> None:
    page = chromium_page
    with at_home(page, database_url) as base:
        page.get_by_text("Ask about this message").first.click()
        page.get_by_label("Your own question").first.fill("am i going to be ok")
        page.keyboard.press("Enter")
        expect(page.locator(".answer-text")).to_contain_text(
            "I can't answer that; your care team can."
        )
        expect(page.locator(".answer-text")).to_contain_text("call for emergency help")
        # the address does not carry the question
        expect(page).to_have_url(f"{base}/phone/questions")
        assert "going to be ok" not in page.content()
        page.get_by_label("Your own question").fill("what is my usual heart rate?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer-text")).to_contain_text(
            "Your usual is 58 to 75 beats a minute."
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ar"])
def test_axe_finds_no_fault_on_a_narrow_phone(
    chromium_page: Page, database_url: str, scheme: str, locale: str
) -> None:
    page = chromium_page
    page.set_viewport_size({"width": 320, "height": 700})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    with at_home(page, database_url, locale):
        page.locator("details.ask summary").first.click()
        for _ in range(2):
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            fits(page, 320)
            with page.expect_navigation():
                page.locator(".questions button").first.click()
            page.locator("details.ask summary").first.click()


def test_the_care_team_asks_from_the_alerts_card(chromium_page: Page, database_url: str) -> None:
    page = chromium_page
    with signed_in(page, database_url) as url:
        page.goto(url + "/board/patient/p1")
        card = page.locator("article").first
        card.get_by_text("Ask about this alert").click()
        card.get_by_role("link", name="Which rule and limit?").click()
        expect(page.locator(".answer")).to_contain_text("Limit in force: 120 beats a minute.")
        page.get_by_text("What this rests on").click()
        expect(page.locator(".grounds")).to_contain_text("limit_clear")
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        page.get_by_label("Your own question").fill("is it over?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_contain_text("still going on")
        page.get_by_role("link", name="← Ann Lee").click()
        expect(page.locator("article:target")).to_be_visible()
