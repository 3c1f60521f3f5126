"""The phrasebook in Chromium: found from the board, reviewed by keyboard, readable anywhere."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dashboard.service import build
from explain.facts.signature import every_signature, facts_of_signature
from explain.templates.drafts import sentences_for
from local.parts import free_port
from store import service as store_service
from store.database.connections import connect
from tests.support.messages import phrase
from tests.support.pages import fits
from tests.support.running import eventually, running, serving
from tests.support.seed import Seed
from vigil.domain.phrase import Phrase
from vigil.service.settings import Settings

PASSWORD = "correct horse battery"
SHOTS = os.environ.get("VIGIL_TEST_SHOTS")
"""A folder for pictures of the page, to be looked at."""
pytestmark = pytest.mark.browser


def some() -> list[Phrase]:
    """A page or two of what the tables say, as if a model had written it."""
    found = []
    for shown in list(every_signature())[::9]:
        for sentence in sentences_for(facts_of_signature(shown)):
            if tuple(sorted(sentence.slots)) == shown.slots:
                found.append(
                    phrase(
                        sentence.text, signature=shown.key,
                        model="SmolLM2-135M-Instruct@sha256:b179c9523d0e6a0f",
                        adapter="vigil-words@sha256:0123456789abcdef",
                    )
                )  # fmt: skip
    return found


def seeded(settings: Settings) -> None:
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        seed.user("kim", PASSWORD, "care_team", "Kim Berg")
        seed.phrases(
            *some(),
            phrase("Your heart rate is raised, at {heart_rate}.", status="approved", revision=1,
                   by="kim"),
            phrase("Your heart is up to {heart_rate}.", status="banned", revision=1, by="kim"),
            phrase(),
        )  # fmt: skip
        seed.commit()


def sign_in(page: Page, url: str, path: str) -> None:
    page.goto(url + path)
    page.locator("#user").fill("kim")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**" + path)


def picture(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


@pytest.fixture
def unreachable(database_url: str) -> Settings:
    """Settings of a board whose broker does not answer: enough for looking."""
    return Settings(
        demo=True, database_url=database_url, kafka_bootstrap=f"127.0.0.1:{free_port()}",
        http_port=free_port(), log_level="ERROR",
    )  # fmt: skip


@pytest.mark.kafka
def test_a_nurse_finds_approves_changes_and_bans_a_sentence_by_keyboard(
    settings: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    seeded(settings)
    part = build(settings)
    with running(store_service.build(settings), settings), serving([part], settings) as url:
        eventually(lambda: part.context.publisher.trouble is None)
        sign_in(page, url, "/board/")
        page.get_by_role("link", name="Phrasebook").click()
        page.get_by_label("Finding").select_option("heart_rate_high")
        page.get_by_label("Words").fill("now {")
        page.keyboard.press("Enter")
        mine = page.locator(".phrase", has_text="Your heart rate is high, now 118 beats a minute.")
        expect(mine).to_have_count(1)

        approve = mine.get_by_role("button", name="Approve")
        approve.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#outcome")).to_have_text("1 sentence is approved.")
        expect(mine.locator(".status")).to_have_text("Approved")
        expect(mine).to_contain_text("approved by Kim Berg")
        expect(page.get_by_label("Words")).to_have_value("now {")  # the filter stays

        mine.get_by_role("link", name="Change, history").click()
        box = page.get_by_label("The sentence, with its slots")
        box.fill("Take a pill, your heart rate is low at {heart_rate}.")
        page.get_by_role("button", name="Put it in place").click()
        shown = page.locator(".problem")
        expect(shown).to_contain_text("A medicine, a dose, a treatment.")
        expect(shown).to_contain_text("A direction that the facts do not have.")
        expect(box).to_be_focused()
        expect(box).to_have_value("Take a pill, your heart rate is low at {heart_rate}.")
        picture(page, "refused")

        box.fill("Your heart rate is high, {heart_rate} now.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#outcome")).to_have_text("1 sentence is changed.")
        expect(mine.locator(".status")).to_have_text("Banned")

        page.goto(f"{url}/board/phrasebook?q=rate+is+high%2C+%7Bheart_rate%7D+now")
        new = page.locator(".phrase")
        expect(new).to_contain_text("Written by a person; approved by Kim Berg")
        new.get_by_role("button", name="Ban").click()
        expect(new.locator(".status")).to_have_text("Banned")
        new.get_by_role("button", name="Un-ban").click()
        expect(new.locator(".status")).to_have_text("Draft")

        page.goto(f"{url}/board/phrasebook?status=draft&reader=care_team")
        expect(page.locator(".status.draft")).to_have_count(20)
        page.get_by_role("button", name="Approve the 20 drafts on this page").click()
        expect(page.locator("#outcome")).to_have_text("20 sentences are approved.")
    with connect(settings) as connection:
        row = connection.execute("SELECT count(*) AS n FROM phrases WHERE by = 'kim'").fetchone()
    assert row == {"n": 24}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_reads_well_in_either_colour_and_on_a_phone_and_axe_finds_nothing(
    unreachable: Settings, chromium_page: Page, scheme: str
) -> None:
    page, axe = chromium_page, Axe()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    found = {}
    with serving([build(unreachable)], unreachable) as url:
        with connect(unreachable) as connection:
            Seed(connection, datetime.now(UTC)).user("kim", PASSWORD, "care_team", "Kim Berg")
            connection.commit()
        sign_in(page, url, "/board/phrasebook")
        expect(page.get_by_role("heading", name="There is no sentence yet")).to_be_visible()
        found["empty"] = axe.run(page)
        picture(page, f"empty-{scheme}")
        seeded_anew(unreachable)
        page.goto(f"{url}/board/phrasebook")
        page.locator("summary").first.click()
        found["list"] = axe.run(page)
        picture(page, f"list-{scheme}")
        page.locator(".phrase").first.get_by_role("button", name="Approve").click()
        expect(page.locator(".problem")).to_contain_text("nothing was recorded")
        found["failing"] = axe.run(page)
        page.goto(f"{url}/board/phrasebook/{phrase().phrase_id}")
        found["one"] = axe.run(page)
        picture(page, f"one-{scheme}")
        page.goto(f"{url}/board/phrasebook?q=nothing+like+it")
        expect(page.get_by_role("heading", name="No sentence is like that")).to_be_visible()

        page.set_viewport_size({"width": 360, "height": 740})
        for path in ("", f"/{phrase().phrase_id}", "?status=approved"):
            page.goto(f"{url}/board/phrasebook{path}")
            fits(page, 360)
            picture(page, f"phone-{scheme}{len(path)}")
        found["phone"] = axe.run(page)
    faults = {where: result.generate_report() for where, result in found.items()
              if result.violations_count}  # fmt: skip
    assert not faults, "\n".join(faults.values())


def seeded_anew(settings: Settings) -> None:
    """The sentences alone: the nurse is there already and stays signed in."""
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        seed.phrases(
            *some(),
            phrase(status="approved", revision=1, by="kim"),
            phrase("Your heart is up to {heart_rate}.", status="banned", revision=1, by="kim"),
        )
        seed.commit()


def test_the_address_of_another_sentence_leads_back(
    unreachable: Settings, chromium_page: Page
) -> None:
    seeded(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(chromium_page, url, "/board/phrasebook")
        chromium_page.goto(f"{url}/board/phrasebook/none")
        expect(chromium_page.get_by_role("heading")).to_have_text("There is no such sentence")
        chromium_page.get_by_role("link", name="Back").click()
        expect(chromium_page.get_by_role("heading", name="Phrasebook")).to_be_visible()
