"""The board in Chromium: seen, kept current, worked by keyboard, and honest when it is not live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from dashboard.live import stream as live
from dashboard.service import build
from local.parts import free_port
from store import service as store_service
from store.database.connections import connect
from tests.support.pages import OVERLAPS, fits
from tests.support.running import eventually, running, serving
from tests.support.seed import Seed, busy_ward
from tests.support.statuses import received_statuses, status
from vigil.service.settings import Settings

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.browser
WIDEST = {
    "systolic": 214,
    "diastolic": 131,
    "spo2": 100,
    "respiratory_rate": 28,
    "temperature": 38.6,
}
"""Values that need the most room on the board."""


@pytest.fixture
def unreachable(database_url: str) -> Settings:
    """Settings of a board whose broker does not answer: enough for looking."""
    return Settings(
        demo=True,
        database_url=database_url,
        kafka_bootstrap=f"127.0.0.1:{free_port()}",
        http_port=free_port(),
        log_level="ERROR",
    )


@pytest.fixture
def quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice silence sooner than a ward needs to."""
    monkeypatch.setattr(live, "PULSE_SECONDS", 1.0)


@pytest.fixture(autouse=True)
def only_by_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes an open page is the database's notice, however long that may take here."""
    monkeypatch.setattr(live, "REFRESH_SECONDS", 3600.0)


@contextmanager
def seeding(settings: Settings) -> Iterator[Seed]:
    with connect(settings) as connection:
        seed = Seed(connection, datetime.now(UTC))
        yield seed
        seed.commit()


def first_people(settings: Settings) -> None:
    """A nurse and two patients, one of them in alarm."""
    with seeding(settings) as seed:
        seed.user("kim", PASSWORD, "admin", "Kim Berg")
        for patient_id, name in (("p1", "Ann Lee"), ("p2", "Bo Rossi")):
            seed.patient(patient_id, name)
            seed.readings(patient_id, lambda before: 72 + before / 60)
        seed.episode("p1", "heart_rate_high", priority="medium")


def sign_in(page: Page, url: str, path: str = "/board/") -> None:
    """By keyboard, as the form is meant to be used."""
    page.goto(url + path)
    expect(page.locator("#user")).to_be_focused()
    page.keyboard.type("kim")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**" + path)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def reach_by_tab(page: Page, control: Locator) -> None:
    """As someone without a mouse does, who looks at where the focus is after each step."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if control.evaluate("node => node === document.activeElement"):
            break
    expect(control).to_be_focused()


@pytest.mark.kafka
def test_an_alert_appears_by_itself_and_is_acknowledged_by_keyboard(
    settings: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    first_people(settings)
    part = build(settings)
    with (
        running(store_service.build(settings), settings),
        serving([part], settings) as url,
    ):
        eventually(lambda: part.context.publisher.trouble is None)
        sign_in(page, url)
        rows = page.locator("#rows > li")
        expect(rows.first).to_contain_text("Ann Lee")
        expect(rows.first).to_contain_text("Heart rate high")
        page.evaluate("window.notReloaded = true")

        with seeding(settings) as seed:
            seed.episode("p2", "heart_rate_low", priority="high")
        expect(rows.first).to_contain_text("Bo Rossi")
        expect(page.locator("#announce")).to_contain_text("High priority: Heart rate low Bo Rossi")
        expect(page).to_have_title(re.compile(r"^\(1 high\)"))

        button = rows.first.get_by_role("button", name="Acknowledge: Heart rate low, Bo Rossi")
        reach_by_tab(page, button)
        page.keyboard.press("Enter")
        acked = page.locator('li[data-key="p2"] .acked')
        expect(acked).to_contain_text("Acknowledged by Kim Berg")
        expect(acked).to_be_focused()
        expect(page).not_to_have_title(re.compile(r"^\(1 high\)"))
        expect(page.locator('li[data-key="p1"] .ack')).to_be_visible()
        assert page.evaluate("window.notReloaded")

        page.get_by_role("link", name="Bo Rossi").click()
        reported = page.get_by_label("Comment on Heart rate low")
        reported.fill("Pulse by hand: 41.")
        reported.press("Enter")
        expect(page.locator(".actions")).to_contain_text("Pulse by hand: 41.")
        page.get_by_role("button", name="Useful: Heart rate low").click()
        expect(page.locator(".actions")).to_contain_text("marked it useful")
    with connect(settings) as connection:
        verbs = connection.execute("SELECT verb, actor FROM actions ORDER BY time").fetchall()
    assert [(a["verb"], a["actor"]) for a in verbs] == [
        ("acknowledge", "kim"), ("comment", "kim"), ("useful", "kim"),
    ]  # fmt: skip


def test_without_a_broker_an_action_says_that_it_was_not_recorded(
    unreachable: Settings, chromium_page: Page
) -> None:
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(chromium_page, url)
        chromium_page.locator('li[data-key="p1"] .ack').click()
        reported = chromium_page.locator('li[data-key="p1"] .feedback')
        expect(reported).to_contain_text("nothing was recorded")
        expect(chromium_page.locator('li[data-key="p1"] .ack')).to_have_text("Acknowledge")


def test_a_patients_page_has_chart_basis_and_window(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url, "/board/patient/p1")
        expect(page.locator(".chart .main-svg").first).to_be_visible()
        expect(page.locator("#chart-words")).to_contain_text("heart rate 72 to 78 bpm")
        expect(page.locator(".chart")).to_contain_text("Heart rate high")
        facts = page.locator(".facts")
        expect(facts).to_be_hidden()
        page.get_by_text("Basis: what this rests on").click()
        expect(facts).to_contain_text("Limit in force")
        page.get_by_text("7 d", exact=True).click()
        expect(page.locator(".chart .xtick").first).to_be_visible()
        page.emulate_media(color_scheme="dark")
        expect(page.locator(".chart .main-svg").first).to_be_visible()
        expect(facts).to_be_visible()
        with seeding(unreachable) as seed:
            seed.episode("p1", "blood_pressure_high")
        expect(page.locator("#rows > li")).to_have_count(2)
        expect(facts.last).to_be_visible()


@pytest.mark.usefixtures("quick_pulse")
def test_the_board_is_never_silently_stale(unreachable: Settings, chromium_page: Page) -> None:
    page = chromium_page
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator("#trouble")).to_contain_text("Live updates have stopped")
    expect(page.locator("#trouble")).to_contain_text("Watch your patients directly")
    expect(page.locator("#live")).to_have_text(re.compile("Not live"))
    expect(page.locator("body")).to_have_class(re.compile("stale"))
    with seeding(unreachable) as seed:
        seed.episode("p2", "heart_rate_low", priority="high")
    with serving([build(unreachable)], unreachable):
        expect(page.locator("#rows > li").first).to_contain_text("Bo Rossi")
        expect(page.locator("#trouble")).to_be_hidden()


def test_the_board_says_that_the_database_is_away(
    unreachable: Settings, chromium_page: Page, postgres_url: str
) -> None:
    page = chromium_page
    first_people(unreachable)
    name = unreachable.database().rsplit("/", 1)[1]
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            banner = page.locator("#trouble")
            expect(banner).to_contain_text("cannot reach its database")
            expect(page.locator("#rows > li").first).to_contain_text("Ann Lee")
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        expect(banner).to_be_hidden()


def test_a_ward_is_chosen_and_stays_live_through_many_leases(
    unreachable: Settings, chromium_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LEASE_SECONDS", 0.7)
    page = chromium_page
    first_people(unreachable)
    with seeding(unreachable) as seed:
        seed.patient("q1", "Quinn Kaya", "Ward Q")
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        expect(page.locator("#rows > li")).to_have_count(3)
        page.get_by_label("Ward", exact=True).select_option("Ward Q")
        expect(page.locator("#rows > li")).to_have_count(1)
        expect(page.locator(".elsewhere")).to_contain_text("1 medium")
        expect(page).to_have_url(re.compile("ward=Ward"))
        page.wait_for_timeout(2500)
        with seeding(unreachable) as seed:
            seed.episode("q1", "heart_rate_low", priority="high")
        expect(page.locator("#rows > li.high")).to_contain_text("Quinn Kaya")
        page.get_by_label("Ward", exact=True).select_option("")
        expect(page.locator("#rows > li")).to_have_count(3)
        expect(page.locator("#trouble")).to_be_hidden()


def test_a_browser_without_shared_workers_polls(unreachable: Settings, chromium_page: Page) -> None:
    page = chromium_page
    page.add_init_script("delete window.SharedWorker")
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        with seeding(unreachable) as seed:
            seed.episode("p2", "heart_rate_low", priority="high")
        expect(page.locator("#rows > li").first).to_contain_text("Bo Rossi")
        expect(page.locator("#trouble")).to_be_hidden()
        page.get_by_role("link", name="Bo Rossi").click()
        expect(page.locator(".chart .main-svg").first).to_be_visible()


@pytest.mark.usefixtures("quick_pulse")
def test_signing_out_in_one_tab_ends_the_other(unreachable: Settings, chromium_page: Page) -> None:
    page = chromium_page
    first_people(unreachable)
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        other = page.context.new_page()
        other.goto(url + "/board/patient/p1")
        expect(other.locator("#live")).to_have_attribute("data-state", "live")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        other.get_by_role("button", name="Sign out").click()
        other.wait_for_url("**/login")
        page.wait_for_url("**/login?next=**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_fault_that_axe_can_find(
    unreachable: Settings, chromium_page: Page, scheme: str
) -> None:
    page, axe = chromium_page, Axe()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    part, now = build(unreachable), datetime.now(UTC)
    reported = (
        status("store", time=now, trouble={"database": "unavailable"}),
        status("detectors", time=now, gauges={"lag_seconds": 400.0}),
    )
    with serving([part], unreachable) as url, received_statuses(part.context.monitor, *reported):
        with seeding(unreachable) as seed:
            seed.user("kim", PASSWORD, "admin", "Kim Berg")
            busy_ward(seed, 30, minutes=60)
        page.goto(url + "/login")
        found = {"login": axe.run(page)}
        sign_in(page, url)
        found["board"] = axe.run(page)
        page.goto(url + "/board/patient/p002")
        expect(page.locator(".chart .main-svg").first).to_be_visible()
        page.get_by_text("Basis: what this rests on").first.click()
        found["patient"] = axe.run(page)
        page.goto(url + "/board/admin")
        found["admin"] = axe.run(page)
        page.goto(url + "/board/system")
        found["system"] = axe.run(page)
    faults = {
        name: result.generate_report() for name, result in found.items() if result.violations_count
    }
    assert not faults, "\n".join(faults.values())


def test_two_hundred_patients_on_a_phone_fit_and_only_what_changes_is_drawn(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    page.set_viewport_size({"width": 390, "height": 844})
    with serving([build(unreachable)], unreachable) as url:
        with seeding(unreachable) as seed:
            seed.user("kim", PASSWORD)
            busy_ward(seed, 200, minutes=60)
        sign_in(page, url)
        expect(page.locator("#rows > li")).to_have_count(200)
        fits(page, 390)
        page.evaluate(
            "const rows = document.getElementById('rows'); window.moved = 0;"
            "for (const row of rows.children) row.firstElementChild.kept = true;"
            "new MutationObserver((all) => {"
            "  for (const each of all) window.moved += each.addedNodes.length;"
            "}).observe(rows, { childList: true })"
        )
        with seeding(unreachable) as seed:
            for number in range(1, 60):
                seed.connection.execute(
                    "UPDATE latest SET value = value + 1, received_at = now()"
                    " WHERE patient_id = %s AND signal = 'heart_rate'",
                    (f"p{number:03d}",),
                )
            seed.episode("p004", "heart_rate_low", priority="high", onset=seed.now - seed.now)
        expect(page.locator('li[data-key="p004"]')).to_have_class(re.compile("high"))
        kept = "[...document.querySelectorAll('#rows > li > :first-child')].filter(e => e.kept)"
        assert page.evaluate(f"{kept}.length") >= 200 - 59, "only what changed was drawn again"
        assert page.evaluate("window.moved") == 1, "only who rose was moved"


def test_no_text_of_a_row_lies_over_another_at_any_width(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    first_people(unreachable)
    with seeding(unreachable) as seed:
        seed.patient("p3", "Carla Silva Hernandez de la Torre")
        seed.readings("p3", lambda _: 138)
        seed.episode("p3", "blood_pressure_high", priority="high")
        for signal, value in WIDEST.items():
            seed.connection.execute(
                "INSERT INTO latest (patient_id, signal, value, time, received_at)"
                " SELECT patient_id, %s, %s, now() - interval '27 minutes', now() FROM patients"
                " ON CONFLICT (patient_id, signal) DO UPDATE SET value = excluded.value",
                (signal, value),
            )
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        expect(page.locator("#rows > li").first).to_contain_text("214/131")
        for width in (320, 390, 640, 861, 1024, *range(1280, 1448, 8), 1600, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            fits(page, width)
            assert page.evaluate(OVERLAPS) == [], width


def test_only_what_calls_flashes_and_not_for_those_who_ask_for_less_motion(
    unreachable: Settings, chromium_page: Page
) -> None:
    page = chromium_page
    first_people(unreachable)
    with seeding(unreachable) as seed:
        seed.episode("p2", "heart_rate_low", priority="high")
    with serving([build(unreachable)], unreachable) as url:
        sign_in(page, url)
        high = page.locator('li[data-key="p2"] .badge .shape')
        expect(high).to_have_css("animation-name", "call")
        expect(high).to_have_css("animation-duration", "0.5s")  # 2 Hz: within 1.4 to 2.8
        page.emulate_media(reduced_motion="reduce")
        expect(high).to_have_css("animation-name", "none")
