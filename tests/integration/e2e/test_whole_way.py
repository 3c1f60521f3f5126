"""A reading over HTTP becomes an alert on the topic, in the database, on the board and a phone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from cli.services import build
from local.parts import HOST, free_port
from store.database.connections import connect
from store.people import patients, users
from tests.support.push_service import PushService
from tests.support.running import eventually, running, serving
from vigil.contracts import wire
from vigil.domain.alert import Alert
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
from vigil.web import web_push

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.kafka, pytest.mark.browser]

PATIENT, NAME, USER = "e2e-1", "Avery Example", "nurse"
PASSWORD = secrets.token_urlsafe(16)
RESTING, RACING = 64, 136
"""Beats a minute, at least: no living heart keeps to one number."""
RACES = rf"\b({RACING}|{RACING + 1})\b"


class System(NamedTuple):
    """A whole Vigil, running."""

    url: str
    key: str
    settings: Settings
    push: PushService


@pytest.fixture
def system(settings: Settings) -> Iterator[System]:
    """Every worker in a thread of its own, both web parts on one port, and a push service."""
    from dashboard.auth.passwords import hash_password

    port = free_port()
    private = web_push.new_private_key()
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    whole = Settings(
        **{
            **given,
            "http_port": port,
            "public_url": f"http://{HOST}:{port}",
            "vapid_private_key": private,
            "push_hosts": (HOST,),
        }
    )
    with connect(whole) as connection:
        patients.enrol(connection, patients.Patient(PATIENT, "ward-1", NAME))
        key = patients.add_device(connection, patients.Device("watch-1", patient_id=PATIENT))
        users.add(connection, USER, hash_password(PASSWORD), "care_team", "Sam Placeholder")
    with ExitStack() as stack:
        push = stack.enter_context(PushService())
        for name in ("store", "detectors", "explain", "notify"):
            stack.enter_context(running(build(name, whole), whole))
        parts = [build("ingest", whole), build("dashboard", whole)]
        url = stack.enter_context(serving(parts, whole))
        eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        yield System(url, key, whole, push)


def _sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/board/")
    page.get_by_label("User").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/board/")


def _subscribe_phone(system: System, page: Page) -> httpx.Client:
    """Take the one-time link from the patient's page and enrol a phone with it."""
    page.goto(f"{system.url}/board/patient/{PATIENT}")
    page.get_by_role("button", name="Link patient").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    assert link.startswith(f"{system.url}/phone/enrol/")
    code = link.rpartition("/")[2]
    phone = httpx.Client(base_url=system.url, headers={"Origin": system.url}, follow_redirects=True)
    assert phone.post(f"/phone/enrol/{code}").status_code == 200
    assert system.settings.vapid_private_key
    public = web_push.public_key(system.settings.vapid_private_key.get_secret_value())
    answer = phone.post("/phone/subscriptions", json=system.push.subscription(public))
    assert answer.is_success, answer.text
    return phone


def _send(system: System) -> None:
    """Half an hour at rest, then a quarter of an hour of a racing heart, ending now."""
    now = utc_now().replace(second=0, microsecond=0)
    resting = [RESTING + minute % 3 for minute in range(30)]
    racing = [RACING + minute % 2 for minute in range(15)]
    rates = [*resting, *racing]
    readings = [
        {
            "time": (now - timedelta(minutes=len(rates) - 1 - minute)).isoformat(),
            "values": {"heart_rate": rate},
            "context": {"activity": "rest", "steps_per_min": 0},
        }
        for minute, rate in enumerate(rates)
    ]
    headers = {"Authorization": f"Bearer {system.key}"}
    for reading in readings:  # one by one, as a watch would have
        answer = httpx.post(f"{system.url}/v1/readings", json=reading, headers=headers)
        assert answer.status_code == 200, answer.text


def _alerts_on_topic(settings: Settings) -> list[Alert]:
    consumer = open_consumer(settings, None)
    consumer.subscribe(["vitals.alerts"])
    found: list[Alert] = []

    def look() -> bool:
        for place, records in consumer.poll(timeout_ms=200).items():
            for record in records:
                message = wire.decode(place.topic, record.value, record.headers)
                assert isinstance(message, Alert)
                found.append(message)
        return any(alert.kind == "heart_rate_high" for alert in found)

    try:
        eventually(look)
    finally:
        consumer.close()
    return found


def test_from_a_reading_to_a_person(system: System, chromium_page: Page) -> None:
    page = chromium_page
    _sign_in(page, system.url)
    phone = _subscribe_phone(system, page)
    page.goto(f"{system.url}/board/")
    page.get_by_text(NAME).first.wait_for()

    _send(system)

    alert = next(a for a in _alerts_on_topic(system.settings) if a.kind == "heart_rate_high")
    staff = alert.texts["care_team"]["en"]
    patient = alert.texts["patient"]["en"]
    assert re.search(RACES, staff.body)

    with psycopg.connect(system.settings.database(), row_factory=dict_row) as connection:
        stored = eventually(
            lambda: connection.execute(
                "SELECT * FROM alerts WHERE alert_id = %s", (alert.alert_id,)
            ).fetchone()
        )
        assert stored is not None
        assert stored["texts"]["patient"]["en"]["body"] == patient.body
        count = "SELECT count(*) AS n FROM readings"
        eventually(lambda: connection.execute(count).fetchone() == {"n": 45})

    page.get_by_text(staff.title).first.wait_for()  # without a reload

    (pushed,) = system.push.wait(1)
    assert pushed.payload is not None
    assert pushed.payload["alert_id"] == alert.alert_id
    assert not re.search(RACES, str(pushed.payload)), "nothing about health on the lock screen"
    shown = phone.get("/phone").text
    assert patient.title in shown
    phone.close()
