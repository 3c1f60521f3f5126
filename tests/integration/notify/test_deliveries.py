"""The queue in the database: planned once, claimed by one, ended in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, get_args

import pytest

from store.database.connections import Connection, connect
from store.notifications import deliveries, notified_episodes
from store.notifications.notified_episodes import PagedEpisode, Worsening
from tests.support.notify_examples import NOW, enrol, log_of, planned
from tests.support.push_service import PushService
from vigil.domain import ids
from vigil.service.settings import Settings

LEASE = timedelta(seconds=60)


def record(connection: Connection, episode_id: str, **facts: Any) -> None:
    notified_episodes.record_episodes(connection, {episode_id: PagedEpisode(**facts)})


MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(Settings(demo=True, database_url=database_url), autocommit=True) as connection:
        yield connection


def test_planning_again_changes_nothing(database: Connection) -> None:
    rows = [planned(), planned(recipient="oncall-2")]
    assert deliveries.plan(database, rows, NOW) == 2
    first = deliveries.claim(database, "on_call", NOW, LEASE)
    assert first is not None
    deliveries.finish(database, first.delivery_id, "sent", "", NOW)
    before = log_of(database)
    assert deliveries.plan(database, [*rows, planned(cause="alert:1")], NOW + MINUTE) == 1
    assert [row for row in log_of(database) if row in before] == before


def test_a_claim_is_one_workers_until_its_lease_ends(database_url: str) -> None:
    settings = Settings(demo=True, database_url=database_url)
    with connect(settings) as one, connect(settings) as other:
        deliveries.plan(one, [planned()], NOW)
        one.commit()
        claimed = deliveries.claim(one, "on_call", NOW, LEASE)
        assert claimed is not None
        assert claimed.attempts == 1
        # not committed yet: the row is locked, and the other does not wait for it
        assert deliveries.claim(other, "on_call", NOW, LEASE) is None
        one.commit()
        other.rollback()
        assert deliveries.claim(other, "on_call", NOW + LEASE - MINUTE / 60, LEASE) is None
        again = deliveries.claim(other, "on_call", NOW + LEASE, LEASE)
        assert again is not None
        assert (again.delivery_id, again.attempts) == (claimed.delivery_id, 2)


def test_the_most_urgent_goes_first(database: Connection) -> None:
    deliveries.plan(database, [planned(cause="a")], NOW)
    deliveries.plan(database, [planned(cause="b", priority="high")], NOW + MINUTE)
    claimed = deliveries.claim(database, "on_call", NOW + 2 * MINUTE, LEASE)
    assert claimed is not None
    assert claimed.priority == "high"


def test_a_claim_knows_ward_keys_and_whether_the_patient_is_real(database: Connection) -> None:
    with PushService() as push:
        subscription = push.subscription()
    enrol(database, "p1", subscription, synthetic=True)
    ident = ids.derive("subscription", subscription["endpoint"])
    deliveries.plan(database, [planned(channel="web_push", recipient=ident)], NOW)
    claimed = deliveries.claim(database, "web_push", NOW, LEASE)
    assert claimed is not None
    assert (claimed.ward, claimed.locale, claimed.synthetic) == ("A", "en", True)
    assert claimed.endpoint == subscription["endpoint"]
    assert claimed.auth == subscription["keys"]["auth"]


def test_a_subscription_that_moved_to_another_patient_is_not_used(database: Connection) -> None:
    with PushService() as push:
        subscription = push.subscription()
    enrol(database, "p1", subscription)
    other = enrol(database, "p2")
    ident = ids.derive("subscription", subscription["endpoint"])
    deliveries.plan(database, [planned(channel="web_push", recipient=ident)], NOW)
    database.execute("UPDATE push_subscriptions SET phone_id = %s", (other,))
    claimed = deliveries.claim(database, "web_push", NOW, LEASE)
    assert claimed is not None
    assert claimed.endpoint is None


EVERYTHING = {
    (channel, reason)
    for channel in get_args(deliveries.Channel)
    for reason in get_args(deliveries.Reason)
    if reason not in {"withdrawn", "corrected"}  # depends on who was paged: test_planner.py
}
NEWS = {pair for pair in EVERYTHING if pair[1] not in {"need_help", "escalated"}}


@pytest.mark.parametrize(
    ("fact", "obsolete"),
    [
        ("none", set()),
        ("acknowledged before", set()),
        ("acknowledged after", {pair for pair in EVERYTHING if pair[0] == "on_call"}),
        ("closed", NEWS),
        ("late", EVERYTHING),
    ],
)
def test_an_obsolete_delivery_is_neither_claimed_nor_kept(
    database: Connection, fact: str, obsolete: set[tuple[str, str]]
) -> None:
    deliveries.plan(
        database, [planned(channel=c, reason=r, cause=r) for c, r in sorted(EVERYTHING)], NOW
    )
    record(database, "event", notified="medium", sequence=0)
    now = NOW + 2 * MINUTE
    match fact:
        case "acknowledged before":
            record(database, "event", acknowledged_at=NOW - MINUTE)
        case "acknowledged after":
            record(database, "event", acknowledged_at=NOW + MINUTE)
            record(database, "event", acknowledged_at=NOW - MINUTE)  # an older one changes nothing
        case "closed":
            notified_episodes.record_closed(database, ["event"], NOW + MINUTE)
        case "late":
            now = NOW + timedelta(hours=2)
    claimed = {
        (channel, one.reason)
        for channel in ("on_call", "web_push")
        for one in iter(partial(deliveries.claim, database, channel, now, LEASE), None)
    }
    assert claimed == EVERYTHING - obsolete
    database.execute("UPDATE deliveries SET attempts = 0")
    assert deliveries.drop_obsolete(database, now) == (
        {"dropped": len(obsolete)} if obsolete else {}
    )
    rows = log_of(database)
    assert {(r["channel"], r["reason"]) for r in rows if r["state"] == "dropped"} == obsolete
    assert all(bool(row["detail"]) == (row["state"] == "dropped") for row in rows)


def test_expiry_after_an_attempt_is_a_failure_with_its_reason(database: Connection) -> None:
    deliveries.plan(database, [planned()], NOW)
    claimed = deliveries.claim(database, "on_call", NOW, LEASE)
    assert claimed is not None
    deliveries.retry(database, claimed.delivery_id, NOW + MINUTE, "answered 500")
    assert deliveries.drop_obsolete(database, NOW + timedelta(hours=3)) == {"failed": 1}
    [row] = log_of(database)
    assert row["detail"] == "out of date; answered 500"


def test_that_it_was_sent_outlives_a_drop_but_a_failure_does_not_undo_a_send(
    database: Connection,
) -> None:
    deliveries.plan(database, [planned()], NOW)
    claimed = deliveries.claim(database, "on_call", NOW, LEASE)
    assert claimed is not None
    deliveries.drop_obsolete(database, NOW + timedelta(hours=3))
    deliveries.finish(database, claimed.delivery_id, "sent", "", NOW)
    assert log_of(database)[0]["state"] == "sent"
    deliveries.finish(database, claimed.delivery_id, "failed", "", NOW)
    deliveries.retry(database, claimed.delivery_id, NOW, "late news")
    assert log_of(database)[0]["state"] == "sent"
    assert log_of(database)[0]["detail"] == ""


def test_a_later_step_counts_and_closing_an_unnotified_episode_leaves_no_row(
    database: Connection,
) -> None:
    worse = Worsening(2, "high", "heart_rate_high", NOW, NOW, synthetic=False, time_uncertain=True)
    record(database, "a", notified="high", sequence=2, paged_at=NOW, worsening=worse)
    record(database, "a", notified="medium", sequence=1)  # a worker that lost its partition
    record(database, "b", notified="high", sequence=0, paged_at=NOW)
    record(database, "b", notified="low", sequence=1, paged_at=NOW, acknowledged_at=NOW)
    record(database, "c", notified="high", sequence=0, acknowledged_at=NOW + timedelta(days=2))
    notified_episodes.record_closed(database, ["a", "never notified"], NOW)
    assert notified_episodes.lock_episodes(
        database, ["a", "b", "c", "never notified"], NOW, add=["new"]
    ) == {
        "a": PagedEpisode("high", 2, paged_at=NOW, worsening=worse),
        "b": PagedEpisode("low", 1, paged_at=NOW, acknowledged_at=NOW),
        "c": PagedEpisode("high", 0),  # an acknowledgement of the day after tomorrow
    }
    assert database.execute("SELECT count(*) AS n FROM paged_episodes").fetchone() == {"n": 4}


def test_the_backlog_has_a_length_and_an_age(database: Connection) -> None:
    assert deliveries.backlog(database, NOW) == deliveries.Backlog(0, 0.0)
    deliveries.plan(database, [planned()], NOW)
    assert deliveries.backlog(database, NOW + MINUTE) == deliveries.Backlog(1, 60.0)
    assert [row["recipient"] for row in deliveries.newest(database)] == ["oncall-1"]
    assert deliveries.newest(database, episode_id="another") == []
