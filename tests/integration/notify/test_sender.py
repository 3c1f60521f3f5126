"""The sender against a real database and a real push service, on good days and bad ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from notify.channels.contract import Channel, Outcome
from notify.channels.web_push import WebPush
from notify.sending.backoff import FIRST_SECONDS, LONGEST_SECONDS, SPREAD, retry_pause
from notify.sending.sender import LEASE, ChannelThreads, Sender, WakeSignal
from store.database.connections import Connection, connect, open_pool
from store.notifications import deliveries, notified_episodes, subscriptions
from store.notifications.deliveries import Delivery
from tests.support.notify_examples import NOW, enrol, log_of, planned
from tests.support.push_service import Answer, PushService
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT
from vigil.domain import ids
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
from vigil.web.web_push import new_private_key

HOUR = timedelta(hours=1)


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Bench:
    """A database with a patient whose phone is subscribed to a push service."""

    def __init__(self, settings: Settings, connection: Connection, push: PushService):
        self.settings = settings
        self.connection = connection
        self.push = push
        self.clock = Hand()
        self.wake_signal = WakeSignal()
        self.health = Health("notify")
        self.subscription = push.subscription()
        enrol(connection, "p1", self.subscription)
        self.recipient = ids.derive("subscription", self.subscription["endpoint"])
        self.channel: Channel = WebPush(settings, new_private_key(), utc_now)

    def plan(self, **changes: Any) -> None:
        row = planned(
            channel="web_push",
            recipient=self.recipient,
            expires_at=utc_now() + 4 * HOUR,
            **changes,
        )
        deliveries.plan(self.connection, [row], self.clock.now)

    def turn(self) -> list[dict[str, Any]]:
        """One turn of the sender, until all that it started is recorded; then the log."""
        with open_pool(self.settings) as pool:
            sender = Sender(
                pool,
                [self.channel],
                wake_signal=self.wake_signal,
                clock=self.clock,
                health=self.health,
            )
            sender.run_once()
            for threads in sender._channels:
                threads.close()
        return log_of(self.connection)

    @property
    def ended(self) -> str | None:
        row = self.connection.execute("SELECT ended_because FROM push_subscriptions").fetchone()
        assert row is not None
        return row["ended_because"]  # type: ignore[no-any-return]


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    settings = Settings(demo=True, database_url=database_url, push_hosts="127.0.0.1")
    with PushService() as push, connect(settings, autocommit=True) as connection:
        yield Bench(settings, connection, push)


def test_sends_once_and_records_it(bench: Bench) -> None:
    bench.plan()
    [row] = bench.turn()
    assert (row["state"], row["attempts"], row["finished_at"]) == ("sent", 1, NOW)
    bench.clock.now += HOUR
    bench.turn()
    [message] = bench.push.messages
    assert message.payload["delivery_id"] == row["delivery_id"]
    assert bench.health.report()["counters"] == {"deliveries_sent": 1}


@pytest.mark.parametrize("status", [404, 410])
def test_a_gone_subscription_ends_and_is_never_tried_again(bench: Bench, status: int) -> None:
    bench.plan()
    bench.push.answer(status)
    [row] = bench.turn()
    assert row["state"] == "failed"
    assert bench.ended == f"the push service answered {status}"
    assert subscriptions.live_subscriptions(bench.connection, ["p1"]) == {}
    bench.plan(cause="another")  # planned just before it ended
    assert [r["state"] for r in bench.turn()] == ["failed", "dropped"]
    assert len(bench.push.messages) == 1


@pytest.mark.parametrize("status", [413, 429, 500, 503])
def test_other_troubles_are_tried_again_and_end_nothing(bench: Bench, status: int) -> None:
    bench.plan()
    bench.push.answer(status)
    [row] = bench.turn()
    assert (row["state"], bench.ended) == ("pending", None)
    assert row["next_try_at"] == NOW + retry_pause(1, row["delivery_id"])
    bench.clock.now = row["next_try_at"] - timedelta(seconds=1)
    bench.turn()
    assert len(bench.push.messages) == 1  # not yet
    bench.clock.now = row["next_try_at"]
    [row] = bench.turn()
    assert (row["state"], row["attempts"]) == ("sent", 2)
    topics = {message.headers["topic"] for message in bench.push.messages}
    assert len(topics) == 1


def test_retry_after_is_honoured(bench: Bench) -> None:
    bench.plan()
    bench.push.answer(Answer(429, {"Retry-After": "900"}))
    [row] = bench.turn()
    assert row["next_try_at"] == NOW + timedelta(seconds=900)


def test_a_crash_between_claim_and_record_sends_again_in_the_place_of_the_first(
    bench: Bench,
) -> None:
    bench.plan()
    claimed = deliveries.claim(bench.connection, "web_push", NOW, LEASE)
    assert claimed is not None
    assert bench.channel.send(claimed) == Outcome("sent")  # and here the process dies
    assert [r["state"] for r in bench.turn()] == ["pending"]
    bench.clock.now += LEASE
    [row] = bench.turn()
    assert (row["state"], row["attempts"]) == ("sent", 2)
    first, second = bench.push.wait(2)
    assert first.headers["topic"] == second.headers["topic"]
    assert first.payload == second.payload


def test_an_obsolete_delivery_is_not_sent(bench: Bench) -> None:
    bench.plan()
    known = notified_episodes.PagedEpisode("medium", 0)
    notified_episodes.record_episodes(bench.connection, {"event": known})
    notified_episodes.record_closed(bench.connection, ["event"], NOW)
    [row] = bench.turn()
    assert (row["state"], row["detail"]) == ("dropped", "episode ended")
    assert bench.push.messages == []
    assert bench.health.report()["counters"] == {"deliveries_dropped": 1}


class Slow:
    """A channel whose sends take until they are let go."""

    name: deliveries.Channel = "web_push"
    threads = 2

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.begun: list[str] = []

    def recipients(self, *_: object) -> Mapping[str, Sequence[str]]:
        return {}

    def send(self, delivery: Delivery) -> Outcome:
        self.begun.append(delivery.delivery_id)
        self.let_go.wait(TIMEOUT)
        return Outcome("sent")


class Prompt(Slow):
    """A channel that sends at once."""

    name: deliveries.Channel = "on_call"

    def send(self, delivery: Delivery) -> Outcome:
        self.begun.append(delivery.delivery_id)
        return Outcome("sent")


@contextmanager
def sending(bench: Bench, *channels: Channel) -> Iterator[None]:
    stop = threading.Event()
    with open_pool(bench.settings) as pool:
        sender = Sender(
            pool,
            channels,
            wake_signal=bench.wake_signal,
            clock=utc_now,
            health=bench.health,
        )
        thread = threading.Thread(target=sender.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            bench.wake_signal.wake()
            thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_a_slow_channel_takes_no_more_than_its_threads_and_holds_up_no_other(bench: Bench) -> None:
    slow, prompt = Slow(), Prompt()
    for n in range(5):
        bench.plan(cause=f"slow {n}")
    with sending(bench, slow, prompt):
        eventually(lambda: len(slow.begun) == 2)
        row = planned(expires_at=utc_now() + HOUR)
        deliveries.plan(bench.connection, [row], NOW)
        bench.wake_signal.wake()
        eventually(lambda: prompt.begun == [row.delivery_id])
        assert len(slow.begun) == 2
        slow.let_go.set()
        eventually(lambda: [r["state"] for r in log_of(bench.connection)] == ["sent"] * 6)


def test_stopping_finishes_what_was_begun(bench: Bench) -> None:
    slow = Slow()
    bench.plan()
    threading.Timer(0.5, slow.let_go.set).start()
    with sending(bench, slow):
        eventually(lambda: slow.begun)
    assert [r["state"] for r in log_of(bench.connection)] == ["sent"]


class Broken(Slow):
    """A channel with a slip of ours."""

    def send(self, delivery: Delivery) -> Outcome:
        del delivery
        raise KeyError("a slip")


def test_a_slip_in_a_channel_is_tried_again_and_stops_nothing(bench: Bench) -> None:
    bench.channel = Broken()
    bench.plan()
    [row] = bench.turn()
    assert (row["state"], row["detail"]) == ("pending", "KeyError")


def test_a_channel_sends_on_as_many_threads_as_it_has() -> None:
    threads = ChannelThreads(Slow())
    assert [threads.acquire() for _ in range(3)] == [True, True, False]
    threads.release()
    assert threads.acquire()
    threads.close()


def test_an_unavailable_database_is_waited_for(bench: Bench, postgres_url: str) -> None:
    name = bench.settings.database_url.get_secret_value().rsplit("/", 1)[1]
    bench.plan()
    elsewhere = Settings(demo=True, database_url=postgres_url)
    with connect(elsewhere, autocommit=True, any_schema=True) as server:
        deny(server, name, bench.connection)
        with sending(bench, bench.channel):
            eventually(lambda: "sender" in trouble(bench))
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            bench.push.wait(1)
            eventually(lambda: "sender" not in trouble(bench))
    with connect(bench.settings, autocommit=True) as bench.connection:
        assert [r["state"] for r in log_of(bench.connection)] == ["sent"]


def deny(server: Connection, name: str, open_now: Connection) -> None:
    """Make a database unavailable, as a server that stops does."""
    open_now.close()
    server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
    )


def trouble(bench: Bench) -> dict[str, str]:
    found = bench.health.report()["trouble"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("attempts", [1, 2, 5, 40, 4000])
def test_pauses_double_up_to_a_limit_and_spread(attempts: int) -> None:
    waits = {retry_pause(attempts, str(n)).total_seconds() for n in range(50)}
    base = min(FIRST_SECONDS * 2 ** min(attempts - 1, 20), LONGEST_SECONDS)
    assert base <= min(waits)
    assert max(waits) <= base * (1 + SPREAD)
    assert len(waits) > 10


def test_a_ring_before_the_wait_is_kept() -> None:
    wake_signal = WakeSignal()
    wake_signal.wake()
    thread = threading.Thread(target=wake_signal.wait, args=(60,))
    thread.start()
    thread.join(TIMEOUT)
    assert not thread.is_alive()
