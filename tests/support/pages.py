"""What is expected of a page in a browser, waited for: scripts and updates take their time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.running import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page


def until(page: Page, check: Callable[[], object]) -> None:
    """Ask until the answer is truthy, and let the browser's events in meanwhile."""

    def look() -> bool:
        page.wait_for_timeout(25)
        return bool(check())

    eventually(look)


OVERLAPS = """() => {
  const found = [];
  for (const row of document.querySelectorAll("#rows > li")) {
    const edge = row.getBoundingClientRect().right;
    const texts = [...row.querySelectorAll(".vital dd, .last > *, .act > *, .who h2 a, .title")]
      .filter((node) => node.checkVisibility())
      .map((node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return { text: node.innerText, box: range.getBoundingClientRect() };
      });
    texts.forEach((one, n) => {
      if (one.box.right > edge) found.push(one.text + " beyond its row");
      for (const other of texts.slice(n + 1)) {
        const beside = one.box.right <= other.box.left || other.box.right <= one.box.left;
        const apart = one.box.bottom <= other.box.top + 2 || other.box.bottom <= one.box.top + 2;
        if (!beside && !apart) found.push(one.text + " over " + other.text);
      }
    });
  }
  return found;
}"""
"""Texts of the board's rows that lie over each other or outside their row."""


def fits(page: Page, width: int) -> None:
    """Nothing is wider than this many pixels."""
    wide = "document.documentElement.scrollWidth"
    eventually(lambda: page.evaluate(wide) <= width)
