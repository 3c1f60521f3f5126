"""The patient's pages over HTTP, on a real database, as a browser without a script sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dashboard.phone.locales import LOCALES
from dashboard.phone.words import EN, words_for
from store.database.connections import Connection, connect
from store.notifications import deliveries
from tests.support.notify_examples import NOW, action, alert, planned
from tests.support.phone_house import PhonePart, client, link_for, patient, stored
from tests.support.push_service import PushService
from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Provenance, Text
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
from vigil.web.web_push import new_private_key


class House:
    """A web process without a broker, its database, and one phone's browser."""

    def __init__(self, settings: Settings, connection: Connection, browser: TestClient):
        self.settings = settings
        self.connection = connection
        self.browser = browser

    def enrol(self, patient_id: str = "p1") -> None:
        code = link_for(self.settings, patient_id)
        answer = self.browser.post(f"/phone/enrol/{code}")
        assert answer.status_code == 200, answer.text

    def read(self) -> str:
        answer = self.browser.get("/phone")
        assert answer.status_code == 200
        return unescape(answer.text)


def settings_for(database_url: str, **changes: Any) -> Settings:
    values = {"push_hosts": "127.0.0.1", "vapid_private_key": new_private_key(), **changes}
    return Settings(demo=True, database_url=database_url, **values)


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    settings = settings_for(database_url)
    with (
        connect(settings, autocommit=True) as connection,
        client(PhonePart(settings)) as browser,
    ):
        patient(connection)
        yield House(settings, connection, browser)


# Enrolling --------------------------------------------------------------------------------------


def test_looking_at_a_link_does_not_use_it_and_using_it_does(house: House) -> None:
    address = f"/phone/enrol/{link_for(house.settings)}"
    for _ in range(3):  # a messenger's preview, a virus scanner, the patient
        assert EN.enrol_title in house.browser.get(address).text
    first = house.browser.post(address, follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/phone")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert EN.no_messages in house.read()
    house.browser.cookies.clear()
    for again in (house.browser.get(address), house.browser.post(address)):
        assert again.status_code == 410
        assert EN.used_title in again.text
    rows = house.connection.execute("SELECT * FROM phones").fetchall()
    assert len(rows) == 1


@pytest.mark.parametrize("locale", LOCALES)
def test_before_we_know_whose_phone_it_is_its_browser_chooses_the_language(
    house: House, locale: str
) -> None:
    house.browser.headers["accept-language"] = f"fr, {locale}-XX;q=0.9, en;q=0.1"
    spoken = words_for(locale)
    way = "rtl" if locale == "ar" else "ltr"
    for path, reported in (
        (f"/phone/enrol/{link_for(house.settings)}", spoken.enrol_title),
        (f"/phone/enrol/{'x' * 43}", spoken.unknown_title),
        ("/phone", spoken.not_connected_title),
        ("/phone/offline", spoken.offline_title),
    ):
        html = unescape(house.browser.get(path).text)
        assert reported in html
        assert f'<html lang="{locale}" dir="{way}">' in html


@pytest.mark.parametrize("locale", LOCALES)
def test_the_patients_own_language_comes_before_the_browsers(house: House, locale: str) -> None:
    patient(house.connection, "p2", locale=locale)
    house.browser.headers["accept-language"] = "en" if locale != "en" else "es"
    house.enrol("p2")
    html = house.read()
    assert f'<html lang="{locale}"' in html
    for reported in (
        words_for(locale).no_messages,
        words_for(locale).emergency,
        words_for(locale).limits,
    ):
        assert reported in html


def test_only_digests_are_stored(house: House) -> None:
    code = link_for(house.settings)
    house.browser.post(f"/phone/enrol/{code}")
    token = house.browser.cookies["vigil_phone"]
    kept = str(
        [
            *house.connection.execute("SELECT * FROM enrolments").fetchall(),
            *house.connection.execute("SELECT * FROM phones").fetchall(),
        ]
    )
    assert len(code) == len(token) == 43
    assert code not in kept
    assert token not in kept


def test_a_link_dies_of_age(house: House) -> None:
    code = link_for(house.settings, hours=-1)
    for answer in (
        house.browser.get(f"/phone/enrol/{code}"),
        house.browser.post(f"/phone/enrol/{code}"),
    ):
        assert answer.status_code == 410
        assert EN.expired_title in answer.text


@pytest.mark.parametrize("code", ["x" * 43, "short", "%2e%2e"])
def test_an_unknown_link_says_so(house: House, code: str) -> None:
    answer = house.browser.post(f"/phone/enrol/{code}")
    assert answer.status_code == 404
    assert EN.unknown_title in answer.text


def test_a_patient_who_is_discharged_has_no_link_and_no_page(house: House) -> None:
    house.enrol()
    code = link_for(house.settings)
    house.connection.execute("UPDATE patients SET active = false")
    assert house.browser.get("/phone").status_code == 403
    assert house.browser.post(f"/phone/enrol/{code}").status_code == 404


def test_a_link_can_be_pasted_whole_or_in_part(house: House) -> None:
    code = link_for(house.settings)
    assert EN.paste_label in house.browser.get("/phone").text
    for link in (f"https://vigil.example/phone/enrol/{code}", f" {code} "):
        asked = house.browser.get("/phone/enrol", params={"link": link}, follow_redirects=False)
        assert asked.headers["location"] == f"/phone/enrol/{code}"
    for nonsense in ("https://evil.example/", "javascript:alert(1)", ""):
        assert house.browser.get("/phone/enrol", params={"link": nonsense}).status_code == 404


def test_enrolling_for_another_patient_ends_what_the_browser_was_before(house: House) -> None:
    patient(house.connection, "p2")
    house.enrol("p1")
    with PushService() as push:
        house.browser.post("/phone/subscriptions", json=push.subscription())
    stored(house.connection, alert("p1"))
    house.enrol("p2")
    assert EN.no_messages in house.read()
    ended = house.connection.execute("SELECT ended_because FROM push_subscriptions").fetchone()
    assert ended == {"ended_because": "enrolled again"}


def test_leaving_ends_the_phone(house: House) -> None:
    house.enrol()
    token = house.browser.cookies["vigil_phone"]
    assert EN.left_title in house.browser.post("/phone/leave").text
    assert "vigil_phone" not in house.browser.cookies
    house.browser.cookies.set("vigil_phone", token)
    assert house.browser.get("/phone").status_code == 403


# Reading ----------------------------------------------------------------------------------------


def test_a_stranger_sees_nothing(house: House) -> None:
    stored(house.connection, alert())
    for cookie in ("", "x" * 43):
        house.browser.cookies.set("vigil_phone", cookie)
        answer = house.browser.get("/phone")
        assert answer.status_code == 403
        assert EN.not_connected_title in answer.text
        assert house.browser.get("/phone/version").status_code == 403


def test_the_newest_words_of_the_patients_text_and_never_the_teams(house: House) -> None:
    house.enrol()
    better = {**alert().texts, "patient": {"en": Text("Better title", "Better body", "Sit.")}}
    stored(house.connection, alert(), alert(revision=1, texts=better))
    page = house.read()
    assert "Better body" in page
    assert "It is 118." not in page
    assert "SECRET" not in page
    assert "Heart rate high: 118" not in page


def test_messages_are_escaped(house: House) -> None:
    house.enrol()
    bad = Text("<script>alert(1)</script>", '"><img src=x>', "{{ 7 * 7 }}")
    stored(house.connection, alert(texts={"care_team": {}, "patient": {"en": bad}}))
    raw = house.browser.get("/phone").text
    assert "<script>alert" not in raw
    assert "<img src=x>" not in raw
    assert "{{ 7 * 7 }}" in raw


def test_what_goes_on_comes_before_what_is_over(house: House) -> None:
    house.enrol()
    kinds = ("heart_rate_high", "shock_index_high")
    words = {kind: Text(f"About {kind}", "b", "a") for kind in kinds}
    over = alert(
        "p1", "heart_rate_high", phase="closed", sequence=1, time=NOW + timedelta(hours=1),
        texts={"care_team": {}, "patient": {"en": words["heart_rate_high"]}},
    )  # fmt: skip
    on = alert(
        "p1",
        "shock_index_high",
        texts={"care_team": {}, "patient": {"en": words["shock_index_high"]}},
    )
    stored(house.connection, alert(), over, on)
    page = house.read()
    assert page.index("About shock_index_high") < page.index("About heart_rate_high")
    assert EN.ongoing in page
    assert EN.over in page


def test_what_nobody_saw_the_end_of_is_not_called_over(house: House) -> None:
    house.enrol()
    entry = "en.patient.unobserved#0a1b2c3d"
    lost = alert(
        "p1", phase="closed", sequence=1, time=NOW + timedelta(hours=1),
        texts={"care_team": {}, "patient": {"en": Text("Was high", "No more came.", "a")}},
        provenance={"patient": Provenance("template", entry)},
    )  # fmt: skip
    stored(house.connection, alert(), lost)
    page = house.read()
    assert EN.not_known in page
    assert f">{EN.over}<" not in page


@pytest.mark.parametrize(
    "silent",
    [{"retrospective": True}, {"priority": "low"}, {"kind": "no_data", "category": "technical"}],
)
def test_what_a_phone_is_not_notified_of_is_not_shown(house: House, silent: dict[str, Any]) -> None:
    house.enrol()
    stored(house.connection, alert(**silent))
    assert EN.no_messages in house.read()


def test_history_is_not_shown_but_what_goes_on_from_then_is(house: House) -> None:
    house.enrol()
    past = NOW - timedelta(days=117)
    stored(house.connection, alert(time=past), published=NOW)
    assert EN.no_messages in house.read()
    stored(house.connection, alert(phase="updated", sequence=1), published=NOW)
    assert EN.no_messages not in house.read()
    patient(house.connection, "p2")
    house.enrol("p2")
    assert EN.no_messages in house.read()
    stored(house.connection, alert("p2", time=past, time_uncertain=True), published=NOW)
    assert EN.no_messages not in house.read()


def test_another_patients_messages_are_not_shown(house: House) -> None:
    patient(house.connection, "p2")
    house.enrol()
    stored(house.connection, alert("p2"))
    assert EN.no_messages in house.read()


@pytest.mark.parametrize("of", ["the patient", "the alert"])
def test_simulated_data_say_so(house: House, of: str) -> None:
    house.enrol()
    assert EN.simulated not in house.read()
    if of == "the patient":
        house.connection.execute("UPDATE patients SET synthetic = true")
    stored(house.connection, alert(synthetic=of == "the alert"))
    assert EN.simulated in house.read()


def test_a_right_to_left_message_says_so(house: House) -> None:
    house.enrol()
    house.connection.execute("UPDATE patients SET locale = 'ar'")
    stored(
        house.connection,
        alert(texts={"care_team": {}, "patient": {"ar": Text("نبضك", "مرتفع", "اجلس")}}),
    )
    assert '<h2 id="newest" lang="ar" dir="rtl">نبضك</h2>' in house.read()


def test_pages_are_private_and_run_no_foreign_script(house: House) -> None:
    house.enrol()
    stored(house.connection, alert())
    for path in ("/phone", "/phone/offline", f"/phone/enrol/{link_for(house.settings)}"):
        answer = house.browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "<script>" not in answer.text
        assert not re.search(r"\son\w+=|style=", answer.text)
        assert not re.search(r"(?:src|href|action)=\"(?!/|#)", answer.text)


def test_the_emergency_number_comes_with_every_page_that_can_be_waited_on(house: House) -> None:
    house.enrol()
    assert EN.emergency in house.read()
    stored(house.connection, alert())
    assert EN.emergency in house.read()
    assert EN.emergency in house.browser.get("/phone/offline").text


def test_https_makes_the_cookie_safe(database_url: str) -> None:
    settings = settings_for(database_url, public_url="https://vigil.example")
    with connect(settings, autocommit=True) as connection, client(PhonePart(settings)) as browser:
        patient(connection)
        answer = browser.post(f"/phone/enrol/{link_for(settings)}", follow_redirects=False)
        assert answer.headers["set-cookie"].startswith("__Host-vigil_phone=")
        assert "; Secure" in answer.headers["set-cookie"]


def test_without_a_key_the_page_says_that_there_are_no_notifications(database_url: str) -> None:
    settings = settings_for(database_url, vapid_private_key=None)
    with connect(settings, autocommit=True) as connection, client(PhonePart(settings)) as browser:
        patient(connection)
        browser.post(f"/phone/enrol/{link_for(settings)}")
        assert EN.notifications_not_set_up in browser.get("/phone").text


def test_the_database_away_is_a_page_that_promises_nothing() -> None:
    settings = settings_for("postgresql://vigil:vigil@127.0.0.1:1/vigil")
    part = PhonePart(settings)
    part.context.pool.timeout = 0.3
    with client(part) as browser:
        browser.cookies.set("vigil_phone", "x" * 43)
        answer = browser.get("/phone")
        assert answer.status_code == 503
        assert EN.unavailable in answer.text
        assert EN.emergency in answer.text
        asked = browser.get("/phone/version", headers={"Accept": "application/json"})
        assert (asked.status_code, asked.json()) == (503, {"error": "unavailable"})


# Answering --------------------------------------------------------------------------------------


def form(page: str, verb: str) -> dict[str, str]:
    """The reply form of a page, filled in."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return {**fields, "verb": verb}


@pytest.mark.kafka
def test_a_reply_reaches_the_topic_once_and_the_page_says_only_what_is_true(
    settings: Settings,
) -> None:
    with (
        connect(settings, autocommit=True) as connection,
        client(PhonePart(settings, broker=True)) as browser,
    ):
        patient(connection)
        browser.post(f"/phone/enrol/{link_for(settings)}")
        one = alert()
        stored(connection, one)
        fields = form(browser.get("/phone").text, "need_help")
        answer = browser.post("/phone/replies", data=fields)
        browser.post("/phone/replies", data=fields)  # pressed twice
        assert answer.url.path == "/phone"
        page = unescape(answer.text)
        assert EN.sent in page
        assert EN.not_seen in page
        assert EN.help_sent in page
        actions = topic(settings)
        assert len({a.action_id for a in actions}) == 1
        first = actions[0]
        assert (first.verb, first.actor, first.patient_id, first.episode_id) == (
            "need_help", "patient", "p1", one.episode_id,
        )  # fmt: skip

        before = browser.get("/phone/version").json()
        stored(connection, first)
        assert browser.get("/phone/version").json() != before
        stored(connection, action("acknowledge", one, time=utc_now()))
        page = unescape(browser.get("/phone").text)
        assert EN.seen in page
        assert EN.not_seen not in page


def topic(settings: Settings) -> list[Action]:
    """Every action on the topic."""
    consumer = open_consumer(settings, None)
    consumer.subscribe(["vitals.actions"])
    found: list[Action] = []
    for _ in range(100):
        for records in consumer.poll(timeout_ms=100).values():
            for record in records:
                message = wire.decode(record.topic, record.value, record.headers)
                assert isinstance(message, Action)
                found.append(message)
        if len(found) >= 2:
            break
    consumer.close()
    return found


def test_a_reply_that_could_not_be_sent_says_so(house: House) -> None:
    house.enrol()
    stored(house.connection, alert())
    fields = form(house.read(), "need_help")
    answer = house.browser.post("/phone/replies", data=fields)
    page = unescape(answer.text)
    assert answer.status_code == 503
    assert EN.not_sent_title in page
    assert EN.emergency in page
    assert EN.sent not in page
    assert form(answer.text, "need_help") == fields  # trying again is the same reply


def test_no_other_reply_is_taken(house: House) -> None:
    house.enrol()
    stored(house.connection, alert())
    good = form(house.read(), "ok")
    for changes, status in (
        ({"verb": "acknowledge"}, 400),
        ({"verb": ""}, 400),
        ({"nonce": "x"}, 400),
        ({"episode_id": "another"}, 404),
        ({"padding": "x" * 9000}, 413),
    ):
        answer = house.browser.post("/phone/replies", data={**good, **changes})
        assert answer.status_code == status, changes


def test_a_form_of_a_page_from_before_an_upgrade_finds_its_message(house: House) -> None:
    house.enrol()
    stored(house.connection, alert())
    good = form(house.read(), "ok")
    older = {**good, "event_id": good["episode_id"]}
    del older["episode_id"]
    found = house.browser.post("/phone/replies", data=older)
    assert found.status_code == house.browser.post("/phone/replies", data=good).status_code
    older["event_id"] = "another"
    assert house.browser.post("/phone/replies", data=older).status_code == 404


def test_nobody_replies_to_another_patients_message(house: House) -> None:
    patient(house.connection, "p2")
    house.enrol()
    stored(house.connection, alert(), alert("p2"))
    fields = {**form(house.read(), "ok"), "episode_id": alert("p2").episode_id}
    assert house.browser.post("/phone/replies", data=fields).status_code == 404


def test_a_made_up_note_of_sending_shows_nothing(house: House) -> None:
    house.enrol()
    one = alert()
    stored(house.connection, one)
    note = f"{ids.derive('x')}~{one.episode_id}~need_help~{'0' * 64}"
    answer = house.browser.get("/phone", params={"sent": note})
    assert EN.sent not in answer.text


# Other sites, and the script --------------------------------------------------------------------


def test_another_site_can_do_nothing(house: House) -> None:
    house.enrol()
    for origin in ("https://evil.example", "null", ""):
        for method, path in (
            ("POST", "/phone/enrol/x"),
            ("POST", "/phone/leave"),
            ("POST", "/phone/replies"),
            ("POST", "/phone/subscriptions"),
            ("DELETE", "/phone/subscriptions"),
            ("POST", "/phone/receipts/x"),
        ):
            answer = house.browser.request(method, path, headers={"Origin": origin})
            assert answer.status_code == 403, (origin, path)
    phone = house.connection.execute("SELECT revoked_at FROM phones").fetchone()
    assert phone == {"revoked_at": None}


def test_a_phone_has_one_subscription_and_can_end_it(house: House) -> None:
    house.enrol()
    with PushService() as push:
        first, second = push.subscription(), push.subscription()
    for subscription in (first, first, second):
        assert house.browser.post("/phone/subscriptions", json=subscription).status_code == 201
    rows = house.connection.execute(
        "SELECT endpoint, ended_because FROM push_subscriptions ORDER BY ended_at"
    ).fetchall()
    assert rows == [
        {"endpoint": first["endpoint"], "ended_because": "replaced"},
        {"endpoint": second["endpoint"], "ended_because": None},
    ]
    assert house.browser.delete("/phone/subscriptions").status_code == 204
    live = "SELECT count(*) AS n FROM push_subscriptions WHERE ended_at IS NULL"
    assert house.connection.execute(live).fetchone() == {"n": 0}


def test_a_browsers_subscription_moves_with_it(house: House) -> None:
    patient(house.connection, "p2")
    with PushService() as push:
        subscription = push.subscription()
    house.enrol("p1")
    house.browser.post("/phone/subscriptions", json=subscription)
    house.browser.cookies.clear()  # the other patient's browser does not tell who it was
    house.enrol("p2")
    house.browser.post("/phone/subscriptions", json=subscription)
    rows = house.connection.execute(
        "SELECT patient_id FROM push_subscriptions JOIN phones USING (phone_id)"
        " WHERE ended_at IS NULL"
    ).fetchall()
    assert rows == [{"patient_id": "p2"}]


def test_a_subscription_that_cannot_be_used_is_refused(house: House) -> None:
    house.enrol()
    with PushService() as push:
        good = push.subscription()
    cases: list[tuple[dict[str, Any], int]] = [
        ({"endpoint": "https://evil.example/x"}, 422),
        ({"endpoint": "http://169.254.169.254/latest"}, 422),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, 422),
        ({"keys": None}, 400),
        ({"endpoint": 7}, 400),
        ({"endpoint": "https://x/" + "x" * 9000}, 413),
    ]
    for changes, status in cases:
        answer = house.browser.post(
            "/phone/subscriptions",
            json={**good, **changes},
            headers={"Accept": "application/json"},
        )
        assert answer.status_code == status, changes
    assert house.connection.execute("SELECT * FROM push_subscriptions").fetchall() == []


def test_a_receipt_counts_once_and_only_from_the_phone_it_was_sent_to(house: House) -> None:
    house.enrol()
    with PushService() as push:
        subscription = push.subscription()
    house.browser.post("/phone/subscriptions", json=subscription)
    recipient = ids.derive("subscription", subscription["endpoint"])
    mine = planned(channel="web_push", recipient=recipient)
    other = planned(channel="web_push", recipient="another phone")
    deliveries.plan(house.connection, [mine, other], NOW)
    assert house.browser.post(f"/phone/receipts/{mine.delivery_id}").status_code == 204
    first = shown(house.connection, mine.delivery_id)
    assert first is not None
    assert house.browser.post(f"/phone/receipts/{mine.delivery_id}").status_code == 204
    assert shown(house.connection, mine.delivery_id) == first
    assert house.browser.post(f"/phone/receipts/{other.delivery_id}").status_code == 404
    assert shown(house.connection, other.delivery_id) is None


def shown(connection: Connection, delivery_id: str) -> Any:
    row = connection.execute(
        "SELECT shown_at FROM deliveries WHERE delivery_id = %s", (delivery_id,)
    ).fetchone()
    assert row is not None
    return row["shown_at"]


def test_the_installed_apps_files(house: House) -> None:
    worker = house.browser.get("/phone/sw.js")
    assert worker.headers["service-worker-allowed"] == "/phone"
    assert worker.headers["content-type"].startswith("text/javascript")
    manifest = house.browser.get("/phone/manifest.webmanifest")
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    described = manifest.json()
    assert described["display"] == "standalone"
    for icon in described["icons"]:
        assert house.browser.get(icon["src"]).headers["content-type"] == icon["type"]
    for kept in re.findall(r'"(/phone/[^"]+\.(?:css|svg|png))"', worker.text):
        assert house.browser.get(kept).status_code == 200
