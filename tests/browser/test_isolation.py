"""Where the words beside a name stand in Chromium, when the name turns the direction of text."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from dashboard.service import build
from tests.browser.test_board import PASSWORD, seeding, sign_in, unreachable
from tests.support.running import serving
from vigil.service.settings import Settings

__all__ = ["unreachable"]
pytestmark = pytest.mark.browser

TURNING = "Ann \u202eLee \u2069\u202e(1"
"""An override that nothing ends, and the end of an isolation that it did not begin."""
TURNED = """(tag) => {
  const wrong = [];
  for (const node of document.querySelectorAll(tag)) {
    const after = node.nextSibling;
    if (!after || after.nodeType !== Node.TEXT_NODE || !after.data.trim()) continue;
    const range = document.createRange();
    const at = after.data.search(/\\S/);
    range.setStart(after, at);
    range.setEnd(after, at + 1);
    const next = range.getBoundingClientRect(), own = node.getBoundingClientRect();
    if (next.top < own.bottom && next.left < own.right - 1) wrong.push(after.data.trim());
  }
  return wrong;
}"""
"""The text after each element that does not stand to its right."""
BARE = """() => {
  for (const node of document.querySelectorAll("bdi")) {
    const bare = document.createElement("span");
    bare.className = "bare";
    bare.textContent = node.textContent.replace("\\u202c", "");
    node.replaceWith(bare);
  }
}"""


def test_the_text_after_a_name_stands_after_it(unreachable: Settings, chromium_page: Page) -> None:
    page = chromium_page
    with serving([build(unreachable)], unreachable) as url:
        with seeding(unreachable) as seed:
            seed.user("kim", PASSWORD, "admin", TURNING)
            seed.patient("p1", TURNING, "Ward " + TURNING)
            event = seed.episode("p1", "heart_rate_high", priority="high")
            seed.action(event, "comment", "kim", comment="Looked " + TURNING)
        sign_in(page, url)
        seen = 0
        for path in (
            "/board/", "/board/patient/p1", "/board/summary?patient=p1", "/board/summary",
            f"/board/patient/p1/questions/{event.episode_id}", "/board/admin",
        ):  # fmt: skip
            page.goto(url + path)
            assert page.evaluate(TURNED, "bdi") == [], path
            page.evaluate(BARE)
            seen += len(page.evaluate(TURNED, ".bare"))
        assert seen, "without the element the text would have been turned"
