"""The directory: who may open the door, and for whom."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http.directory import Book, Directory
from ingest.recent_keys import RecentKeys
from tests.integration.ingest.conftest import ENROLLED, HUB, REVOKED, WATCH, Broker, digest, publish
from tests.support.running import eventually
from vigil.contracts.topics import DIRECTORY
from vigil.contracts.wire import Outgoing
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.kafka.clients import Publisher
from vigil.kafka.compacted_topic import CHECK_SECONDS
from vigil.service.settings import Settings


def book(*entries: PatientEntry | DeviceEntry) -> Book:
    made = Book()
    for entry in entries:
        made.add_entry(entry)
    return made


def test_a_key_opens_for_its_active_device_alone() -> None:
    made = book(*ENROLLED)
    assert made.device(HUB) == ENROLLED[4]
    assert made.device(WATCH) == ENROLLED[5]
    assert made.device(REVOKED) is None
    assert made.device("") is None
    assert made.device(digest(HUB)) is None  # the digest is no key


def test_a_new_key_ends_the_old_one() -> None:
    made = book(DeviceEntry("d", digest("old")), DeviceEntry("d", digest("new")))
    assert made.device("old") is None
    assert made.device("new") is not None
    made.drop("device:d")
    assert made.device("new") is None
    assert len(made) == 0
    made.drop("device:d")  # a tombstone may come twice


def test_a_key_that_goes_to_another_device_stays_a_key() -> None:
    made = book(DeviceEntry("a", digest("k")), DeviceEntry("b", digest("k")))
    made.drop("device:a")
    found = made.device("k")
    assert found is not None
    assert found.device_id == "b"


devices = st.sampled_from(
    [
        DeviceEntry(d, digest(f"{d}{n}"), active=on)
        for d in "ab"
        for n in "12"
        for on in (True, False)
    ]
)


@given(st.lists(devices | st.sampled_from(["device:a", "device:b"]), max_size=12))
def test_a_book_knows_what_was_last_said(steps: list[DeviceEntry | str]) -> None:
    made, model = Book(), dict[str, DeviceEntry]()
    for step in steps:
        if isinstance(step, str):
            made.drop(step)
            model.pop(step.removeprefix("device:"), None)
        else:
            made.add_entry(step)
            model[step.device_id] = step
    assert len(made) == len(model)
    for key in ("a1", "a2", "b1", "b2"):
        entry = model.get(key[0])
        opens = entry is not None and entry.active and entry.key_sha256 == digest(key)
        assert made.device(key) == (entry if opens else None)


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 10))
def test_recent_remembers_at_least_its_capacity(added: list[int], capacity: int) -> None:
    recent = RecentKeys[int](capacity)
    for place, key in enumerate(added):
        new = recent.add(key)
        assert key in recent
        assert new or key in added[:place]
    distinct = RecentKeys[int](capacity)
    for key in range(50):
        distinct.add(key)
    assert all(key in distinct for key in range(50 - capacity, 50))
    assert sum(key in distinct for key in range(50)) <= 2 * capacity


@pytest.mark.kafka
def test_the_topic_is_read_to_its_end_and_followed(broker: str) -> None:
    settings = Settings(demo=True, kafka_bootstrap=broker, partitions=3)
    publish(settings, [PatientEntry(f"p{n}", "north") for n in range(1200)])
    directory = Directory(settings)
    assert directory.trouble is not None
    directory.start()
    try:
        eventually(lambda: directory.trouble is None)
        assert directory.patient("p0") is not None
        assert directory.patient("p1199") is not None  # ready means all of it
        publish(
            settings, [PatientEntry("p0", "north", active=False), DeviceEntry("d", digest("k"))]
        )
        eventually(lambda: directory.patient("p0") is None)
        eventually(lambda: directory.device("k") is not None)
        _broken_and_dropped(settings)
        eventually(lambda: directory.device("k") is None)
        eventually(lambda: directory.patient("p1") is None)
    finally:
        directory.stop()


def _broken_and_dropped(settings: Settings) -> None:
    """An entry that cannot be read, then two that were deleted."""
    with closing(Publisher(settings, "test")) as publisher:
        publisher.publish(
            [
                Outgoing(DIRECTORY.name, b"device:x", b"{broken", []),
                Outgoing(DIRECTORY.name, b"device:d", b"", []),
                Outgoing(DIRECTORY.name, b"patient:p1", b"", []),
            ]
        )


@pytest.mark.kafka
def test_an_empty_directory_is_read_too(broker: str) -> None:
    settings = Settings(demo=True, kafka_bootstrap=broker, partitions=3)
    directory = Directory(settings)
    directory.start()
    try:
        eventually(lambda: directory.trouble is None)
    finally:
        directory.stop()


@pytest.mark.kafka
@pytest.mark.faults
@pytest.mark.parametrize("fragile", ["tansu"], indirect=True)
def test_a_log_made_anew_is_read_anew_and_the_old_one_serves_until_it_says_something(
    fragile: Broker,
) -> None:
    fragile.start()
    directory = Directory(fragile.settings)
    directory.start()
    try:
        eventually(lambda: directory.trouble is None)
        fragile.kill()
        assert directory.device(HUB) is not None
        fragile.start(entries=[])
        time.sleep(2 * CHECK_SECONDS)  # it has seen the empty log by now
        assert directory.device(HUB) is not None
        publish(fragile.settings, [PatientEntry("p9", "north"), DeviceEntry("d9", digest("k9"))])
        eventually(lambda: directory.patient("p9") is not None)
        eventually(lambda: directory.device(HUB) is None)  # not in the new log: known no more
        assert directory.patient("p1") is None
    finally:
        directory.stop()
