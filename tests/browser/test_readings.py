"""Withdrawing a reading in Chromium: from the patient's page to the struck-through line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from dashboard.service import build
from store import service as store_service
from store.database.connections import connect
from tests.browser.test_board import PASSWORD, sign_in
from tests.support.pages import fits
from tests.support.running import eventually, running, serving
from tests.support.seed import Seed
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.kafka]


@contextmanager
def signed_in(page: Page, settings: Settings) -> Iterator[str]:
    """A board with a patient's last minutes, a broker and a store; somebody is signed in."""
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        seed.user("kim", PASSWORD, "care_team", "Kim Berg")
        seed.patient("p1", "Ann Lee", "Ward A")
        seed.readings("p1", lambda before: 72 + before, minutes=8, every=1)
        seed.episode("p1", "heart_rate_high", onset=timedelta(minutes=20))
        seed.commit()
    part = build(settings)
    with serving([part], settings) as url, running(store_service.build(settings), settings):
        eventually(lambda: part.context.publisher.trouble is None)
        sign_in(page, url)
        yield url


def test_a_reading_is_chosen_checked_and_withdrawn(chromium_page: Page, settings: Settings) -> None:
    page = chromium_page
    with signed_in(page, settings) as url:
        page.goto(url + "/board/patient/p1")
        page.get_by_role("link", name="Readings", exact=True).click()
        expect(page.get_by_role("heading", name="Readings of Ann Lee")).to_be_visible()
        page.wait_for_load_state()
        boxes = page.get_by_role("checkbox")
        many = boxes.count()
        boxes.first.check()
        page.get_by_label("Why").select_option(label="Wrong patient")
        page.get_by_label("Comment for colleagues").fill("bed 4")
        page.get_by_role("button", name="Withdraw the chosen").click()
        expect(page.get_by_role("heading", name="Withdraw 1 reading of Ann Lee?")).to_be_visible()
        expect(page.get_by_text("Heart rate high, medium priority")).to_be_visible()
        page.get_by_role("link", name="Cancel").click()
        expect(boxes).to_have_count(many)  # nothing was done
        page.get_by_role("checkbox").first.check()
        page.get_by_label("Why").select_option(label="Wrong patient")
        page.get_by_label("Comment for colleagues").fill("bed 4")
        page.get_by_role("button", name="Withdraw the chosen").click()
        page.get_by_role("button", name="Withdraw it").click()
        _recorded(page)
        line = page.locator("tr.withdrawn")
        expect(line).to_contain_text("by kim: wrong patient")
        expect(line).to_contain_text("bed 4")
        expect(boxes).to_have_count(many - 1)


def _recorded(page: Page) -> None:
    """The list has it without a reload; on a busy machine, after it was asked for again."""

    def shown() -> bool:
        if page.get_by_role("link", name="Look again").is_visible():
            page.get_by_role("link", name="Look again").click()
        return page.get_by_text("1 reading withdrawn").is_visible()

    eventually(shown)
    expect(page.locator("tr.withdrawn s")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_and_nothing_is_cut_off_on_a_phone(
    chromium_page: Page, settings: Settings, scheme: str
) -> None:
    page = chromium_page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    with signed_in(page, settings) as url:
        page.goto(url + "/board/patient/p1/readings")
        for step in ("list", "check"):
            if step == "check":
                page.get_by_role("checkbox").first.check()
                page.get_by_label("Why").select_option(label="Entered in error")
                page.get_by_role("button", name="Withdraw the chosen").click()
                expect(page.get_by_role("button", name="Withdraw it")).to_be_visible()
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            page.set_viewport_size({"width": 360, "height": 740})
            fits(page, 360)
            page.set_viewport_size({"width": 1280, "height": 720})
