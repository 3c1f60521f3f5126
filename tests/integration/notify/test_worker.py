"""The worker on a real broker and database, from the topic to the phone and the on-call staff."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from local.parts import free_port
from notify.planning.planner import Planner
from notify.service import build
from store.database.connections import Connection, connect
from store.workers.positions import skip_message
from tests.integration.notify.test_channels import web_server
from tests.support.notify_examples import action, alert, enrol, log_of
from tests.support.push_service import PushService
from tests.support.running import eventually, running
from tests.support.streaming import ends
from vigil.contracts import wire
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.kafka.clients import Publisher, open_admin, read_log_id
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
from vigil.web.web_push import new_private_key

pytestmark = pytest.mark.kafka


class House:
    """Broker, database, a patient's phone, and an on-call service."""

    def __init__(self, settings: Settings, connection: Connection, push: PushService, pager: Any):
        self.settings = settings
        self.connection = connection
        self.push = push
        self.pager = pager
        self.publisher = Publisher(settings, "test")

    def publish(self, *messages: Alert | Action) -> None:
        self.publisher.publish([wire.to_message(message, "test") for message in messages])

    def states(self) -> dict[tuple[str, str], str]:
        return {(r["channel"], r["reason"]): r["state"] for r in log_of(self.connection)}

    def attempts(self, channel: str) -> int:
        return sum(r["attempts"] for r in log_of(self.connection) if r["channel"] == channel)

    def pages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.pager.bodies]


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    with PushService() as push, web_server() as pager:
        mine = settings.model_copy(
            update={
                "vapid_private_key": SecretStr(new_private_key()),
                "oncall_urls": (f"json://127.0.0.1:{pager.server_port}/",),
                "push_hosts": ("127.0.0.1",),
            }
        )
        with connect(mine, autocommit=True) as connection:
            enrol(connection, "p1", push.subscription())
            _begin_at_the_end(mine, connection)
            house = House(mine, connection, push, pager)
            yield house
            house.publisher.close()


def _begin_at_the_end(settings: Settings, connection: Connection) -> None:
    """The database is new and the topics are not: what other tests sent is no news here."""
    with open_admin(settings) as admin:
        log = read_log_id(admin)
    for topic in Planner.topics:
        for place, end in ends(settings, topic).items():
            skip_message(connection, "notify", place, log, before=0, after=end)


def test_phone_and_staff_are_notified_and_simulated_data_are_marked(house: House) -> None:
    first = alert(time=utc_now())
    with running(build(house.settings), house.settings):
        house.publish(first)
        [message] = house.push.wait(1)
        eventually(lambda: len(house.pager.bodies) == 1)
        house.publish(alert(phase="updated", sequence=1, priority="high", time=utc_now()))
        eventually(lambda: len(house.pager.bodies) == 2)
        house.publish(alert(phase="closed", sequence=2), action("need_help"))
        eventually(lambda: len(house.pager.bodies) == 3)
        house.connection.execute("UPDATE patients SET synthetic = true")
        house.publish(alert(kind="heart_rate_low", synthetic=True, time=utc_now()))
        simulated = house.push.wait(2)[1]
        eventually(lambda: len(house.pager.bodies) == 4)
    assert message.payload["alert_id"] == first.alert_id
    assert message.claims["sub"] == house.settings.vapid_contact
    assert simulated.payload["body"].startswith("Simulated data.")
    assert [page["title"] for page in house.pages()] == [
        "Medium priority: New alert",
        "HIGH priority: Alert raised",
        "HIGH priority: A patient asks for help",
        "[Simulated] Medium priority: New alert",
    ]
    sent = json.dumps([*house.pages(), message.payload, simulated.payload])
    assert not re.search(r"\b118\b", sent), "nothing about health"
    assert "SECRET" not in sent
    assert {(r["state"], r["attempts"]) for r in log_of(house.connection)} == {("sent", 1)}


def test_a_page_that_nobody_takes_outlives_the_worker_until_it_is_acknowledged(
    house: House,
) -> None:
    down, page = f"json://127.0.0.1:{free_port()}/", ("on_call", "opened")
    settings = house.settings.model_copy(update={"oncall_urls": (down,)})
    first = alert(time=utc_now())
    with running(build(settings), settings):
        house.publish(first)
        house.push.wait(1)
        eventually(lambda: house.attempts("on_call") and house.states()[page] == "pending")
    assert house.states() == {page: "pending", ("web_push", "opened"): "sent"}
    house.connection.execute("UPDATE deliveries SET next_try_at = now() WHERE state = 'pending'")
    before = house.attempts("on_call")
    with running(build(settings), settings):  # another takes over
        eventually(lambda: house.attempts("on_call") > before)
        house.publish(first, action("acknowledge", time=utc_now()))
        eventually(lambda: house.states()[page] == "dropped")
    [dropped] = [r for r in log_of(house.connection) if r["state"] == "dropped"]
    assert dropped["detail"] == "acknowledged; the service did not take it"
    assert len(house.push.messages) == house.attempts("web_push") == 1
