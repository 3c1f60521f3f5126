"""What a batch of messages comes to in the database, whichever way the messages come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace

import pytest

from notify.channels.contract import Outcome
from notify.planning.planner import Planner
from notify.sending.sender import WakeSignal
from store.database.connections import Connection, Pool, connect, open_pool
from store.notifications import deliveries
from store.notifications.deliveries import Channel, Delivery
from tests.support.notify_examples import NOW, action, alert, log_of
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Received

MINUTE = timedelta(minutes=1)


class Known:
    """A channel with recipients that are known by heart; nothing is sent here."""

    threads = 1

    def __init__(self, name: Channel, *recipients: str):
        self.name = name
        self._recipients = recipients

    def recipients(
        self, connection: Connection, patient_ids: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        del connection
        return {"p1": self._recipients} if "p1" in patient_ids else {}

    def send(self, delivery: Delivery) -> Outcome:
        raise AssertionError(delivery)


class Desk:
    """A planner on a real database."""

    def __init__(self, pool: Pool, connection: Connection, demo: bool = False):
        self.connection = connection
        self.health = Health("notify")
        self.planner = Planner(
            pool,
            [Known("web_push", "phone 1", "phone 2"), Known("on_call", "oncall-1")],
            wake_signal=WakeSignal(),
            clock=lambda: NOW,
            health=self.health,
            demo=demo,
        )

    def take(self, *messages: Alert | Action, at: datetime | None = NOW) -> None:
        """One batch, published at a time (None: the broker keeps none)."""
        raw = SimpleNamespace(timestamp=int(at.timestamp() * 1000) if at else -1)
        batch = [Received("t", 0, n, message, raw) for n, message in enumerate(messages)]
        assert self.planner.handle(batch) == Handled()

    def rows(self) -> set[tuple[str, str, str]]:
        return {(r["recipient"], r["reason"], r["priority"]) for r in log_of(self.connection)}

    def pending(self, now: datetime) -> set[tuple[str, str]]:
        """The deliveries left after obsolete ones are dropped."""
        deliveries.drop_obsolete(self.connection, now)
        rows = log_of(self.connection)
        return {(r["channel"], r["reason"]) for r in rows if r["state"] == "pending"}


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    settings = Settings(demo=True, database_url=database_url)
    with open_pool(settings) as pool, connect(settings, autocommit=True) as connection:
        yield Desk(pool, connection)


OPENED = {
    ("phone 1", "opened", "medium"),
    ("phone 2", "opened", "medium"),
    ("oncall-1", "opened", "medium"),
}
RAISED = alert(phase="updated", sequence=1, priority="high")


def test_everybody_is_notified_once_however_often_it_comes(desk: Desk) -> None:
    desk.take(alert(), alert(revision=1), alert())
    assert desk.rows() == OPENED
    before = log_of(desk.connection)
    desk.take(alert(), alert(revision=1))
    assert log_of(desk.connection) == before
    assert desk.health.report()["counters"] == {"deliveries_planned": 3}


@pytest.mark.parametrize("apart", [True, False])
def test_staff_are_notified_of_a_rise_in_one_batch_or_two(desk: Desk, apart: bool) -> None:
    if apart:
        desk.take(alert())
        desk.take(RAISED)
    else:
        desk.take(alert(), RAISED)
    assert desk.rows() == OPENED | {("oncall-1", "raised", "high")}


LONG = "".join(sha256(b"%d" % n).hexdigest() for n in range(180))
"""Of 11,520 characters: a topic takes it, no index does."""


@pytest.mark.parametrize("name", ["ev\0ent", LONG], ids=["nul", "long"])
def test_what_the_database_refuses_of_some_is_not_waited_for_by_the_others(
    desk: Desk, name: str
) -> None:
    """Each is valid by its schema. A database that only seems unavailable would end all paging."""
    alerts = [alert(episode_id=f"{name}{n}") for n in range(30)]
    bad: list[Alert | Action] = [*alerts, *(action("acknowledge", one) for one in alerts[:10])]
    whole: list[Alert | Action] = [*bad, alert(), *bad, RAISED]
    batch = [Received("t", 0, n, m, SimpleNamespace(timestamp=-1)) for n, m in enumerate(whole)]
    found = desk.planner.handle(batch)
    assert [r.received.offset for r in found.rejected] == [*range(40), *range(41, 81)]
    assert {r.reason.code for r in found.rejected} == {"wire.rejected"}
    assert name not in str([r.reason for r in found.rejected])
    assert desk.rows() == OPENED | {("oncall-1", "raised", "high")}
    assert len(desk.planner.handle(batch).rejected) == 80
    assert desk.health.snapshot().counters["deliveries_planned"] == 4


def test_what_concerns_nobody_costs_no_transaction(desk: Desk) -> None:
    desk.planner._pool.close()
    desk.take(
        alert(kind="no_data", category="technical"),
        alert(retrospective=True),
        alert(priority="low"),
        alert(synthetic=True),
        action("comment"),
        action("ok"),
    )
    assert desk.rows() == set()


def test_simulated_patients_are_notified_in_the_demo(desk: Desk) -> None:
    demo = Desk(desk.planner._pool, desk.connection, demo=True)
    demo.take(alert(synthetic=True))
    assert demo.rows() == OPENED
    assert all(row["synthetic"] for row in log_of(desk.connection))


def test_an_end_stops_what_was_planned_but_not_a_call_for_help(desk: Desk) -> None:
    desk.take(alert(), RAISED, action("need_help"), action("escalate"))
    desk.take(alert(phase="closed", sequence=2))
    assert desk.pending(NOW + MINUTE) == {("on_call", "need_help"), ("on_call", "escalated")}


@pytest.mark.parametrize("ack_first", [True, False])
def test_an_acknowledgement_covers_what_came_before_it(desk: Desk, ack_first: bool) -> None:
    acknowledged = action("acknowledge", time=NOW + MINUTE)
    if ack_first:  # the topics are read in any order
        desk.take(acknowledged, at=NOW + MINUTE)
        desk.take(alert())
    else:
        desk.take(alert())
        desk.take(acknowledged, at=NOW + MINUTE)
    assert desk.pending(NOW + MINUTE) == {("web_push", "opened")}
    desk.take(RAISED, at=NOW + 2 * MINUTE)
    assert desk.pending(NOW + 2 * MINUTE) == {("web_push", "opened"), ("on_call", "raised")}


def test_another_episode_is_not_acknowledged_with_it(desk: Desk) -> None:
    other = alert(kind="blood_pressure_low")
    desk.take(alert(), other, action("acknowledge", time=NOW + MINUTE))
    desk.pending(NOW + MINUTE)
    left = {r["event_id"] for r in log_of(desk.connection) if r["channel"] == "on_call"
            and r["state"] == "pending"}  # fmt: skip
    assert left == {other.episode_id}


def test_staff_are_notified_of_each_call_for_help(desk: Desk) -> None:
    once, twice = action("need_help"), action("need_help", time=NOW + MINUTE)
    desk.take(once, once, twice)
    assert len(log_of(desk.connection)) == 2
    assert desk.rows() == {("oncall-1", "need_help", "high")}


def test_what_comes_too_late_to_be_of_use_is_on_record_unsent(desk: Desk) -> None:
    desk.take(alert(), at=NOW - timedelta(hours=3))
    assert desk.pending(NOW) == set()
    assert {r["state"] for r in log_of(desk.connection)} == {"dropped"}


def test_a_broker_without_times_is_taken_to_be_prompt(desk: Desk) -> None:
    desk.take(alert(), at=None)
    assert {r["made_at"] for r in log_of(desk.connection)} == {NOW}


def test_a_patient_without_a_phone_is_counted(desk: Desk) -> None:
    desk.take(alert("p2"))
    assert desk.rows() == set()
    assert desk.health.report()["counters"] == {"pages_without_recipient": 2}
