"""What a batch of messages comes to in the database, whichever way the messages come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from notify.channels.contract import Outcome
from notify.planning.planner import Planner
from notify.sending.sender import WakeSignal
from store.database.connections import Connection, Pool, connect, open_pool
from store.notifications import deliveries
from store.notifications.deliveries import Channel, Delivery
from tests.support.notify_examples import NOW, action, alert, log_of
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.kinds import Priority
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Received

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


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
        self.now = NOW
        self.health = Health("notify")
        self.planner = Planner(
            pool,
            [Known("web_push", "phone 1", "phone 2"), Known("on_call", "oncall-1")],
            wake_signal=WakeSignal(),
            clock=lambda: self.now,
            health=self.health,
            demo=demo,
        )

    def take(self, *messages: Alert | Action, at: datetime | None = NOW) -> None:
        """One batch, published at a time (None: the broker keeps none), and read then or later."""
        self.now = max(self.now, at or NOW)
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


def test_what_is_not_measured_any_more_is_still_paged_about(desk: Desk) -> None:
    desk.take(alert(), WORSE, alert(phase="closed", sequence=2, change="unobserved"))
    assert desk.pending(NOW + MINUTE) == {("web_push", "opened"), ("on_call", "opened")}
    desk.take(action("acknowledge", time=NOW + MINUTE))
    assert desk.pending(NOW + 2 * MINUTE) == {("web_push", "opened")}


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


WORSE = alert(phase="updated", sequence=1, change="worse", time=NOW + 10 * MINUTE)
CONTINUES = alert(phase="updated", sequence=2, change="continues", time=NOW + 4 * HOUR)
EASED = alert(phase="updated", sequence=2, change="eased", time=NOW + HOUR)


@pytest.mark.parametrize("reason", ["worse", "joined"])
@pytest.mark.parametrize("ack_first", [True, False])
def test_what_speaks_up_after_an_acknowledgement_pages_whichever_is_read_first(
    desk: Desk, ack_first: bool, reason: str
) -> None:
    step = replace(WORSE, change=reason)
    acknowledged = action("acknowledge", time=NOW + 5 * MINUTE)
    desk.take(alert())
    if ack_first:
        desk.take(acknowledged, at=NOW + 5 * MINUTE)
        desk.take(step, at=NOW + 10 * MINUTE)
    else:
        desk.take(step, at=NOW + 10 * MINUTE)
        assert desk.rows() == OPENED
        desk.take(acknowledged, at=NOW + 5 * MINUTE)
    assert desk.rows() == OPENED | {("oncall-1", reason, "medium")}
    assert desk.pending(NOW + 11 * MINUTE) == {("web_push", "opened"), ("on_call", reason)}
    [row] = [r for r in log_of(desk.connection) if r["reason"] == reason]
    assert (row["sequence"], row["kind"], row["made_at"]) == (1, WORSE.kind, NOW + 10 * MINUTE)
    assert row["happened_at"] == WORSE.time
    before = log_of(desk.connection)
    desk.take(alert(), at=NOW)
    desk.take(acknowledged, step, acknowledged, at=NOW + 10 * MINUTE)
    assert log_of(desk.connection) == before


@pytest.mark.parametrize("minutes", [-1, 15], ids=["before the page", "of the worsening"])
def test_a_worsening_of_what_was_not_acknowledged_in_between_pages_nobody(
    desk: Desk, minutes: int
) -> None:
    desk.take(alert())
    desk.take(WORSE, at=NOW + 10 * MINUTE)
    desk.take(action("acknowledge", time=NOW + minutes * MINUTE))
    assert desk.rows() == OPENED


def test_what_continues_pages_again_and_ends_what_was_acknowledged(desk: Desk) -> None:
    desk.take(alert(), action("acknowledge", time=NOW + MINUTE))
    desk.take(CONTINUES, at=NOW + 4 * HOUR)
    again = {(name, "continues", "medium") for name in ("phone 1", "phone 2", "oncall-1")}
    assert desk.rows() == OPENED | again
    assert desk.pending(NOW + 4 * HOUR) == {("web_push", "continues"), ("on_call", "continues")}
    desk.take(CONTINUES, at=NOW + 4 * HOUR)
    assert len(log_of(desk.connection)) == 6


def test_what_continues_is_not_sent_to_a_phone_that_the_first_page_did_not_reach(
    desk: Desk,
) -> None:
    phones, on_call = desk.planner._channels
    desk.planner._channels = [on_call]
    desk.take(alert())
    desk.planner._channels = [phones, on_call]
    desk.take(CONTINUES, at=NOW + 4 * HOUR)
    assert {r for r in desk.rows() if r[1] == "continues"} == {("oncall-1", "continues", "medium")}


@pytest.mark.parametrize("priority", ["medium", "low"])
def test_a_rise_after_a_fall_pages_again(desk: Desk, priority: Priority) -> None:
    high = alert(phase="updated", sequence=3, priority="high", change="raised", time=NOW + 2 * HOUR)
    desk.take(alert(priority="high"))
    desk.take(replace(EASED, priority=priority), at=NOW + HOUR)
    desk.take(alert(priority="high"), at=NOW)  # again: it does not raise what has fallen
    assert {r[1] for r in desk.rows()} == {"opened"}
    desk.take(high, at=NOW + 2 * HOUR)
    assert {r for r in desk.rows() if r[1] != "opened"} == {("oncall-1", "raised", "high")}


def test_two_workers_decide_one_after_the_other(desk: Desk) -> None:
    """One reads the alerts and one the actions: neither overlooks what the other has just read."""
    acknowledged = action("acknowledge", time=NOW + 5 * MINUTE)
    desk.take(alert())
    other = Desk(desk.planner._pool, desk.connection)
    for _ in range(20):
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(desk.take, WORSE, at=NOW + 10 * MINUTE)
            second = threads.submit(other.take, acknowledged, at=NOW + 5 * MINUTE)
            first.result(), second.result()
        assert desk.rows() == OPENED | {("oncall-1", "worse", "medium")}
        desk.connection.execute("DELETE FROM deliveries WHERE reason = 'worse'")
        desk.connection.execute(
            "UPDATE paged_episodes SET sequence = 0, paged_at = %s, acknowledged_at = NULL", (NOW,)
        )


@pytest.mark.parametrize("change", ["", "raised", "worse", "joined", "continues"])
def test_history_is_not_planned_whichever_way_it_came(desk: Desk, change: str) -> None:
    past: dict[str, Any] = {"time": NOW - timedelta(days=117), "priority": "high", "change": change}
    desk.take(alert(**past))
    desk.take(alert(phase="updated", sequence=1, **past), action("acknowledge"))
    assert desk.rows() == set()


def test_what_goes_on_now_pages_though_its_beginning_was_history(desk: Desk) -> None:
    desk.take(alert(time=NOW - 3 * HOUR))
    desk.take(replace(CONTINUES, sequence=1, time=NOW))
    assert {r[1] for r in desk.rows()} == {"continues"}
    assert {r[0] for r in desk.rows()} == {"phone 1", "phone 2", "oncall-1"}


def test_a_wrong_clock_does_not_keep_a_live_alarm_from_paging(desk: Desk) -> None:
    hours_off: dict[str, Any] = {"time": NOW - 5 * HOUR, "priority": "high"}
    desk.take(alert(**hours_off))
    desk.take(alert(**hours_off, time_uncertain=True, retrospective=True))  # late by that clock too
    assert desk.rows() == set()
    desk.take(alert(**hours_off, time_uncertain=True))
    assert desk.rows() == {(name, "opened", "high") for name, *_ in OPENED}
    assert {(r["time_uncertain"], r["made_at"]) for r in log_of(desk.connection)} == {(True, NOW)}


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


WITHDRAWN = alert(
    phase="closed", sequence=1, withdrawn="wrong_patient", time=NOW + 30 * MINUTE
)  # fmt: skip


def reach(desk: Desk, *recipients: str) -> None:
    """The pages to these have been sent."""
    for row in log_of(desk.connection):
        if row["recipient"] in recipients and row["reason"] != "withdrawn":
            deliveries.finish(
                desk.connection, row["delivery_id"], result="sent", detail="", now=desk.now
            )


def test_who_was_paged_is_informed_once_that_its_readings_do_not_count(desk: Desk) -> None:
    desk.take(alert())
    reach(desk, "phone 1", "oncall-1")
    desk.take(WITHDRAWN, at=NOW + 30 * MINUTE)
    assert desk.pending(NOW + 31 * MINUTE) == {("web_push", "withdrawn"), ("on_call", "withdrawn")}
    rows = [r for r in log_of(desk.connection) if r["state"] == "pending"]
    assert {r["recipient"] for r in rows} == {"phone 1", "oncall-1"}  # nobody else
    assert {r["because"] for r in rows} == {"wrong_patient"}
    assert {r["happened_at"] for r in rows} == {alert().time}
    before = log_of(desk.connection)
    desk.take(WITHDRAWN, WITHDRAWN, at=NOW + 30 * MINUTE)
    assert log_of(desk.connection) == before


def test_a_page_that_was_not_sent_yet_is_dropped_and_needs_no_second(desk: Desk) -> None:
    desk.take(alert())
    desk.take(WITHDRAWN, at=NOW + MINUTE)
    assert desk.pending(NOW + MINUTE) == set()


def test_of_an_episode_that_was_over_it_is_informed_too(desk: Desk) -> None:
    desk.take(alert())
    reach(desk, "oncall-1")
    desk.take(alert(phase="closed", sequence=1), at=NOW + 10 * MINUTE)
    desk.take(alert(phase="closed", sequence=2, withdrawn="wrong_device", time=NOW + HOUR),
              at=NOW + HOUR)  # fmt: skip
    assert desk.pending(NOW + HOUR) == {("on_call", "withdrawn")}


def test_who_was_paged_at_a_priority_of_withdrawn_readings_is_informed_once(desk: Desk) -> None:
    desk.take(alert(priority="high"))
    reach(desk, "oncall-1")
    corrected = alert(
        phase="closed", sequence=2, change="corrected", corrected="wrong_device", time=NOW + HOUR
    )  # fmt: skip
    desk.take(corrected, corrected, at=NOW + HOUR)
    assert desk.pending(NOW + HOUR) == {("on_call", "corrected")}
    (row,) = [
        r for r in log_of(desk.connection) if r["reason"] == "corrected" and r["state"] == "pending"
    ]
    assert (row["because"], row["priority"]) == ("wrong_device", "medium")


def test_of_what_goes_on_after_all_the_pages_are_sent(desk: Desk) -> None:
    """An end that rested on withdrawn readings drops no later page."""
    desk.take(alert())
    reach(desk, "phone 1", "oncall-1", "oncall-2")
    desk.take(alert(phase="closed", sequence=1), at=NOW + 10 * MINUTE)
    again = alert(phase="updated", sequence=2, change="continues", time=NOW + 20 * MINUTE)
    desk.take(again, at=NOW + 20 * MINUTE)
    assert ("on_call", "continues") in desk.pending(NOW + 21 * MINUTE)


def test_an_episode_that_nobody_was_paged_about_is_withdrawn_in_silence(desk: Desk) -> None:
    desk.take(alert(priority="low"))
    desk.take(replace(WITHDRAWN, priority="low", event_id=""), at=NOW + 30 * MINUTE)
    assert desk.rows() == set()


def test_all_in_one_batch_page_nobody(desk: Desk) -> None:
    desk.take(alert(), WITHDRAWN, at=NOW + 30 * MINUTE)
    assert desk.pending(NOW + 31 * MINUTE) == set()
