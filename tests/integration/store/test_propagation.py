"""A revocation is reported once all of ingest has it; a restored database revives nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from ingest.http.directory import Directory
from store.database.connections import Connection, connect
from store.people import directory_topic, propagation
from store.people.directory import DirectoryPublisher
from store.people.directory_topic import Published
from store.people.patients import Device, Patient, add_device, enrol, list_devices, revoke_device
from store.writing.writer import write
from tests.support.messages import received
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT
from vigil.composition.status_reporter import StatusReporter
from vigil.domain.directory import DeviceEntry
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka


@contextmanager
def publishing(settings: Settings) -> Iterator[Health]:
    """The store's publisher of the directory, on a thread of its own."""
    stop, health = threading.Event(), Health("store")
    thread = threading.Thread(target=DirectoryPublisher(settings, health).run, args=(stop,))
    thread.start()
    try:
        yield health
    finally:
        stop.set()
        thread.join(TIMEOUT)


class Door:
    """A web process's directory, and its status messages."""

    def __init__(self, settings: Settings):
        self.health = Health("ingest")
        self.health.trouble("start", None)
        self.directory = Directory(settings, self.health)
        self.reporter = StatusReporter(settings, self.health)
        self.directory.start()

    def report(self, settings: Settings) -> None:
        """Its status reaches the database, as the store would bring it."""
        with connect(settings) as connection:
            write(connection, [received(self.reporter.status())])

    def takes(self, key: str) -> bool:
        return self.directory.device(key) is not None


def report_all(settings: Settings, doors: list[Door], stop: threading.Event) -> None:
    while not stop.wait(0.1):
        for door in doors:
            with suppress(UnavailableError):  # a busy machine
                door.report(settings)


@contextmanager
def reporting(settings: Settings, doors: list[Door]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=report_all, args=(settings, doors, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT)


def device(settings: Settings, name: str) -> str:
    with connect(settings) as connection:
        enrol(connection, Patient("p1", "w1"))
        return add_device(connection, Device(name, patient_id="p1"), replace=True)


@contextmanager
def auto(settings: Settings) -> Iterator[Connection]:
    with connect(settings, autocommit=True) as connection:
        yield connection


def test_revocation_is_reported_when_every_ingest_process_refuses_the_key(
    settings: Settings,
) -> None:
    key = device(settings, "in-force-1")
    with publishing(settings), ExitStack() as stack:
        doors = [Door(settings), Door(settings)]
        for door in doors:
            stack.callback(door.directory.stop)
            eventually(lambda door=door: door.takes(key))  # type: ignore[misc]
        with reporting(settings, doors), auto(settings) as connection:
            revoke_device(connection, "in-force-1")
            answer = propagation.wait_for_propagation(connection, 20)
            refused = [not door.takes(key) for door in doors]
        assert (answer.complete, answer.processes, refused) == (True, 2, [True, True]), (
            answer.missing
        )


def test_it_is_not_reported_while_an_ingest_process_has_not_read_it(settings: Settings) -> None:
    key = device(settings, "in-force-2")
    with publishing(settings), ExitStack() as stack:
        doors = [Door(settings), Door(settings)]
        for door in doors:
            stack.callback(door.directory.stop)
            eventually(lambda door=door: door.takes(key))  # type: ignore[misc]
        doors[1].directory.stop()  # it reads no more, and still lets the key in
        with reporting(settings, doors), auto(settings) as connection:
            revoke_device(connection, "in-force-2")
            answer = propagation.wait_for_propagation(connection, 4)
        assert doors[1].takes(key)
        assert not answer.complete
        assert "1 of 2 ingest processes" in answer.missing


def test_it_is_not_reported_while_no_store_publishes(settings: Settings) -> None:
    device(settings, "in-force-3")
    with publishing(settings) as health:
        eventually(lambda: published(health))
    with auto(settings) as connection:
        revoke_device(connection, "in-force-3")
        answer = propagation.wait_for_propagation(connection, 1)
    assert not answer.complete
    assert "vigil run store" in answer.missing


def published(health: Health) -> bool:
    """Everything was published once."""
    return "directory" not in health.snapshot().troubles


def test_a_door_that_ended_is_not_waited_for(settings: Settings) -> None:
    key = device(settings, "in-force-4")
    with publishing(settings), ExitStack() as stack:
        doors = [Door(settings), Door(settings)]
        for door in doors:
            stack.callback(door.directory.stop)
            eventually(lambda door=door: door.takes(key))  # type: ignore[misc]
            door.report(settings)
        gone = doors.pop()
        gone.directory.stop()
        with connect(settings) as connection:
            write(connection, [received(gone.reporter.status(ended=True))])
        with reporting(settings, doors), auto(settings) as connection:
            revoke_device(connection, "in-force-4")
            answer = propagation.wait_for_propagation(connection, 20)
    assert (answer.complete, answer.processes) == (True, 1)


def test_nothing_was_ever_published(settings: Settings) -> None:
    device(settings, "in-force-5")
    with auto(settings) as connection:
        assert propagation.wait_for_propagation(connection, 0).complete


def test_a_restored_database_revives_nothing_and_reports_what_it_lacks(settings: Settings) -> None:
    key, other = device(settings, "restored-1"), device(settings, "restored-2")
    with publishing(settings):
        door = Door(settings)
        eventually(lambda: door.takes(key) and door.takes(other))
        with connect(settings) as connection:
            backup = connection.execute(
                "SELECT * FROM devices WHERE device_id = 'restored-1'"
            ).fetchone()
            revoke_device(connection, "restored-1")
        eventually(lambda: not door.takes(key))
    assert backup is not None
    with auto(settings) as connection:  # as of before: one not revoked yet, one not there yet
        connection.execute(
            "UPDATE devices SET active = true, changed_at = %s WHERE device_id = 'restored-1'",
            (backup["changed_at"],),
        )
        connection.execute("DELETE FROM devices WHERE device_id = 'restored-2'")
    with publishing(settings) as health:
        eventually(lambda: "directory_conflicts" in health.snapshot().troubles)
        with auto(settings) as connection:
            found = {one.entry: one for one in directory_topic.list_conflicts(connection)}
            assert (found["device:restored-1"].active, found["device:restored-1"].known) == (
                False, True,
            )  # fmt: skip
            assert (found["device:restored-2"].active, found["device:restored-2"].known) == (
                True, False,
            )  # fmt: skip
            assert not door.takes(key)
            assert door.takes(other)
            assert directory_topic.resolve_conflicts(connection, adopt=False) == len(found)
            states = {one.device_id: one.active for one in list_devices(connection)}
            assert (states["restored-1"], states["restored-2"]) == (False, False)
        eventually(lambda: not door.takes(other))
        assert not door.takes(key)
        eventually(lambda: "directory_conflicts" not in health.snapshot().troubles)
    door.directory.stop()


def test_what_is_a_conflict() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    on, off = DeviceEntry("d", "k"), DeviceEntry("d", "k", active=False)

    def found(there: Published, here: Published | None) -> bool:
        tables = {} if here is None else {"device:d": here}
        return bool(directory_topic.find_conflicts({"device:d": there}, tables))

    before = now - timedelta(hours=1)
    assert found(Published(on, now), None)
    assert found(Published(on, None), None)
    assert not found(Published(off, now), None)  # nothing that could be used
    assert found(Published(off, now), Published(on, before))
    assert not found(Published(off, before), Published(on, now))
    assert not found(
        Published(off, None), Published(on, now)
    )  # as before: the tables are the truth
    assert not found(Published(on, now), Published(on, before))
