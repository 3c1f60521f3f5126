"""Pages that are not live say in their head, while they are open, what stands still."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.dashboard.conftest import PASSWORD, Board
from tests.support.statuses import status
from tests.support.timeouts import soon_enough
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from playwright.sync_api import Page

WITHIN = 5.0
"""Seconds from a change to an open page."""
NOBODY = "nobody is being judged"
STILL = ("/login", "/board/admin", "/board/system", "/board/summary", "/board/phrasebook")


def sign_in(board: Board, page: Page) -> None:
    page.goto(f"{board.url}/login")
    page.fill("#user", "ada")
    page.fill("#password", PASSWORD)
    page.click("button")
    page.wait_for_url("**/board/")


@pytest.mark.parametrize("address", STILL)
def test_an_open_page_says_what_stands_still_and_takes_it_back(
    board: Board, chromium_page: Page, address: str
) -> None:
    now = utc_now()
    stuck = {"stuck": now - timedelta(minutes=7)}
    stopped = status("detectors", time=now, trouble={"stuck": "x"}, since=stuck)
    with board.workers():
        if address != "/login":
            sign_in(board, chromium_page)
        chromium_page.goto(board.url + address)
        loaded = chromium_page.evaluate("window.loaded = Math.random()")
    head = chromium_page.locator("#state .notice")

    def change() -> float:
        began = time.monotonic()
        with board.workers(stopped):
            head.filter(has_text=NOBODY).wait_for()
        shown = time.monotonic()
        with board.workers():
            head.first.wait_for(state="detached")
        return max(shown - began, time.monotonic() - shown)

    soon_enough(change, WITHIN)
    assert chromium_page.evaluate("window.loaded") == loaded, "the page was read anew"


def test_an_open_page_says_that_nothing_is_received_any_more(
    board: Board, chromium_page: Page
) -> None:
    disconnected = chromium_page.locator("#disconnected")
    with board.workers():
        with chromium_page.expect_response("**/state"):
            chromium_page.goto(f"{board.url}/login")
        chromium_page.fill("#user", "ada")
        chromium_page.route("**/state", lambda route: route.abort())
        disconnected.filter(has_text="Vigil has not answered since").wait_for()
        chromium_page.unroute("**/state")
        disconnected.wait_for(state="hidden")
        assert chromium_page.input_value("#user") == "ada"
