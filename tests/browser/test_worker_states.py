"""The head of the board in Chromium: what stands still, since when, and no green tick meanwhile."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.service import Dashboard, build
from tests.browser.test_board import PASSWORD, quick_pulse, seeding, sign_in, unreachable
from tests.support.pages import fits
from tests.support.running import serving
from tests.support.statuses import received_statuses, status, working
from tests.support.timeouts import soon_enough
from vigil.service.settings import Settings

__all__ = ["quick_pulse", "unreachable"]
WITHIN = 5.0
"""Seconds from a change to an open page."""
SINCE = re.compile(
    r"Detection has not been running since ([A-Z][a-z]{2} \d\d?, (\d{4}, )?)?\d\d:\d\d:"
    r" nobody is being judged\."
)
"""The time has a date where it was yesterday, and a year where it was last year."""
pytestmark = pytest.mark.browser


@contextmanager
def board(unreachable: Settings) -> Iterator[tuple[Dashboard, str]]:
    """A board with one patient in alarm and one without, whose workers are well."""
    with seeding(unreachable) as seed:
        seed.user("kim", PASSWORD, "admin", "Kim Berg")
        for patient_id, name in (("p1", "Ann Lee"), ("p2", "Bo Rossi")):
            seed.patient(patient_id, name)
            seed.readings(patient_id, lambda before: 72 + before / 60)
        seed.episode("p1", "heart_rate_high", priority="medium")
    part = build(unreachable)
    with (
        serving([part], unreachable) as url,
        received_statuses(part.context.monitor, *working(datetime.now(UTC))),
    ):
        yield part, url


def report(part: Dashboard, **how: Any) -> float:
    """Detection says how it is doing; when that was."""
    now = datetime.now(UTC)
    part.context.monitor.states.record_status(status("detectors", time=now, **how), now)
    return time.monotonic()


def stop(part: Dashboard) -> float:
    since = {"stuck": datetime.now(UTC) - timedelta(minutes=7)}
    return report(part, trouble={"stuck": "x"}, since=since)


@pytest.mark.parametrize("carrier", ["websocket", "polling"])
def test_an_open_board_says_within_five_seconds_that_nobody_is_judged(
    unreachable: Settings, chromium_page: Page, carrier: str
) -> None:
    page = chromium_page
    if carrier == "polling":
        page.add_init_script("delete window.SharedWorker")
    with board(unreachable) as (part, url):
        sign_in(page, url)
        calm = page.locator('li[data-key="p2"] .calm')
        state, live = page.locator("#state"), page.locator("#live")
        expect(calm).to_have_text("No active alert")
        expect(state).to_be_empty()
        expect(live).to_contain_text("Live")

        def stopped() -> float:
            began = stop(part)
            expect(state).to_contain_text(SINCE)
            expect(calm).to_have_text("Not known")
            return time.monotonic() - began

        def behind() -> float:
            began = report(part, gauges={"lag_seconds": 380.0})
            expect(state).to_have_text(
                re.compile(r"^\s*Detection is 6 minutes behind: .*late\.\s*$")
            )
            expect(calm).to_have_text("Not known")
            return time.monotonic() - began

        def well() -> float:
            began = report(part)
            expect(state).to_be_empty()
            expect(calm).to_have_text("No active alert")
            return time.monotonic() - began

        stopped()
        expect(state).to_have_attribute("role", "alert")
        expect(page.locator(".count.none")).to_contain_text("not known")
        expect(live).to_contain_text("Not known")
        expect(page.locator('li[data-key="p1"]')).to_contain_text("Heart rate high")
        expect(page.locator("main")).not_to_contain_text("No active alert")
        soon_enough(lambda: max(behind(), well(), stopped()), WITHIN)


def test_only_a_sentence_that_changed_is_drawn_again(
    unreachable: Settings, chromium_page: Page
) -> None:
    """A screen reader reads out what changes in the live region, and nothing twice."""
    page = chromium_page
    with board(unreachable) as (part, url):
        sign_in(page, url)
        stop(part)
        notice = page.locator('#state [data-part="detectors"]')
        expect(notice).to_be_visible()
        page.evaluate(
            "window.drawn = 0; new MutationObserver((all) => { for (const each of all)"
            " window.drawn += each.addedNodes.length; }).observe(document.getElementById('state'),"
            " { childList: true })"
        )
        now = datetime.now(UTC)
        part.context.monitor.states.record_status(
            status("notify", time=now, gauges={"lag_seconds": 100.0}), now
        )
        expect(page.locator('#state [data-part="notify"]')).to_be_visible()
        assert page.evaluate("window.drawn") == 1


def test_the_head_fits_a_phone_and_stays_in_sight(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    page.set_viewport_size({"width": 390, "height": 400})
    with board(unreachable) as (part, url):
        stop(part)
        sign_in(page, url, "/board/patient/p2")
        expect(page.locator(".patient-state")).to_contain_text("Not known")
        fits(page, 390)
        page.mouse.wheel(0, 600)
        expect(page.locator('#state [data-part="detectors"]')).to_be_in_viewport()


@pytest.mark.usefixtures("quick_pulse")
@pytest.mark.parametrize("path", ["/board/", "/board/patient/p2"])
def test_a_page_that_hears_nothing_shows_no_tick(
    unreachable: Settings, chromium_page: Page, path: str
) -> None:
    page = chromium_page
    with board(unreachable) as (_, url):
        sign_in(page, url, path)
        expect(page.locator(".calm").first).to_have_text("No active alert")
    expect(page.locator("#live")).to_have_text(re.compile("Not live"))
    expect(page.locator("main")).not_to_contain_text("No active alert")
    expect(page.locator(".calm").first).to_contain_text("Not known")
