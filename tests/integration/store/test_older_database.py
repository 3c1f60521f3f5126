"""A database that was restored from a backup, or made anew, under a log that has gone on."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from cli.stream.positions import find_offset_store
from detectors.configuration import loading as config
from detectors.worker import Detectors
from notify.planning.planner import Planner
from notify.sending.sender import WakeSignal
from store.database.connections import connect, open_pool
from store.database.migrate import migrate
from store.notifications import deliveries
from store.service import Store
from store.workers import checkpoints, positions
from store.workers.checkpoints import Saving
from store.workers.positions import Positions
from tests.integration.notify.test_planner import Known
from tests.support.messages import alert, event
from tests.support.running import eventually
from tests.support.streaming import committed, ends, looping, uploads
from vigil.contracts import wire
from vigil.kafka import group_offsets
from vigil.kafka.clients import Publisher, open_admin
from vigil.service.errors import StaleOwnerError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.skipping import Position, WorkerPosition
from vigil.values.clock import utc_now

pytestmark = pytest.mark.kafka


@pytest.fixture
def backup(settings: Settings) -> Iterator[Any]:
    """Copies the database as it is: what a restore brings back. Nobody may be connected."""
    made = []
    url = settings.database()
    server, _, name = url.rpartition("/")

    def copy() -> Settings:
        other = f"restored_{secrets.token_hex(6)}"
        made.append(other)
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            clone = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(clone.format(sql.Identifier(other), sql.Identifier(name)))
        return settings.model_copy(update={"database_url": SecretStr(f"{server}/{other}")})

    yield copy
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        for other in made:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(other)))


def publish(settings: Settings, messages: list[wire.Outgoing]) -> None:
    publisher = Publisher(settings, "test")
    try:
        publisher.publish(messages)
    finally:
        publisher.close()


def stored(settings: Settings, prefix: str) -> list[str]:
    with psycopg.connect(settings.database()) as connection:
        found = connection.execute(
            "SELECT reading_id FROM readings WHERE patient_id LIKE %s", (f"{prefix}%",)
        )
        return sorted(reading_id for (reading_id,) in found)


def storing(settings: Settings, prefix: str, count: int) -> Health:
    """A store until it has so many readings."""
    store = Store(settings, Health("store"))
    with looping(store, settings) as (health, _stop):
        store._health = store._positions._health = health
        eventually(lambda: len(stored(settings, prefix)) >= count)
    store.close()
    return health


def ids_of(messages: list[wire.Outgoing], prefix: str) -> list[str]:
    decoded = [wire.decode(m.topic, m.value, m.headers) for m in messages]
    return sorted(one.reading_id for m in decoded for one in m.measurements)  # type: ignore[union-attr]


def test_what_a_restored_database_lacks_is_read_again(settings: Settings, backup: Any) -> None:
    prefix, messages = uploads(4, 60)
    publish(settings, messages[:100])
    storing(settings, prefix, 100)
    restored = backup()
    publish(settings, messages[100:])
    storing(settings, prefix, 240)  # its offsets are committed, far ahead of the backup
    store = Store(restored, Health("store"))
    with looping(store, restored):
        eventually(lambda: len(stored(restored, prefix)) == 240)
    store.close()
    assert stored(restored, prefix) == ids_of(messages, prefix)


def test_a_new_database_reads_what_the_log_has(settings: Settings, backup: Any) -> None:
    empty = backup()
    prefix, messages = uploads(3, 20)
    publish(settings, messages)
    storing(settings, prefix, 60)
    health = Health("store")
    store = Store(empty, health)
    with looping(store, empty):
        eventually(lambda: len(stored(empty, prefix)) == 60)
    store.close()
    assert health.snapshot().counters["messages_read_again"] > 0
    assert stored(empty, prefix) == ids_of(messages, prefix)


KEPT = ("readings", "latest", "stream_positions")


def test_a_database_that_is_restored_under_a_running_store(settings: Settings) -> None:
    prefix, messages = uploads(4, 60)
    store = Store(settings, Health("store"))
    with (
        looping(store, settings),
        psycopg.connect(settings.database(), autocommit=True) as connection,
    ):
        publish(settings, messages[:100])
        eventually(lambda: len(stored(settings, prefix)) == 100)
        before = eventually(partial(settled, settings, connection))
        with connection.transaction():
            connection.execute("CREATE SCHEMA aside")
            for table in KEPT:
                connection.execute(f"CREATE TABLE aside.{table} AS TABLE public.{table}".encode())
        publish(settings, messages[100:200])
        eventually(lambda: sum(places(connection).values()) >= before + 100)
        with connection.transaction():
            for table in KEPT:
                connection.execute(f"TRUNCATE public.{table}".encode())
                back = f"INSERT INTO public.{table} TABLE aside.{table}"
                connection.execute(back.encode())
        publish(settings, messages[200:])
        eventually(lambda: len(stored(settings, prefix)) == 240)
    store.close()
    assert stored(settings, prefix) == ids_of(messages, prefix)


def settled(settings: Settings, connection: psycopg.Connection[Any]) -> int:
    """How many messages of readings the database is past, once that is all of them."""
    past = sum(places(connection).values())
    return past if past == sum(ends(settings, "vitals.readings").values()) else 0


def places(connection: psycopg.Connection[Any]) -> dict[tuple[str, int], int]:
    found = connection.execute(
        "SELECT topic, partition, next_offset FROM stream_positions"
        " WHERE worker_group = 'store' AND topic = 'vitals.readings'"
    )
    return {(topic, partition): offset for topic, partition, offset in found}


def test_states_are_not_saved_over_a_database_that_went_back(database_url: str) -> None:
    place = checkpoints.GroupPartition("detectors", "vitals.readings", 0)
    with connect(Settings(demo=True, database_url=database_url)) as connection:
        claimed = checkpoints.claim(connection, place, "log")
        at = replace(claimed, next_offset=10)
        checkpoints.save(connection, [Saving(place, at, {"p1": b"1"})])
        later = Saving(place, replace(at, next_offset=20), {"p1": b"2"}, saved_offset=10)
        checkpoints.save(connection, [later])
        checkpoints.save(connection, [later])  # a repetition, where the answer was lost
        connection.execute("UPDATE checkpoints SET next_offset = 10")  # restored
        newer = Saving(place, replace(at, next_offset=30), {"p2": b"1"}, saved_offset=20)
        with pytest.raises(StaleOwnerError):
            checkpoints.save(connection, [newer])
        assert checkpoints.claim(connection, place, "log").next_offset == 10


def test_a_database_that_is_not_behind_reads_nothing_again(settings: Settings) -> None:
    prefix, messages = uploads(3, 20)
    publish(settings, messages)
    storing(settings, prefix, 60)
    health = Health("store")
    store = Store(settings, health)
    with looping(store, settings) as (loop_health, _stop):
        eventually(lambda: loop_health.ready() or None)
    store.close()
    assert "messages_read_again" not in health.snapshot().counters
    assert "messages" not in loop_health.snapshot().counters


def test_a_message_that_a_person_skipped_is_not_taken_for_one_that_is_missing(
    settings: Settings, backup: Any
) -> None:
    old = backup()
    prefix, messages = uploads(3, 20)
    publish(settings, messages)
    storing(settings, prefix, 60)
    places = [TopicPartition("vitals.readings", number) for number in range(3)]
    stands = group_offsets.read_group_offsets(settings, "store", places)
    place, here = min(stands.committed.items())
    with connect(settings, autocommit=True) as connection:
        positions.skip_message(
            connection, "store", place, stands.log_id, before=here, after=here + 1
        )
    with open_admin(settings) as admin:
        admin.alter_group_offsets("vigil-store", {place: OffsetAndMetadata(here + 1, "", -1)})
    cases: list[tuple[Settings, dict[Any, int]]] = [(settings, {}), (old, {place: 0})]
    for there, wanted in cases:
        with open_pool(there) as pool:
            asking = Positions(there, "store", Health("store"), pool.connection)
            assert asking.assigned([place]) == wanted


@pytest.mark.parametrize("service", ["store", "detectors"])
def test_a_skip_under_an_older_database_is_where_the_worker_begins(
    settings: Settings, backup: Any, service: str
) -> None:
    """Kafka's offset is far ahead: what lies between would never be read again."""
    empty = backup()
    prefix, messages = uploads(3, 20)
    publish(settings, messages)
    if service == "store":
        storing(settings, prefix, 60)
    else:
        judging(settings)
    places = [TopicPartition("vitals.readings", number) for number in range(3)]
    stands = group_offsets.read_group_offsets(settings, service, places)
    place = max(stands.committed, key=stands.committed.__getitem__)
    assert stands.committed[place] > 1
    store = find_offset_store(service, empty)
    worker = WorkerPosition(empty, service, place, offset_store=store)
    assert worker.read() == Position(0, 0)
    assert worker.skip(0).next_offset == 1
    assert worker.read() == Position(1, 1)
    assert worker.skip(1).next_offset == 2
    handler: Any = Store(empty, Health("store"))
    if service == "detectors":
        handler = Detectors(empty, config.load(None), Health("detectors"))
    found = handler.assigned([place])
    handler.close()
    stands = group_offsets.read_group_offsets(empty, service, [place])
    assert (found.get(place) or stands.committed[place]) == 2


def test_detectors_on_a_new_database_judge_what_the_log_has(
    settings: Settings, backup: Any
) -> None:
    empty = backup()
    _, messages = uploads(3, 20)
    publish(settings, messages)
    judging(settings)
    assert judging(empty).snapshot().counters["messages_read_again"] >= 60


def judging(settings: Settings) -> Health:
    """Detectors until they have judged all."""
    health = Health("detectors")
    detectors = Detectors(settings, config.load(None), health)
    with looping(detectors, settings):
        eventually(lambda: health.snapshot().counters.get("readings", 0) >= 60)
        eventually(lambda: sum(committed(settings, detectors).values()) >= 60)
    detectors.close()
    return health


@contextmanager
def planning(settings: Settings) -> Iterator[Health]:
    health = Health("notify")
    with open_pool(settings) as pool:
        where = Positions(settings, Planner.name, health, pool.connection)
        planner = Planner(
            pool,
            [Known("on_call", "oncall-1")],
            wake_signal=WakeSignal(),
            clock=utc_now,
            health=health,
            demo=True,
            positions=where,
        )
        with looping(planner, settings):
            yield health


def pages(settings: Settings) -> list[dict[str, Any]]:
    with psycopg.connect(settings.database(), row_factory=dict_row) as connection:
        return deliveries.newest(connection)


def test_a_page_that_was_planned_after_the_backup_is_planned_by_its_own_time(
    settings: Settings, backup: Any
) -> None:
    """Events published again, because the detectors' database was restored too, page nobody
    later than the first publication would have."""
    restored = backup()
    first = wire.to_message(alert(event(detected_at=datetime.now(UTC))), "test")
    publish(settings, [first])
    with planning(settings):
        eventually(lambda: len(pages(settings)) == 1)
    published = pages(settings)[0]["made_at"]
    publish(settings, [first])  # published again
    with planning(restored):
        eventually(lambda: len(pages(restored)) == 1)
    assert [row["made_at"] for row in pages(restored)] == [published]


def test_the_table_comes_with_a_migration(database_url: str) -> None:
    assert migrate(database_url) == []
