"""Clocks on pages follow the server's table of zones, and not the browser's own."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect
from psycopg.types.json import Jsonb

from dashboard.service import build
from explain.facts.moments import time_of_day
from explain.facts.slot_formatting import slot_formatter
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
            began = slot_formatter("en").format(time_of_day(event.onset, event.detected_at))
            seed.connection.execute(
                "UPDATE alerts SET texts = jsonb_set(jsonb_set(texts, '{care_team,en,body}', %s),"
                " '{patient,en,body}', %s)",
                [Jsonb(f"Heart rate high. Began at {began}.")] * 2,
            )
        onset = event.onset.astimezone(UTC)
        page.route("**/zone?name=*", changed)
        sign_in(page, url)
        since = page.locator("#rows .since time").first
        expect(since).to_have_text(re.compile(rf"{clock(onset)}$"))
        expect(since).to_have_attribute("title", re.compile(r"\+04:49 \(Europe/Berlin\)$"))
        expect(page.locator("[data-zone]")).to_have_text("Europe/Berlin")
        page.goto(f"{url}/board/patient/p1")
        expect(page.locator(".episode .body time").first).to_have_text(
            re.compile(rf"{clock(onset)}$")
        )
        expect(page.locator(".episode .body")).not_to_contain_text("UTC")
        page.goto(f"{url}/board/summary")
        expect(page.locator("[data-zone]")).to_have_text("Europe/Berlin")
        expect(page.locator(".sentences")).not_to_contain_text("UTC")
        page.goto(f"{url}/phone/enrol/{link_for(unreachable)}")
        page.locator("form button").first.click()
        page.wait_for_url("**/phone")
        shown = page.locator("time[data-local]").first
        expect(shown).not_to_contain_text("UTC")
        moment = datetime.fromisoformat(shown.get_attribute("datetime") or "")
        expected = (moment + EAST).strftime("%-I:%M"), (moment + EAST).strftime("%H:%M")
        expect(shown).to_have_text(re.compile("|".join(expected)))
        expect(page.locator("[data-zone]")).to_have_text("Europe/Berlin")
        expect(page.locator("main")).not_to_contain_text("UTC")


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
