"""A worker's word on how it is doing reaches the topic, and never holds the worker up."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

import pytest

from local.parts import HOST, free_port
from tests.support.running import eventually
from tests.support.streaming import read_all
from tests.support.timeouts import TIMEOUT
from vigil import __version__
from vigil.composition.status_reader import read_statuses
from vigil.composition.status_reporter import StatusReporter
from vigil.contracts import wire
from vigil.contracts.clock_check import AHEAD
from vigil.contracts.topics import STATUS
from vigil.domain.status import Status
from vigil.kafka.clients import Publisher
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.values.clock import utc_now


@pytest.mark.kafka
def test_a_worker_tells_its_troubles_and_counters(settings: Settings) -> None:
    health = Health("explain")
    health.trouble("start", None)
    health.trouble("database", "unavailable")
    health.count("alerts", 3)
    health.gauge("model_ready", 1)
    reporter = StatusReporter(settings, health, every_seconds=0.2)
    reporter.start()
    reported: list[Status] = []
    while not reported:
        reported = [_status(record) for record in read_all(settings, STATUS.name)]
    reporter.close()
    assert {status.instance for status in reported} == {reporter.status().instance}
    newest = reported[-1]
    assert (newest.service, newest.version) == ("explain", __version__)
    assert newest.trouble == {"database": "unavailable"}
    assert (newest.counters, newest.gauges) == ({"alerts": 3}, {"model_ready": 1.0})
    assert newest.started <= newest.time


def _reported(settings: Settings, reporter: StatusReporter) -> list[Status]:
    reported = [_status(record) for record in read_all(settings, STATUS.name)]
    return [status for status in reported if status.instance == reporter.status().instance]


@pytest.mark.kafka
@pytest.mark.parametrize("failure", ["", "KeyError"])
def test_a_change_is_told_at_once_and_the_end_too(settings: Settings, failure: str) -> None:
    health = Health("explain")
    reporter = StatusReporter(settings, health, every_seconds=3600)
    reporter.start()
    eventually(lambda: _reported(settings, reporter))
    health.trouble("start", None)
    eventually(lambda: _reported(settings, reporter)[-1].trouble == {})
    health.trouble("database", "unavailable")
    health.trouble("database", "unreachable")
    eventually(lambda: _reported(settings, reporter)[-1].trouble == {"database": "unreachable"})
    reporter.close(failure)
    *before, last = _reported(settings, reporter)
    assert not any(status.ended for status in before)
    assert last.ended == (not failure)
    assert set(last.trouble) == ({"database", "ended"} if failure else {"database"})
    assert last.since.keys() == last.trouble.keys()
    if failure:
        assert last.trouble["ended"] == "The process ended with KeyError."


@pytest.mark.kafka
def test_troubles_and_their_beginnings_are_of_one_moment(settings: Settings) -> None:
    health = Health("explain")
    stop = threading.Event()

    def flap() -> None:
        while not stop.is_set():
            health.trouble("part", "unavailable")
            health.trouble("part", None)

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        reporter = StatusReporter(settings, health)
        for _ in range(500):
            status = reporter.status()
            assert status.trouble.keys() == status.since.keys()
    finally:
        stop.set()
        thread.join()


def test_without_a_broker_nothing_is_told_and_nothing_waits(unreachable_broker: Settings) -> None:
    reporter = StatusReporter(unreachable_broker, Health("store"), every_seconds=0.05)
    start = time.monotonic()
    reporter.start()
    time.sleep(0.3)
    reporter.close()
    assert time.monotonic() - start < 60


def _status(record: Any) -> Status:
    newest_status = wire.decode(STATUS.name, record.value, record.headers)
    assert isinstance(newest_status, Status)
    return newest_status


@pytest.fixture
def unreachable_broker() -> Settings:
    return Settings(kafka_bootstrap=f"{HOST}:{free_port()}", demo=True)


@pytest.mark.kafka
@pytest.mark.parametrize("stamp", [2**62, -1, 4_102_444_800_000])
def test_a_status_whose_timestamp_is_no_time_hides_no_other(settings: Settings, stamp: int) -> None:
    """A topic that keeps the producer's timestamp keeps whatever was written there."""
    now = utc_now()
    odd, good = (Status("store", f"{name}-{stamp}", "1", now, now, {}, {}, {})
                 for name in ("odd", "good"))  # fmt: skip
    with closing(Publisher(settings, "test")) as publisher:
        publisher.publish([wire.to_message(good, "test")])
        sent = wire.to_message(odd, "test")
        publisher._producer.send(
            sent.topic, value=sent.value, key=sent.key, headers=sent.headers, timestamp_ms=stamp
        ).get(TIMEOUT)
        publisher.publish([wire.to_message(good, "test")])
    read_all(settings, STATUS.name)
    found = {
        newest_status.status.instance: newest_status.received_at
        for newest_status in read_statuses(settings)
    }
    assert good.instance in found
    assert all(received < utc_now() + AHEAD for received in found.values())
