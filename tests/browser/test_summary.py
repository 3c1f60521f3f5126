"""The summary of a shift in Chromium: read, followed to its sources, on paper and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from dashboard.service import build
from local.parts import free_port
from store.database.connections import connect
from tests.browser.test_board import PASSWORD, sign_in
from tests.support.pages import fits
from tests.support.running import serving
from tests.support.seed import Seed
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
pytestmark = pytest.mark.browser


def fill(seed: Seed) -> None:
    """A night with something of everything."""
    seed.user("kim", PASSWORD, "care_team", "Kim Berg")
    people = ("Ann Lee", "Bo Rossi", "Carla Silva", "Dev Singh", "Elif Kaya", "Femi Okafor")
    for number, name in enumerate(people, 1):
        seed.patient(f"p{number}", name, "Ward A")
        if number != 6:
            seed.readings(f"p{number}", lambda before: 72 + before / 60)
    high = seed.episode("p1", "heart_rate_high", priority="high")
    seed.episode("p2", "heart_rate_low", priority="high", onset=50 * MINUTE)
    seed.episode("p3", "blood_pressure_high", priority="high", onset=2 * HOUR)
    seen = seed.episode("p4", "heart_rate_high", onset=3 * HOUR, phase="closed", ended=HOUR)
    seed.action(seen, "acknowledge", "kim")
    seed.episode("p4", "heart_rate_unusual", onset=5 * HOUR, phase="closed", ended=4 * HOUR)
    seed.episode("p6", "no_data", onset=4 * HOUR)
    seed.action(high, "need_help", "patient", time=seed.now - 5 * MINUTE)
    seed.commit()


@contextmanager
def signed_in(page: Page, database_url: str) -> Iterator[str]:
    """A board over such a night; somebody is signed in."""
    settings = Settings(
        demo=True, database_url=database_url, kafka_bootstrap=f"127.0.0.1:{free_port()}",
        http_port=free_port(), log_level="ERROR",
    )  # fmt: skip
    with connect(settings) as connection:
        fill(Seed(connection, datetime.now(UTC)))
    with serving([build(settings)], settings) as url:
        sign_in(page, url)
        yield url


def test_from_the_board_to_the_summary_to_a_source(chromium_page: Page, database_url: str) -> None:
    page = chromium_page
    with signed_in(page, database_url):
        page.get_by_role("link", name="Last 8 hours").click()
        expect(page.get_by_role("heading", name="All wards: last 8 hours")).to_be_visible()
        page.wait_for_load_state()
        sentences = page.locator(".sentences > li")
        assert 4 <= sentences.count() <= 8
        first = sentences.first
        expect(first).to_contain_text("Carla Silva")  # has waited longest
        first.get_by_text("source").click()
        expect(first.locator("details li").first).to_contain_text(
            "Blood pressure high (high priority, open)"
        )
        first.locator("details a").first.click()
        page.wait_for_url("**/board/patient/p3#e-*")
        expect(page.locator("article:target")).to_contain_text("Blood pressure high")
        page.get_by_role("link", name="Last 8 hours").click()
        expect(page.get_by_role("heading", name="Carla Silva: last 8 hours")).to_be_visible()


def test_a_count_leads_to_the_list_of_what_it_counts(
    chromium_page: Page, database_url: str
) -> None:
    page = chromium_page
    with signed_in(page, database_url) as url:
        page.goto(url + "/board/summary?hours=12")
        count = page.locator(".sentences > li > p a").filter(has_text="alerts").first
        many = int(count.inner_text().split()[0])
        count.click()
        listed = page.locator("details:target")
        expect(listed).to_be_visible()
        listed.locator("summary").click()
        events = listed.locator("li a[href*='#e-']")
        expect(events).to_have_count(many)


def test_hours_and_ward_are_chosen_by_keyboard(chromium_page: Page, database_url: str) -> None:
    page = chromium_page
    with signed_in(page, database_url) as url:
        page.goto(url + "/board/summary")
        page.focus("#hours")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("Ward A")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Ward A: last 12 hours")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_and_nothing_is_cut_off_on_a_phone(
    chromium_page: Page, database_url: str, scheme: str
) -> None:
    page = chromium_page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    with signed_in(page, database_url) as url:
        for path in ("/board/summary", "/board/summary?patient=p1&hours=12"):
            page.goto(url + path)
            page.locator("summary").first.click()
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            page.set_viewport_size({"width": 360, "height": 740})
            fits(page, 360)
            page.set_viewport_size({"width": 1280, "height": 720})


def test_on_paper_there_is_the_text_and_no_control(chromium_page: Page, database_url: str) -> None:
    page = chromium_page
    with signed_in(page, database_url) as url:
        page.goto(url + "/board/summary")
        page.emulate_media(media="print")
        expect(page.locator(".sentences > li > p").first).to_be_visible()
        for control in (".choose", ".topbar", ".crumb"):
            expect(page.locator(control).first).to_be_hidden()
