"""The worker on a real broker and a real database: what a crash, a retry or a rival must not do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from kafka import TopicPartition

from detectors import service
from detectors.config import load
from detectors.engine import Engine
from detectors.worker import Detectors
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from tests.support.vitals import at, heart
from vigil import topics, wire
from vigil.broker import Publisher
from vigil.errors import StaleOwnerError, UnavailableError
from vigil.handler import Received
from vigil.health import Health
from vigil.model import Event, Tick, Upload, encode
from vigil.settings import Settings

pytestmark = pytest.mark.kafka

TOPIC = topics.READINGS.name
PLACE = TopicPartition(TOPIC, 0)
OTHER = TopicPartition(TOPIC, 1)
CALM = [70 + i % 3 for i in range(20)]
RATES = CALM[:15] + [131 + i % 3 for i in range(25)] + CALM


def story(patient: str) -> list[Upload]:
    """A tachycardia that opens and closes."""
    return heart([float(rate) for rate in RATES], patient=patient)


def someone() -> str:
    return f"p-{secrets.token_hex(4)}"


def batch(messages: Sequence[wire.Carried], start: int = 0, partition: int = 0) -> list[Received]:
    return [Received(TOPIC, partition, start + i, m, None) for i, m in enumerate(messages)]


def expected(log: Sequence[Upload]) -> list[bytes]:
    engine = Engine(load())
    return [encode(event) for item in log for event in engine.process(item)]


def on_topic(settings: Settings, patient: str) -> list[bytes]:
    """The patient's events, in the order in which the topic has them."""
    records = read_all(settings, topics.EVENTS.name)
    return [record.value for record in records if record.key == patient.encode()]


class Row(NamedTuple):
    """A checkpoint as the database has it."""

    next_offset: int
    epoch: int


def checkpoint(settings: Settings, partition: int = 0) -> Row | None:
    with psycopg.connect(settings.database()) as connection:
        row = connection.execute(
            "SELECT next_offset, epoch FROM checkpoints WHERE partition = %s", (partition,)
        ).fetchone()
    return Row(*row) if row else None


def state(settings: Settings, patient: str) -> bytes | None:
    with psycopg.connect(settings.database()) as connection:
        row = connection.execute(
            "SELECT state FROM detector_states WHERE patient_id = %s", (patient,)
        ).fetchone()
    return row[0] if row else None


class Unreliable:
    """A real publisher, of which a test says when it fails, and after how many messages."""

    def __init__(self, settings: Settings):
        self.publisher = Publisher(settings, "detectors")
        self.failures: list[tuple[int, Exception]] = []

    def publish(self, messages: Sequence[wire.Outgoing]) -> int:
        """Publish; or publish some, and fail."""
        if self.failures:
            count, error = self.failures.pop(0)
            self.publisher.publish(messages[:count])
            raise error
        return self.publisher.publish(messages)

    def close(self) -> None:
        """Let go."""
        self.publisher.close()


@contextmanager
def detectors(settings: Settings, *partitions: TopicPartition) -> Iterator[tuple[Any, Unreliable]]:
    """A handler that was given partitions, and its publisher."""
    publisher = Unreliable(settings)
    handler = Detectors(settings, load(), Health("detectors"), lambda: publisher)
    with closing(handler):
        handler.assigned(partitions or (PLACE,))
        yield handler, publisher


def away() -> UnavailableError:
    return UnavailableError("away", code="unavailable.broker")


def cut_connections(settings: Settings) -> None:
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_readings_on_the_topic_become_events_on_the_topic(settings: Settings) -> None:
    patient, worker = someone(), service.build(settings)
    log = story(patient)
    publisher = Publisher(settings, "test")
    with closing(publisher), running(worker, settings) as health:
        publisher.publish([wire.outgoing(item, "test") for item in log[:30]])
        eventually(lambda: on_topic(settings, patient), 30)
    with closing(Publisher(settings, "test")) as publisher, running(worker, settings) as health:
        publisher.publish([wire.outgoing(item, "test") for item in log[30:]])
        eventually(lambda: len(on_topic(settings, patient)) == 2, 30)
        assert health.report()["trouble"] == {}
    assert on_topic(settings, patient) == expected(log)
    record = next(r for r in read_all(settings, topics.EVENTS.name) if r.key == patient.encode())
    decoded = wire.decode(topics.EVENTS.name, record.value, record.headers)
    assert isinstance(decoded, Event)
    assert wire.header(record.headers, "ce_source") == "/vigil/detectors"


def test_batch_by_batch_with_a_new_owner_each_time(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    for start in range(0, len(log), 7):
        with detectors(settings) as (handler, _):
            handler.handle(batch(log[start : start + 7], start))
    assert on_topic(settings, patient) == expected(log)
    assert checkpoint(settings) == (len(log), -(-len(log) // 7))


def test_a_crash_after_publishing_repeats_the_same_events(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as (handler, _):
        handler.handle(batch(log[:10]))

        def crash(_savings: object) -> None:
            raise KeyboardInterrupt

        handler._checkpoints.save = crash
        with pytest.raises(KeyboardInterrupt):
            handler.handle(batch(log[10:], 10))
    first = on_topic(settings, patient)
    assert first == expected(log)
    saved = checkpoint(settings)
    assert saved is not None
    assert saved.next_offset == 10
    with detectors(settings) as (handler, _):
        assert handler.assigned([PLACE]) == {PLACE: 10}
        handler.handle(batch(log[10:], 10))
    assert on_topic(settings, patient) == [*first, *first]
    saved = checkpoint(settings)
    assert saved is not None
    assert saved.next_offset == len(log)


@pytest.mark.parametrize("published", [0, 1, 2])
def test_a_broker_that_fails_half_way_gets_the_whole_again(
    settings: Settings, published: int
) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as (handler, publisher):
        publisher.failures = [(published, away()), (0, away())]
        for _ in range(2):
            with pytest.raises(UnavailableError):
                handler.handle(batch(log))
        before = checkpoint(settings)
        assert before is not None
        assert before.next_offset == -1
        handler.handle(batch(log))
        assert on_topic(settings, patient) == expected(log)[:published] + expected(log)
        engine = Engine(load())
        for item in log:
            engine.process(item)
        assert state(settings, patient) == engine.state_of(patient), "applied once"


def test_a_database_that_fails_is_saved_to_later_without_publishing_again(
    settings: Settings,
) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as (handler, _):
        handler.handle(batch(log[:5]))
        cut_connections(settings)
        with pytest.raises(UnavailableError):
            handler.handle(batch(log[5:], 5))
        handler.handle(batch(log[5:], 5))
        handler.handle(batch([Tick(at(len(RATES) * 60))], len(log)))
    assert on_topic(settings, patient) == expected(log)
    assert checkpoint(settings) == (len(log), 1)


def test_a_stale_owner_saves_nothing(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as (old, _):
        old.handle(batch(log[:10]))
        with detectors(settings) as (new, _):
            with pytest.raises(StaleOwnerError):
                old.handle(batch(log[10:20], 10))
            assert checkpoint(settings) == (10, 2)
            new.handle(batch(log[10:], 10))
            old.revoked([PLACE])
        assert checkpoint(settings) == (len(log), 2)
        assert old.assigned([PLACE]) == {PLACE: len(log)}
        assert old.handle(batch([log[-1]], len(log))) == []
    assert on_topic(settings, patient) == expected(log)


def test_revoked_partitions_are_forgotten_and_the_others_kept(settings: Settings) -> None:
    mine, theirs = someone(), someone()
    with detectors(settings, PLACE, OTHER) as (handler, publisher):
        handler.handle([*batch(story(mine)[:30]), *batch(story(theirs)[:30], partition=1)])
        publisher.failures = [(0, away())]
        both = [*batch(story(mine)[30:], 30), *batch(story(theirs)[30:], 30, partition=1)]
        with pytest.raises(UnavailableError):
            handler.handle(both)
        handler.revoked([OTHER])
        handler.handle(batch([Tick(at(len(RATES) * 60))], len(RATES)))
    assert on_topic(settings, mine) == expected(story(mine))
    assert on_topic(settings, theirs) == expected(story(theirs))[:1]
    assert checkpoint(settings, 1) == (30, 1)


def test_a_partitions_ticks_judge_its_own_patients_alone(settings: Settings) -> None:
    here, there = someone(), someone()
    with detectors(settings, PLACE, OTHER) as (handler, _):
        readings = [*batch(story(here)), *batch(story(there), partition=1)]
        start = at(len(RATES) * 60)
        ticks: list[wire.Carried] = [Tick(start + timedelta(minutes=i)) for i in range(45)]
        handler.handle([*readings, *batch(ticks, len(RATES))])
        assert _kinds(settings, here) == ["heart_rate_high", "heart_rate_high", "no_data"]
        assert _kinds(settings, there) == ["heart_rate_high", "heart_rate_high"]


def _kinds(settings: Settings, patient: str) -> list[str]:
    events = [wire.decode(topics.EVENTS.name, v, ()) for v in on_topic(settings, patient)]
    return [event.kind for event in events if isinstance(event, Event)]


def test_silence_is_counted_on_from_where_the_last_owner_stood(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    start = at(len(RATES) * 60)
    ticks: list[Tick] = [Tick(start + timedelta(minutes=i)) for i in range(45)]
    with detectors(settings) as (handler, _):
        handler.handle(batch([*log, *ticks[:20]]))
    with detectors(settings) as (handler, _):
        handler.handle(batch(ticks[20:], len(log) + 20))
    assert _kinds(settings, patient)[2:] == ["no_data"]


def test_ticks_alone_are_saved_now_and_then(settings: Settings) -> None:
    now = [0.0]
    publisher = Unreliable(settings)
    handler = Detectors(settings, load(), Health("x"), lambda: publisher, lambda: now[0])
    with closing(handler):
        handler.assigned([PLACE])
        saved = []
        for i in range(8):
            now[0] = i * 2.0
            handler.handle(batch([Tick(at(i * 15))], i))
            row = checkpoint(settings)
            assert row is not None
            saved.append(row.next_offset)
        assert saved == [1, 1, 1, 4, 4, 4, 7, 7]
        handler.handle(batch([story(someone())[0]], 8))
        assert checkpoint(settings) == (9, 1)
    publisher.close()


def test_a_state_that_cannot_be_read_is_begun_afresh(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as (handler, _):
        handler.handle(batch(log[:10]))
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute("UPDATE detector_states SET state = 'broken'")
    with detectors(settings) as (handler, _):
        handler.handle(batch(log[10:], 10))
    assert len(on_topic(settings, patient)) == 2


def test_a_log_that_began_anew_is_read_from_its_beginning(settings: Settings) -> None:
    """A broker that kept nothing comes back: offsets start at 0 again, the states are kept."""
    patient = someone()
    log = story(patient)
    with detectors(settings) as (handler, _):
        handler.handle(batch(log[:20], 500))
        handler.handle(batch(log[20:], 0))
        assert checkpoint(settings) == (len(log) - 20, 1)
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute("UPDATE checkpoints SET log_id = 'gone'")
    with detectors(settings) as (handler, _):
        assert handler.assigned([PLACE]) == {}
    assert on_topic(settings, patient) == expected(log)


def test_a_broken_configuration_ends_the_process_with_words(settings: Settings) -> None:
    from vigil.errors import SettingsError

    wrong = settings.model_copy(update={"detection_config": "/nowhere/ward.toml"})
    with pytest.raises(SettingsError, match="cannot be read"):
        service.build(wrong)
