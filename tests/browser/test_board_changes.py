"""What changes on an open board: rows, parts of rows, people who come and go, and lost answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.service import build
from tests.browser.test_board import first_people, seeding, sign_in, unreachable
from tests.support.pages import until
from tests.support.running import serving
from tests.support.seed import busy_ward
from vigil.domain.episode import Event
from vigil.service.settings import Settings

__all__ = ["unreachable"]  # a fixture
pytestmark = pytest.mark.browser
UPDATES = re.compile(r"_dash-update-component")
ROWS = "#rows > li"


def polling(page: Page) -> None:
    page.add_init_script("delete window.SharedWorker")


def change(settings: Settings, patient: str, value: float) -> None:
    with seeding(settings) as seed:
        seed.connection.execute(
            "UPDATE latest SET value = %s, received_at = now()"
            " WHERE patient_id = %s AND signal = 'heart_rate'",
            (value, patient),
        )


def rate(page: Page, patient: str) -> Any:
    return expect(page.locator(f'li[data-key="{patient}"] .heart_rate .value'))


@pytest.mark.parametrize("transport", ["websocket", "polls"])
def test_rows_change_and_people_come_and_go(
    unreachable: Settings, chromium_page: Page, transport: str
) -> None:
    page = chromium_page
    if transport == "polls":
        polling(page)
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        page.evaluate(
            "document.querySelector('li[data-key=p2] .who').kept = true; window.loaded = 1"
        )
        change(unreachable, "p2", 91)
        rate(page, "p2").to_have_text("91")
        assert page.evaluate("document.querySelector('li[data-key=p2] .who').kept")
        with seeding(unreachable) as seed:
            seed.patient("123", "Number Name")  # keys that are numbers keep their place, too
            seed.patient("45", "Other Number")
            seed.episode("45", "heart_rate_low", priority="high")
        expect(page.locator(ROWS)).to_have_count(4)
        expect(page.locator(ROWS).first).to_contain_text("Other Number")
        expect(page.locator("#head .count.high strong")).to_have_text("1")
        with seeding(unreachable) as seed:
            seed.connection.execute("UPDATE patients SET active = false WHERE patient_id = 'p1'")
        expect(page.locator('li[data-key="p1"]')).to_have_count(0)
        with seeding(unreachable) as seed:
            seed.connection.execute("UPDATE patients SET active = true WHERE patient_id = 'p1'")
        expect(page.locator(ROWS)).to_have_count(4)
        keys = "[...document.querySelectorAll('#rows > li')].map((row) => row.dataset.key)"
        assert page.evaluate(keys) == ["45", "p1", "p2", "123"]
        assert page.evaluate("window.loaded") == 1


def test_an_answer_that_is_lost_and_a_process_that_is_started_again(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    polling(page)
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        page.evaluate("window.loaded = 1")
        failed: list[str] = []

        def fail(route: Any) -> None:
            failed.append(route.request.post_data or "")
            route.abort()

        page.route(UPDATES, fail)
        change(unreachable, "p2", 92)
        until(page, lambda: failed)
        page.unroute(UPDATES)
        rate(page, "p2").to_have_text("92", timeout=40_000)
        expect(page.locator("#trouble")).to_be_hidden()
    change(unreachable, "p2", 93)
    with serving([build(unreachable)], unreachable):
        rate(page, "p2").to_have_text("93", timeout=60_000)
        change(unreachable, "p1", 94)
        rate(page, "p1").to_have_text("94")
        expect(page.locator("#trouble")).to_be_hidden()
        assert page.evaluate("window.loaded") == 1, "it was loaded anew"


def test_a_row_that_was_lost_is_sent_again(unreachable: Settings, chromium_page: Page) -> None:
    """The browser's rows are not what the server takes them for."""
    page = chromium_page
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        page.evaluate("document.querySelector('li[data-key=p2]').remove()")
        change(unreachable, "p1", 95)
        expect(page.locator(ROWS)).to_have_count(2)
        rate(page, "p1").to_have_text("95")


def test_a_poll_for_one_changed_row_of_five_hundred_is_small(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    polling(page)
    sizes: list[tuple[int, int]] = []

    def weigh(response: Any) -> None:
        if "_dash-update-component" in response.url and '"pieces"' in (text := response.text()):
            patch = json.loads(text)
            found = json.dumps(patch)
            state = re.search(r'"state": (\{.*?\})', found)
            sent = len(response.request.post_data or "")
            sizes.append((len(text) - len(state[1] if state else ""), sent))

    with serving([build(unreachable)], unreachable) as url:
        with seeding(unreachable) as seed:
            seed.user("kim", "correct horse battery")
            busy_ward(seed, 500, minutes=60)
        sign_in(page, url)
        page.wait_for_timeout(4000)
        page.on("response", weigh)
        change(unreachable, "p300", 97)
        rate(page, "p300").to_have_text("97")
        until(page, lambda: sizes)
    answer, asked = max(sizes)
    assert answer < 2000, sizes
    assert asked < 1000, sizes


def one_in_alarm(settings: Settings) -> Event:
    """A nurse, and a patient with one episode."""
    first_people(settings)
    with seeding(settings) as seed:
        return seed.episode("p2", "heart_rate_high", priority="medium")


def act(settings: Settings, event: Event, verb: str, comment: str = "") -> None:
    """What a colleague did about an episode, as the store has it."""
    with seeding(settings) as seed:
        seed.action(event, verb, "lee", comment=comment)


def test_what_is_shown_can_be_used_before_dash_is_there(
    unreachable: Settings, chromium_page: Page
) -> None:
    """The page's content is there seconds before its large libraries, on a slow machine."""
    page = chromium_page
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        page.route(re.compile("board.js"), hold)
        page.goto(url + "/board/patient/p1", wait_until="commit")
        comment = page.get_by_label("Comment on Heart rate high")
        comment.fill("Pulse by hand: 118.")
        comment.press("Enter")
        expect(page.locator(".feedback")).to_contain_text("nothing was recorded")
        page.get_by_text("7 d", exact=True).click()
        expect(page.locator("#live")).to_have_attribute("data-state", "starting")
        assert "comment" not in page.url
        expect(comment).to_have_value("Pulse by hand: 118.")
        for route in held:
            route.continue_()
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        ticks = page.locator(".chart .xtick")
        expect(ticks.first).to_be_visible()
        expect(ticks.filter(has_text=":")).to_have_count(0)  # of days, not of hours


def test_focus_stays_where_it_was_and_never_comes_to_a_control_that_acts(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    event = one_in_alarm(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url, "/board/patient/p2")
        basis = page.locator("summary").filter(has_text="Basis")
        basis.focus()
        act(unreachable, event, "comment", "On my way.")
        expect(page.locator(".actions")).to_contain_text("On my way.")
        expect(basis).to_be_focused()
        page.get_by_role("button", name="Acknowledge: Heart rate high").focus()
        act(unreachable, event, "acknowledge")
        expect(page.locator(".acked")).to_be_focused()


@pytest.mark.parametrize("how", ["mouse", "space"])
def test_a_control_that_is_replaced_while_it_is_pressed_acts(
    unreachable: Settings, chromium_page: Page, how: str
) -> None:
    page = chromium_page
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url, "/board/patient/p1")
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.url) if "actions" in one.url else None)
        button = page.get_by_role("button", name="Acknowledge: Heart rate high")
        if how == "mouse":
            button.hover()
            page.mouse.down()
        else:
            button.focus()
            page.keyboard.down("Space")
        with seeding(unreachable) as seed:
            seed.connection.execute(
                "UPDATE alerts SET texts = replace(texts::text, '128 bpm', '129 bpm')::jsonb"
            )
        expect(page.locator(".episode .body")).to_contain_text("129 bpm")
        if how == "mouse":
            page.mouse.up()
        else:
            page.keyboard.up("Space")
        expect(page.locator(".feedback")).to_contain_text("nothing was recorded")
        assert len(sent) == 1, sent
