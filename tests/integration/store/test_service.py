"""The worker on a real broker and a real database, both of which become unavailable and return."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local import parts
from store.database.connections import connect
from store.database.migrate import migrate
from store.people.directory import DirectoryPublisher
from store.people.patients import (
    Device,
    Patient,
    add_device,
    deactivate,
    enrol,
    enrol_many,
    key_digest,
    revoke_device,
)
from store.service import build
from tests.support.messages import NOON, action, alert, event, measurement, phrase, upload
from tests.support.processes import end, launch, open_folder, started, wait_ready
from tests.support.running import eventually, running
from tests.support.streaming import launch_with_topics, read_all
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.reading import Tick
from vigil.kafka.clients import Publisher
from vigil.service.errors import WireError
from vigil.service.health import Health
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as opened:
        yield opened


def stop(database: subprocess.Popen[bytes]) -> None:
    """End PostgreSQL at once, whoever is connected (SIGTERM would wait for them)."""
    database.send_signal(signal.SIGINT)
    database.wait(TIMEOUT)


def publish(settings: Settings, *messages: wire.Carried) -> None:
    publisher = Publisher(settings, "test")
    try:
        publisher.publish([wire.to_message(message, "test") for message in messages])
    finally:
        publisher.close()


def counted(url: str, patient: str) -> dict[str, int]:
    """A patient's rows by table (the broker is shared by the tests of this file)."""
    names = ("readings", "events", "alerts", "actions")
    query = " UNION ALL ".join(
        f"SELECT '{n}', count(*) FROM {n} WHERE patient_id = %(p)s" for n in names
    )
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query, {"p": patient}).fetchall())


@contextmanager
def publishing(settings: Settings) -> Iterator[Health]:
    """The directory's publisher alone, as a worker."""

    class Alone:
        name = "directory"

        def run(self, stop: threading.Event, health: Health) -> None:
            health.trouble("start", None)
            DirectoryPublisher(settings, health).run(stop)

    with running(Alone(), settings) as health:
        eventually(health.ready)
        yield health


def directory(settings: Settings) -> dict[str, PatientEntry | DeviceEntry]:
    """The topic as ingest would hold it: the newest entry of each key."""
    records = read_all(settings, topics.DIRECTORY.name)
    return {
        record.key.decode(): wire.decode(record.topic, record.value, record.headers)  # type: ignore[misc]
        for record in records
    }


def test_what_is_on_the_topics_is_in_the_tables_and_what_cannot_be_is_a_dead_letter(
    settings: Settings,
) -> None:
    url = settings.database()
    bad = upload(measurement(0, "a\x00b"), measurement(3))
    with running(build(settings), settings) as health:
        publish(settings, upload(measurement(), measurement(1)), event(), alert(), action())
        publish(settings, Tick(NOON), bad, event(), upload(measurement(2)))
        wanted = {"readings": 4, "events": 1, "alerts": 1, "actions": 1}
        eventually(lambda: counted(url, "p1") == wanted)
        eventually(lambda: health.snapshot().counters["dead_letters"] == 1)
    assert health.snapshot().counters["readings_stored"] == 4
    (dead_letter,) = read_all(settings, topics.DEAD_LETTERS.name)
    assert wire.header(dead_letter.headers, "vigil_reason") == "wire.rejected"
    assert dead_letter.value == wire.to_message(bad, "test").value


def test_nothing_is_lost_or_reordered_while_the_database_is_unavailable(
    broker: str, folder: Path
) -> None:
    part = parts.postgres(folder / "data", durable=False)
    settings = Settings(demo=True, kafka_bootstrap=broker, database_url=part.address)
    process = launch(part)
    try:
        wait_ready(part, process)
        migrate(part.address)
        with running(build(settings), settings) as health:
            publish(settings, upload(*(measurement(i) for i in range(10)), patient="later"))
            eventually(lambda: counted(part.address, "later")["readings"] == 10)
            stop(process)
            for i in range(100, 130):  # message by message: their order is to be kept
                publish(settings, upload(measurement(i), patient="later"))
            eventually(lambda: "unavailable.database" in str(health.report()["trouble"]))
            process = launch(part)
            wait_ready(part, process)
            eventually(lambda: counted(part.address, "later")["readings"] == 40)
            eventually(health.ready)
        with psycopg.connect(part.address) as connection:
            written = connection.execute(
                "SELECT time FROM readings WHERE patient_id = 'later' ORDER BY ctid"
            ).fetchall()
        assert written == sorted(written)
    finally:
        end(process)


def test_a_database_without_tables_is_waited_for(broker: str, folder: Path) -> None:
    with started(parts.postgres(folder / "data", durable=False)) as part:
        settings = Settings(demo=True, kafka_bootstrap=broker, database_url=part.address)
        ending, health = threading.Event(), Health("store")
        thread = threading.Thread(target=build(settings).run, args=(ending, health))
        thread.start()
        try:
            publish(settings, upload(measurement(), patient="early"))
            eventually(lambda: "unavailable.schema" in str(health.report()["trouble"]))
            migrate(part.address)
            eventually(lambda: counted(part.address, "early")["readings"] == 1)
        finally:
            ending.set()
            thread.join(40)
        assert not thread.is_alive()


def test_the_directory_is_kept_equal_to_the_tables(settings: Settings) -> None:
    with connect(settings) as connection:
        enrol(connection, Patient("p1", "cardiology", "Ada Lovelace", "es", synthetic=True))
        key = add_device(connection, Device("d1", "watch", "p1"))
    with publishing(settings):
        assert directory(settings) == {
            "patient:p1": PatientEntry("p1", "cardiology", "es", active=True, synthetic=True),
            "device:d1": DeviceEntry("d1", key_digest(key), "p1", active=True),
        }
        with connect(settings) as connection:
            enrol_many(connection, [Patient(f"q{i}", "home") for i in range(50)])
            deactivate(connection, "p1")
            revoke_device(connection, "d1")
        eventually(lambda: len(directory(settings)) == 52)
        eventually(lambda: not directory(settings)["device:d1"].active)
        assert not directory(settings)["patient:p1"].active
    text = b"".join(record.value for record in read_all(settings, topics.DIRECTORY.name))
    assert b"Ada" not in text
    assert key.encode() not in text


def test_the_directory_survives_the_database(broker: str, folder: Path) -> None:
    part = parts.postgres(folder / "data", durable=False)
    settings = Settings(demo=True, kafka_bootstrap=broker, database_url=part.address)
    process = launch(part)
    try:
        wait_ready(part, process)
        migrate(part.address)
        with publishing(settings) as health:
            stop(process)
            eventually(lambda: not health.ready())
            process = launch(part)
            wait_ready(part, process)
            with connect(settings) as connection:
                enrol(connection, Patient("survivor", "home"))
            eventually(lambda: "patient:survivor" in directory(settings))
            eventually(health.ready)
    finally:
        end(process)


def test_reviews_are_published_again_to_a_broker_that_lost_them(database_url: str) -> None:
    part = parts.tansu()
    settings = Settings(
        demo=True, kafka_bootstrap=part.address, database_url=database_url, partitions=1
    )
    banned = phrase(status="banned", revision=1, by="kim")

    def on_topic() -> list[Any]:
        records = read_all(settings, topics.PHRASES.name)
        return [wire.decode(r.topic, r.value, r.headers) for r in records]

    def held() -> Any:
        with connect(settings) as connection:
            return connection.execute("SELECT status FROM phrases").fetchone()

    process = launch_with_topics(part, settings)
    try:
        with running(build(settings), settings):
            publish(settings, phrase(), banned)
            eventually(lambda: held() == {"status": "banned"})
            end(process)
            process = launch_with_topics(part, settings)
            eventually(lambda: on_topic() == [banned])
            publish(settings, phrase())  # a draft behind it changes nothing here
            time.sleep(1)
            assert held() == {"status": "banned"}
    finally:
        end(process)


def test_the_directory_is_published_again_to_a_broker_that_lost_it(database_url: str) -> None:
    part = parts.tansu()
    settings = Settings(
        demo=True, kafka_bootstrap=part.address, database_url=database_url, partitions=1
    )
    with connect(settings) as connection:
        enrol_many(connection, [Patient(f"p{i}", "home") for i in range(20)])
    process = launch_with_topics(part, settings)
    try:
        with publishing(settings):
            assert len(directory(settings)) == 20
            end(process)
            process = launch_with_topics(part, settings)
            eventually(lambda: len(directory(settings)) == 20)
    finally:
        end(process)


def test_an_entry_of_the_directory_has_the_time_of_its_change(settings: Settings) -> None:
    """A reader of CloudEvents takes an event without a time to be of now."""
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO patients (patient_id, ward, changed_at)"
            " VALUES ('dated', 'A', '2026-03-01T10:00:00.25Z')"
        )
    seen = set()
    for _ in range(2):
        with publishing(settings):
            records = read_all(settings, topics.DIRECTORY.name)
        mine = [record for record in records if record.key == b"patient:dated"]
        for record in mine:
            seen.add((wire.header(record.headers, "ce_time"), wire.header(record.headers, "ce_id")))
        assert all(wire.header(record.headers, "ce_time") for record in records)
    ((time, ident),) = seen
    assert time == "2026-03-01T10:00:00.250000Z"
    assert ident


def test_a_broker_that_refuses_an_entry_is_asked_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka refuses timestamps of a clock that is an hour ahead: the store waits, and goes on."""
    take, refusals = Publisher.publish_upto, [1, 2]

    def publish(self: Publisher, messages: Iterable[wire.Outgoing], seconds: float = 30) -> int:
        if refusals:
            refusals.pop()
            raise WireError("The broker will never take a message.", code="wire.refused")
        return take(self, messages, seconds)

    with publishing(settings) as health:
        monkeypatch.setattr(Publisher, "publish_upto", publish)
        with connect(settings) as connection:
            enrol(connection, Patient("ahead", "cardiology"))
        eventually(lambda: "will never take" in str(health.report()["trouble"]))
        eventually(lambda: "patient:ahead" in directory(settings))
        eventually(health.ready)
    assert not refusals
