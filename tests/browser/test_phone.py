"""The patient's page in Chromium: from a one-time link to a notification, an answer, a receipt.

Push messages travel the whole way to a push service of the tests' own; what it decrypts is given
to the page's service worker through the DevTools, because a browser takes push from its maker's
servers alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from pydantic import SecretStr

from dashboard.phone.words import EN
from local.parts import free_port
from notify.service import build as build_notify
from store.database.connections import Connection, connect
from store.service import build as build_store
from tests.support.notify_examples import action, alert
from tests.support.pages import fits, until
from tests.support.phone_house import PhonePart, link_for, patient, stored
from tests.support.push_service import PushService
from tests.support.running import eventually, running, serving
from vigil.contracts import wire
from vigil.kafka.clients import Publisher
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
from vigil.web.web_push import new_private_key

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

BROWSER_PUSH = """
(() => {
  // What a browser does with its maker's push service, done with ours.
  const given = %s;
  const key = "subscribed";
  const now = () => (localStorage.getItem(key) ? {
    options: {}, toJSON: () => given,
    unsubscribe: async () => { localStorage.removeItem(key); return true; },
  } : null);
  PushManager.prototype.subscribe = async () => { localStorage.setItem(key, "1"); return now(); };
  PushManager.prototype.getSubscription = async () => now();
})()
"""


class Phone:
    """A patient's browser at the patient's page."""

    def __init__(self, page: Page, base: str, settings: Settings, connection: Connection):
        self.page = page
        self.base = base
        self.settings = settings
        self.connection = connection
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def enrol(self) -> str:
        link = f"{self.base}/phone/enrol/{link_for(self.settings)}"
        self.page.goto(link)
        self.page.get_by_role("button", name=EN.enrol).click()
        self.page.wait_for_url(f"{self.base}/phone")
        return link

    def script(self, text: str) -> Any:
        return self.page.evaluate(text)


@contextmanager
def at_home(
    page: Page, database_url: str, *, broker: bool = False, **changes: Any
) -> Iterator[Phone]:
    """The page served on its own address, with a database and a patient."""
    port = free_port()
    values = {
        "demo": True,
        "database_url": database_url,
        "http_port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "push_hosts": "127.0.0.1",
        "vapid_private_key": new_private_key(),
        **changes,
    }
    settings = Settings(**values)
    with (
        connect(settings, autocommit=True) as connection,
        serving([PhonePart(settings, broker=broker)], settings) as base,
    ):
        patient(connection)
        yield Phone(page, base, settings, connection)


def test_a_link_works_once_and_the_message_is_there_to_read(
    chromium_page: Page, database_url: str
) -> None:
    with at_home(chromium_page, database_url) as phone:
        link = phone.enrol()
        page = chromium_page
        expect(page.get_by_role("heading", name=EN.no_messages)).to_be_visible()
        stored(phone.connection, alert())
        page.reload()
        expect(page.get_by_role("heading", name="Your heart rate is high.")).to_be_visible()
        expect(page.get_by_text("Sit and rest.")).to_be_visible()
        # the reader's own time zone, written by the script
        expect(page.locator(".newest time")).not_to_contain_text("UTC")
        page.goto(link)
        expect(page.get_by_role("heading", name=EN.used_title)).to_be_visible()
        page.get_by_role("link", name=EN.to_messages).click()
        expect(page.get_by_role("heading", name=EN.page_title)).to_be_visible()
        assert all(url.startswith(phone.base) for url in phone.asked), phone.asked


def test_reading_and_answering_need_no_script(chromium_page: Page, database_url: str) -> None:
    browser = chromium_page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False).new_page()
    with at_home(plain, database_url) as phone:
        phone.enrol()
        stored(phone.connection, alert())
        plain.reload()
        expect(plain.get_by_text("Sit and rest.")).to_be_visible()
        plain.get_by_role("button", name=EN.reply_help).click()
        # there is no broker here: the page must not say that it was sent
        expect(plain.get_by_role("heading", name=EN.not_sent_title)).to_be_visible()
        expect(plain.get_by_text(EN.emergency)).to_be_visible()
        expect(plain.get_by_text(EN.sent)).to_have_count(0)


@pytest.mark.kafka
def test_from_the_alert_to_the_notification_the_answer_and_the_receipt(
    chromium_page: Page, settings: Settings
) -> None:
    page = chromium_page
    secret = new_private_key()
    database_url = settings.database_url.get_secret_value()
    with (
        PushService() as push,
        closing(Publisher(settings, "test")) as publisher,
        at_home(
            page,
            database_url,
            broker=True,
            kafka_bootstrap=settings.kafka_bootstrap,
            vapid_private_key=secret,
        ) as phone,
    ):
        worker_settings = settings.model_copy(
            update={"vapid_private_key": SecretStr(secret), "push_hosts": ("127.0.0.1",)}
        )
        page.context.grant_permissions(["notifications"], origin=phone.base)
        page.add_init_script(BROWSER_PUSH % json.dumps(push.subscription()))
        phone.enrol()
        page.get_by_role("button", name=EN.notifications_turn_on).click()
        page.get_by_text(EN.notifications_on).wait_for()
        with (
            running(build_notify(worker_settings), worker_settings),
            running(build_store(worker_settings), worker_settings),
        ):
            one = alert(time=utc_now())
            publisher.publish([wire.to_message(one, "test")])
            [message] = push.wait(1)
            deliver_until_shown(phone, message.payload)
            [notification] = notifications(phone)
            assert notification["tag"] == one.alert_id
            assert notification["title"] == "Vigil"
            assert notification["body"] == "You have a new message from your care team."
            eventually(lambda: shown_at(phone))
            # the worker told the open page, which loaded itself again
            page.get_by_role("heading", name="Your heart rate is high.").wait_for()

            deliver(phone, message.payload)  # a repeat takes the place of the first
            eventually(lambda: len(notifications(phone)) == 1)

            page.get_by_role("button", name=EN.reply_help).click()
            page.get_by_text(EN.sent).wait_for()
            expect(page.get_by_text(EN.not_seen)).to_be_visible()
            eventually(lambda: replies(phone) == ["need_help"])
            acknowledged = action("acknowledge", one, time=utc_now())
            publisher.publish([wire.to_message(acknowledged, "test")])
            eventually(lambda: len(replies(phone, "acknowledge")) == 1)
            look(phone)
            page.get_by_text(EN.seen).wait_for()

        page.get_by_role("button", name=EN.notifications_turn_off).click()
        page.get_by_text(EN.notifications_off).wait_for()
        live = "SELECT count(*) AS n FROM push_subscriptions WHERE ended_at IS NULL"
        assert phone.connection.execute(live).fetchone() == {"n": 0}
        assert all(url.startswith(phone.base) for url in phone.asked), phone.asked


def test_the_service_worker_renews_opens_and_survives_what_it_cannot_read(
    chromium_page: Page, database_url: str
) -> None:
    page = chromium_page
    with PushService() as push, at_home(page, database_url) as phone:
        page.context.grant_permissions(["notifications"], origin=phone.base)
        phone.enrol()
        ready = "navigator.serviceWorker.ready.then((r) => r.active.state)"
        eventually(lambda: phone.script(ready) == "activated")
        deliver_until_shown(phone, "not json")
        notification = notifications(phone)[0]
        assert notification["body"] == "You have a new message from your care team."

        worker = page.context.service_workers[0]
        worker.evaluate(
            """(fresh) => {
              const event = new ExtendableEvent("pushsubscriptionchange");
              Object.defineProperty(event, "newSubscription", { value: fresh });
              self.dispatchEvent(event);
            }""",
            push.subscription(),
        )
        live = "SELECT endpoint FROM push_subscriptions WHERE ended_at IS NULL"
        eventually(lambda: phone.connection.execute(live).fetchone())


def test_a_browser_that_blocks_notifications_is_shown_how_to_allow_them(
    chromium_page: Page, database_url: str
) -> None:
    with at_home(chromium_page, database_url) as phone:
        block_notifications(phone)
        phone.enrol()
        chromium_page.get_by_text(EN.notifications_blocked).wait_for()
        expect(
            chromium_page.get_by_role("button", name=EN.notifications_turn_on)
        ).not_to_be_visible()


def test_without_a_connection_the_page_says_so(chromium_page: Page, database_url: str) -> None:
    page = chromium_page
    with at_home(page, database_url) as phone:
        phone.enrol()
        page.evaluate("navigator.serviceWorker.ready")
        eventually(lambda: phone.script("navigator.serviceWorker.controller !== null"))
        stored(phone.connection, alert())
        page.reload()
    # the server has gone
    page.goto(f"{phone.base}/phone")
    expect(page.get_by_role("heading", name=EN.offline_title)).to_be_visible()
    expect(page.get_by_text(EN.emergency)).to_be_visible()
    expect(page.get_by_text("Your heart rate is high.")).to_have_count(0)
    kept = page.evaluate(
        "caches.open('vigil-phone-1').then((c) => c.keys()).then((k) => k.map((r) => r.url))"
    )
    assert sorted(url.removeprefix(phone.base) for url in kept) == [
        "/phone/offline",
        "/phone/static/icon.svg",
        "/phone/static/phone.css",
    ]


SMALL = """[...document.querySelectorAll("button, summary, a.button")]
  .filter((control) => control.checkVisibility())
  .filter((control) => control.getBoundingClientRect().height < 44)
  .map((control) => control.innerText)"""
"""Controls too small for a thumb, all at one moment: the page's script shows and hides some."""


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_and_can_be_hit_with_a_thumb(
    chromium_page: Page, database_url: str, width: int
) -> None:
    page = chromium_page
    page.set_viewport_size({"width": width, "height": 800})
    with at_home(page, database_url) as phone:
        phone.enrol()
        stored(phone.connection, alert(), alert("p1", "shock_index_high", phase="closed"))
        page.reload()
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        fits(page, width)
        assert phone.script(SMALL) == []
        names = "[...document.querySelectorAll('button')].every((b) => b.textContent.trim())"
        assert phone.script(names)
        headings = phone.script(
            "[...document.querySelectorAll('h1,h2,h3')].map((h) => Number(h.tagName[1]))"
        )
        assert headings[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(headings)), headings


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(
    chromium_page: Page, database_url: str, scheme: Literal["light", "dark"]
) -> None:
    page = chromium_page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    with at_home(page, database_url) as phone:

        def check() -> None:
            results = Axe().run(page, options={"runOnly": WCAG})
            assert results.violations_count == 0, results.generate_report()

        page.goto(f"{phone.base}/phone")
        check()
        page.goto(f"{phone.base}/phone/enrol/{link_for(phone.settings)}")
        check()
        phone.enrol()
        check()
        patient_action = action("need_help", time=utc_now())
        stored(phone.connection, alert(), alert("p1", "shock_index_high", phase="closed"))
        stored(phone.connection, patient_action)
        phone.connection.execute("UPDATE patients SET synthetic = true")
        page.reload()
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        check()
        page.get_by_role("button", name=EN.reply_help).click()
        expect(page.get_by_role("heading", name=EN.not_sent_title)).to_be_visible()
        check()


# The DevTools -----------------------------------------------------------------------------------


def deliver_until_shown(phone: Phone, payload: dict[str, Any] | str) -> None:
    """Give a push message again and again: on a busy machine Chromium drops one now and then."""

    def shown() -> bool:
        deliver(phone, payload)
        eventually(lambda: notifications(phone), 3)
        return True

    eventually(shown)


def deliver(phone: Phone, payload: dict[str, Any] | str) -> None:
    """Give the page's service worker a push message."""
    # waits on where the page loads itself again meanwhile, as it does for a message
    phone.page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
    devtools = phone.page.context.new_cdp_session(phone.page)
    found: list[str] = []

    def record_registrations(update: dict[str, Any]) -> None:
        found.extend(
            registration["registrationId"]
            for registration in update["registrations"]
            if registration["scopeURL"].startswith(phone.base)
        )

    devtools.on("ServiceWorker.workerRegistrationUpdated", record_registrations)
    devtools.send("ServiceWorker.enable")
    until(phone.page, lambda: found)
    devtools.send(
        "ServiceWorker.deliverPushMessage",
        {
            "origin": phone.base,
            "registrationId": found[0],
            "data": payload if isinstance(payload, str) else json.dumps(payload),
        },
    )
    devtools.detach()


def block_notifications(phone: Phone) -> None:
    """As a person does in the browser's settings. It lasts as long as the DevTools session."""
    phone.page.goto(f"{phone.base}/phone")
    browser = phone.page.context.browser
    assert browser is not None
    devtools = browser.new_browser_cdp_session()
    targets = devtools.send("Target.getTargets")["targetInfos"]
    [context] = {t["browserContextId"] for t in targets if t["url"].startswith(phone.base)}
    devtools.send(
        "Browser.setPermission",
        {
            "permission": {"name": "notifications"},
            "setting": "denied",
            "origin": phone.base,
            "browserContextId": context,
        },
    )


def notifications(phone: Phone) -> list[dict[str, str]]:
    """What the phone shows. The worker is asked: the page may be loading itself again."""
    workers = phone.page.context.service_workers
    assert len(workers) == 1
    found: list[dict[str, str]] = workers[0].evaluate(
        """() => self.registration.getNotifications()
           .then((all) => all.map((n) => ({ title: n.title, body: n.body, tag: n.tag })))"""
    )
    return found


def look(phone: Phone) -> None:
    """Makes the open page ask for news now, and not at its next turn."""
    phone.script("document.dispatchEvent(new Event('visibilitychange'))")


def shown_at(phone: Phone) -> Any:
    row = phone.connection.execute(
        "SELECT shown_at FROM deliveries WHERE channel = 'web_push'"
    ).fetchone()
    return row and row["shown_at"]


def replies(phone: Phone, verb: str = "need_help") -> list[str]:
    rows = phone.connection.execute("SELECT verb FROM actions WHERE verb = %s", (verb,))
    return [row["verb"] for row in rows]
