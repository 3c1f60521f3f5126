"""The board in Chromium: an alert that speaks up again, that falls, and that is history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dashboard.service import build
from store.database.connections import connect
from tests.browser.test_board import PASSWORD, only_by_notice, sign_in, unreachable
from tests.support.pages import fits
from tests.support.running import serving
from tests.support.seed import Seed, steady
from vigil.domain.episode import Event
from vigil.service.settings import Settings

__all__ = ["only_by_notice", "unreachable"]
pytestmark = pytest.mark.browser
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OBSERVED = {"duration_observed": True}


@contextmanager
def seeding(settings: Settings) -> Iterator[Seed]:
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        yield seed
        seed.commit()


def several_states(seed: Seed) -> None:
    """A patient for each state: acknowledged; worse since; still there; fallen; history."""
    random = Random(5)  # noqa: S311  (not a secret)
    seed.user("kim", PASSWORD, "admin", "Kim Berg")
    names = ("Ann Lee", "Bo Rossi", "Carla Haddad", "Dev Okafor", "Elif Kaya", "Femi Silva")
    for number, name in enumerate(names):
        seed.patient(f"p{number}", name)
        age = 117 * DAY if number == 4 else timedelta(seconds=20)
        seed.readings(f"p{number}", steady(80, random), age=age)
    long: dict[str, Any] = {"onset": 5 * HOUR}
    acknowledged = [
        seed.episode(f"p{n}", "heart_rate_high", priority="high", **long) for n in range(4)
    ]
    eased = {"change": "eased", "highest_priority": "high"}
    seed.event(
        "p3", "heart_rate_high", phase="updated", sequence=1, priority="medium", facts=eased,
        detected=HOUR, **long,
    )  # fmt: skip
    crisis: dict[str, Any] = {"priority": "high", "onset": 117 * DAY}
    seed.episode("p4", "blood_pressure_high", history=True, **crisis)
    seed.event(
        "p4", "blood_pressure_high", history=True, phase="closed", sequence=1,
        ended=117 * DAY - HOUR, detected=117 * DAY - HOUR, **crisis,
    )  # fmt: skip
    seed.episode("p5", "heart_rate_low", facts={"time_uncertain": True})
    seed.connection.execute("UPDATE episodes SET raised_at = now() - interval '5 hours'")
    for event in acknowledged:
        seed.action(event, "acknowledge", "kim", time=seed.now - HOUR / 2)
    seed.commit()


def announce(seed: Seed, patient_id: str, change: str, began: datetime) -> Event:
    """The next step of a patient's high heart rate of five hours before."""
    seed.now = began
    return seed.event(
        patient_id, "heart_rate_high", phase="updated", sequence=1, priority="high",
        onset=5 * HOUR, facts={"change": change, **OBSERVED}, detected=timedelta(minutes=1),
    )  # fmt: skip


def test_an_acknowledged_alert_that_is_worse_calls_again_and_says_why(
    unreachable: Settings,
    chromium_page: Page,
) -> None:
    page = chromium_page
    with seeding(unreachable) as seed:
        several_states(seed)
        began = seed.now
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        ann, bo, carla = (page.locator(f'li[data-key="p{n}"]') for n in range(3))
        for each in (ann, bo, carla):
            expect(each.locator(".acked")).to_contain_text("Acknowledged by Kim Berg")
        with seeding(unreachable) as seed:
            announce(seed, "p1", "worse", began)
            announce(seed, "p2", "continues", began)
        expect(bo.locator(".again")).to_contain_text("worse since acknowledged")
        expect(bo.locator(".again")).to_contain_text("by Kim Berg")
        expect(carla.locator(".again")).to_contain_text("still present after 4 h 59 min")
        for each in (bo, carla):
            expect(each).to_have_class("row high waiting calling")
            expect(each.get_by_role("button", name="Acknowledge")).to_be_visible()
        expect(page.locator("#rows > li").first).to_contain_text("Bo Rossi")
        expect(page).to_have_title(re.compile(r"^\(2 high\)"))
        expect(ann.locator(".acked")).to_be_visible()
        page.get_by_role("link", name="Bo Rossi").click()
        card = page.locator("#rows > li").first
        expect(card.locator(".again")).to_contain_text("worse since acknowledged")
        expect(card.locator(".actions")).to_contain_text("Kim Berg acknowledged")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_falls_and_what_is_history_is_marked_and_readable(
    unreachable: Settings, chromium_page: Page, scheme: str
) -> None:
    page = chromium_page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    with seeding(unreachable) as seed:
        several_states(seed)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        fallen, past, uncertain = (page.locator(f'li[data-key="p{n}"]') for n in (3, 4, 5))
        expect(fallen.locator(".fell")).to_contain_text("was high, now medium since")
        expect(past).to_have_class("row none past over")
        expect(past.locator(".tag")).to_have_text("history")
        day = f"{seed.now - 117 * DAY:%b}"
        expect(past.locator(".since")).to_contain_text(day)
        expect(past.locator(".since")).not_to_contain_text(f"{seed.now:%d %b}")
        expect(uncertain.locator(".tag")).to_contain_text("time uncertain")
        expect(uncertain).to_have_class("row medium waiting calling")
        expect(page.locator("#rows > li").last).to_have_attribute("data-key", "p4")
        report = Axe().run(page)
        assert not report.violations_count, report.generate_report()
        page.set_viewport_size({"width": 390, "height": 844})
        fits(page, 390)
        page.goto(url + "/board/patient/p3")
        expect(page.locator("#rows > li .fell")).to_contain_text("was high, now medium since")
        fits(page, 390)
