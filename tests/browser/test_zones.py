"""Clocks on pages follow the server's table of zones, and not the browser's own."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from dashboard.service import build
from tests.browser.test_board import PASSWORD, seeding, sign_in, unreachable
from tests.support.phone_house import link_for
from tests.support.running import serving
from vigil.service.settings import Settings
from vigil.values import time_zones

__all__ = ["unreachable"]
pytestmark = pytest.mark.browser

EAST = timedelta(hours=4, minutes=49)
"""An offset that no browser's table has anywhere today."""


def changed(route: Route) -> None:
    """A server whose table is newer than the browser's: the clocks of its zone were changed."""
    found = time_zones.Offsets("Europe/Berlin", (946_684_800,), (int(EAST.total_seconds()),))
    route.fulfill(json=asdict(found))


def clock(moment: datetime) -> str:
    return f"{moment + EAST:%H:%M}"


def test_the_board_and_the_phone_write_the_servers_clock(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    with serving([build(unreachable)], unreachable) as url:
        with seeding(unreachable) as seed:
            seed.user("kim", PASSWORD)
            seed.patient("p1", "Ann Lee")
            event = seed.episode("p1", "heart_rate_high", onset=timedelta(minutes=20))
        onset = event.onset.astimezone(UTC)
        page.route("**/zone?name=*", changed)
        sign_in(page, url)
        since = page.locator("#rows .since time").first
        expect(since).to_have_text(re.compile(rf"{clock(onset)}$"))
        expect(since).to_have_attribute("title", re.compile(r"\+04:49 \(Europe/Berlin\)$"))
        page.goto(f"{url}/phone/enrol/{link_for(unreachable)}")
        page.locator("form button").first.click()
        page.wait_for_url("**/phone")
        shown = page.locator("time[data-local]").first
        expect(shown).not_to_contain_text("UTC")
        moment = datetime.fromisoformat(shown.get_attribute("datetime") or "")
        expected = (moment + EAST).strftime("%-I:%M"), (moment + EAST).strftime("%H:%M")
        text = shown.inner_text()
        assert any(each in text for each in expected), (text, expected)


def test_without_the_table_times_stay_in_utc_and_say_so(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    with serving([build(unreachable)], unreachable) as url:
        with seeding(unreachable) as seed:
            seed.user("kim", PASSWORD)
            seed.patient("p1", "Ann Lee")
            seed.episode("p1", "heart_rate_high", onset=timedelta(minutes=20))
        page.route("**/zone?name=*", lambda route: route.abort())
        sign_in(page, url)
        expect(page.locator("#live")).to_contain_text("UTC")
        expect(page.locator("#rows .since time").first).to_have_text(re.compile(" UTC$"))
