"""Comments that follow each other faster than live updates do: none is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, Route, expect

from dashboard.service import build
from tests.browser.test_board import first_people, seeding, sign_in, unreachable
from tests.support.pages import until
from tests.support.running import serving
from vigil.domain.episode import Event
from vigil.service.settings import Settings

__all__ = ["unreachable"]  # a fixture
pytestmark = pytest.mark.browser
FIRST, SECOND = "Pulse by hand: 118.", "On my way."


class Answers:
    """Stands for the server's answers to actions, each given when the test says so."""

    def __init__(self, page: Page):
        self.held: list[Route] = []
        page.route("**/board/actions", self._hold)

    def _hold(self, route: Route) -> None:
        self.held.append(route)

    @property
    def comments(self) -> list[str]:
        """What was sent, in its order."""
        return [json.loads(route.request.post_data or "")["comment"] for route in self.held]

    def give(self, place: int, status: int = 202, **body: Any) -> None:
        """The answer to what was sent at this place."""
        self.held[place].fulfill(status=status, json=body)


@contextmanager
def commenting(settings: Settings, page: Page) -> Iterator[tuple[Answers, Locator, Event]]:
    """A patient's page with one alert, and the field for comments on it."""
    first_people(settings)
    with seeding(settings) as seed:
        event = seed.episode("p2", "heart_rate_low", priority="medium")
    with serving([build(settings)], settings) as url:
        sign_in(page, url, "/board/patient/p2")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        answers = Answers(page)
        yield answers, page.get_by_label("Comment on Heart rate low"), event


def write(field: Locator, comment: str) -> None:
    field.fill(comment)
    field.press("Enter")


def test_a_second_comment_before_the_next_live_update_is_sent(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, event):
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 1)
        answers.give(0)
        expect(field).to_have_value("")
        write(field, SECOND)
        until(chromium_page, lambda: len(answers.held) == 2)
        with seeding(unreachable) as seed:  # the update brings the first, and another form
            seed.action(event, "comment", "kim", comment=FIRST)
        expect(chromium_page.locator(".actions")).to_contain_text(FIRST)
        expect(field).to_have_value(SECOND)
        answers.give(1)
        expect(field).to_have_value("")
        assert answers.comments == [FIRST, SECOND]


def test_a_comment_sent_before_the_one_before_was_answered_follows_it(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, _):
        write(field, FIRST)
        field.press("Enter")  # the same again is no second comment
        until(chromium_page, lambda: len(answers.held) == 1)
        write(field, SECOND)
        answers.give(0)
        until(chromium_page, lambda: len(answers.held) == 2)
        expect(field).to_have_value(SECOND)
        answers.give(1)
        expect(field).to_have_value("")
        assert answers.comments == [FIRST, SECOND]


def test_a_comment_that_was_refused_after_another_was_typed_is_shown(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, _):
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 1)
        field.fill(SECOND)
        answers.give(0, 503, error="Nothing was recorded.")
        expect(chromium_page.locator(".feedback")).to_have_text(
            f"Nothing was recorded. Not sent: “{FIRST}”"
        )
        expect(field).to_have_value(SECOND)


def test_what_waits_behind_a_refused_comment_is_shown_and_not_sent(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, _):
        for comment in (FIRST, SECOND, "A third one."):
            write(field, comment)
        until(chromium_page, lambda: len(answers.held) == 1)
        answers.give(0, 503, error="Nothing was recorded.")
        expect(chromium_page.locator(".feedback")).to_have_text(
            f"Nothing was recorded. Not sent: “{FIRST}”, “{SECOND}”"
        )
        expect(field).to_have_value("A third one.")
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 2)
        assert answers.comments == [FIRST, FIRST]


def test_signed_out_nothing_further_is_sent_and_what_was_not_sent_stays(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, _):
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 1)
        write(field, SECOND)
        answers.give(0, 401, error="not signed in")
        notice = chromium_page.locator("#unsent")
        expect(notice).to_contain_text(f"You are signed out. Not sent: “{FIRST}”, “{SECOND}”")
        expect(notice.get_by_role("link", name="Sign in")).to_have_attribute(
            "href", "/login?next=%2Fboard%2Fpatient%2Fp2"
        )
        assert answers.comments == [FIRST]


def test_without_an_answer_it_is_not_claimed_that_it_was_not_sent(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, _):
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 1)
        for comment in (SECOND, "A third one."):
            write(field, comment)
        answers.held[0].abort()
        expect(chromium_page.locator(".feedback")).to_have_text(
            f"Vigil did not answer. It may or may not be recorded: “{FIRST}”. Not sent: “{SECOND}”"
        )


def test_a_comment_on_an_alert_that_has_left_the_page_is_shown_until_it_is_discarded(
    unreachable: Settings, chromium_page: Page
) -> None:
    with commenting(unreachable, chromium_page) as (answers, field, _):
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 1)
        chromium_page.evaluate("document.querySelector('.comment').closest('li').remove()")
        answers.give(0, 503, error="Nothing was recorded.")
        notice = chromium_page.locator("#unsent")
        expect(notice).to_contain_text(
            f"Comment on Heart rate low: Nothing was recorded. Not sent: “{FIRST}”"
        )
        notice.get_by_role("button", name="Discard what was not sent").click()
        expect(notice).to_be_hidden()


def test_leaving_with_a_comment_that_is_not_sent_asks_first(
    unreachable: Settings, chromium_page: Page
) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with commenting(unreachable, chromium_page) as (answers, field, _):
        chromium_page.on("dialog", stay)
        write(field, FIRST)
        until(chromium_page, lambda: len(answers.held) == 1)
        chromium_page.evaluate("location.reload()")
        until(chromium_page, lambda: asked == ["beforeunload"])
        answers.give(0)
        expect(field).to_have_value("")
        with chromium_page.expect_navigation():
            chromium_page.evaluate("location.reload()")
        assert asked == ["beforeunload"]
