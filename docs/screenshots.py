"""Draws ``docs/images`` anew from a running demonstration: ``make screenshots``.

Needs Chromium at /usr/bin/chromium. What is shown is what the demonstration shows; nothing is
retouched.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from local.demo_remains import PASSWORD, USER
from tests.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.support.whole import whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parent / "images"
PLAYED_MS = 75_000
"""By then the demonstration's last two hours have caught up with now, on a machine of its own."""
CAUGHT_UP_MS = 300_000
CURRENT = re.compile(r"just now|\d s ago|^1 min")
"""The age of a reading that is played as it is measured."""


def _sign_in(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}/board/")
    page.get_by_label("User").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/board/**")
    return page


def _draw(browser: Browser, url: str) -> None:
    page = _sign_in(browser, url)
    page.wait_for_timeout(PLAYED_MS)
    newest = page.locator("#rows > li").first.locator(".last .age")
    newest.filter(has_text=CURRENT).wait_for(timeout=CAUGHT_UP_MS)
    page.screenshot(path=IMAGES / "board.png")

    page.locator("main a[href*='/board/patient/']").first.click()
    page.wait_for_timeout(3000)
    page.screenshot(path=IMAGES / "patient.png", full_page=True)

    _draw_phone(browser, page)
    page.goto(f"{url}/board/summary?hours=8")
    page.screenshot(path=IMAGES / "summary.png")
    page.goto(f"{url}/board/phrasebook")
    page.screenshot(path=IMAGES / "phrasebook.png")


def _draw_phone(browser: Browser, page: Page) -> None:
    """The phone of the patient whose page is open."""
    page.get_by_role("button", name="Link patient").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    phone = browser.new_context(viewport={"width": 390, "height": 780}).new_page()
    phone.goto(link)
    phone.locator("form button").first.click()
    phone.wait_for_url("**/phone")
    phone.wait_for_timeout(1000)
    phone.screenshot(path=IMAGES / "phone.png")


def main() -> None:
    """Start the demonstration, look at it, stop it."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        whole(Path(folder), None, "demo") as system,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        _draw(browser, system.environment()["VIGIL_PUBLIC_URL"])
        browser.close()


if __name__ == "__main__":
    main()
