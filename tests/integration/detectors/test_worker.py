"""The worker on a real broker and a real database: what a crash, a retry or a rival must not do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import NamedTuple

import msgspec
import psycopg
import pytest
from kafka import TopicPartition

from detectors import service
from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from detectors.worker import Detectors
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from tests.support.vitals import at, heart
from vigil.contracts import topics, wire
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Tick, Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import StaleOwnerError, UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Received

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


class Driven:
    """A handler driven as the loop drives it, on a real broker."""

    def __init__(self, settings: Settings, publisher: Publisher):
        self.handler = Detectors(settings, load(), Health("detectors"))
        self._publisher = publisher

    def take(self, messages: Sequence[Received], *, save: bool = True) -> None:
        """Handle, produce, and save."""
        self._publisher.publish(self.handler.handle(messages).outgoing)
        if save:
            self.handler.checkpoint()


@contextmanager
def detectors(settings: Settings, *partitions: TopicPartition) -> Iterator[Driven]:
    """A handler that was given partitions."""
    with closing(Publisher(settings, "detectors")) as publisher:
        driven = Driven(settings, publisher)
        with closing(driven.handler):
            eventually(lambda: _given(driven.handler, partitions or (PLACE,)))
            yield driven


def _given(handler: Detectors, partitions: Sequence[TopicPartition]) -> bool:
    """As the loop does it: again while the broker, just started, does not know its groups yet."""
    try:
        handler.assigned(partitions)
    except UnavailableError as error:
        raise AssertionError(error.message) from error
    return True


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
        publisher.publish([wire.to_message(item, "test") for item in log[:30]])
        eventually(lambda: on_topic(settings, patient))
    with closing(Publisher(settings, "test")) as publisher, running(worker, settings) as health:
        publisher.publish([wire.to_message(item, "test") for item in log[30:]])
        eventually(lambda: len(on_topic(settings, patient)) == 2)
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
        with detectors(settings) as driven:
            driven.take(batch(log[start : start + 7], start))
    assert on_topic(settings, patient) == expected(log)
    assert checkpoint(settings) == (len(log), -(-len(log) // 7))


def test_a_crash_before_the_checkpoint_repeats_the_same_events(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as driven:
        driven.take(batch(log[:10]))
        driven.take(batch(log[10:20], 10), save=False)
        driven.take(batch(log[20:], 20), save=False)
    first = on_topic(settings, patient)
    assert first == expected(log)
    assert checkpoint(settings) == (10, 1)
    with detectors(settings) as driven:
        assert driven.handler.assigned([PLACE]) == {PLACE: 10}
        driven.take(batch(log[10:], 10))
    assert on_topic(settings, patient) == [*first, *first]
    assert checkpoint(settings) == (len(log), 3)


def test_a_database_that_fails_is_saved_to_later(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as driven:
        driven.take(batch(log[:5]))
        cut_connections(settings)
        with pytest.raises(UnavailableError):
            driven.take(batch(log[5:20], 5))
        driven.take(batch(log[20:], 20))
    assert on_topic(settings, patient) == expected(log)
    assert checkpoint(settings) == (len(log), 1)
    engine = Engine(load())
    for item in log:
        engine.process(item)
    assert state(settings, patient) == engine.state_of(patient), "each applied once"


def test_a_stale_owner_saves_nothing(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as old:
        old.take(batch(log[:10]))
        with detectors(settings) as new:
            old.handler.handle(batch(log[10:20], 10))
            with pytest.raises(StaleOwnerError):
                old.handler.checkpoint()
            assert checkpoint(settings) == (10, 2)
            new.take(batch(log[10:], 10))
            old.handler.revoked([PLACE])
        assert checkpoint(settings) == (len(log), 2)
        assert old.handler.assigned([PLACE]) == {PLACE: len(log)}
        assert old.handler.handle(batch([log[-1]], len(log))).outgoing == []
    assert on_topic(settings, patient) == expected(log)


def test_revoked_partitions_are_forgotten_and_the_others_kept(settings: Settings) -> None:
    mine, theirs = someone(), someone()
    with detectors(settings, PLACE, OTHER) as driven:
        driven.take([*batch(story(mine)[:30]), *batch(story(theirs)[:30], partition=1)])
        driven.handler.handle(batch(story(theirs)[30:], 30, partition=1))
        driven.handler.revoked([OTHER])
        driven.take(batch(story(mine)[30:], 30))
    assert on_topic(settings, mine) == expected(story(mine))
    assert on_topic(settings, theirs) == expected(story(theirs))[:1]
    assert checkpoint(settings, 1) == (30, 1)


def test_who_is_gone_leaves_memory_and_comes_back(settings: Settings) -> None:
    patient, other = someone(), someone()
    log, gone = story(patient), at(10 * 86_400)
    later = heart([float(rate) for rate in RATES], patient=patient, start=11 * 86_400)
    ticks = [Tick(at(len(RATES) * 60 + i * 120)) for i in range(10 * 720)]
    alone: list[Upload | Tick] = [*log, *ticks, Tick(gone)]
    with detectors(settings) as driven:
        driven.take(batch(alone))
        driven.take(batch(story(other), len(alone)))
        assert set(driven.handler._shards[PLACE].engine.known) == {other}
        before = state(settings, patient)
    with detectors(settings) as driven:
        assert set(driven.handler._shards[PLACE].engine.known) == {other}, "not loaded either"
        driven.take(batch(later, len(alone) + len(log)))
        assert set(driven.handler._shards[PLACE].engine.known) == {other, patient}
    assert state(settings, patient) != before
    engine = Engine(load())
    found = [
        e
        for m in alone
        for e in (engine.tick(m.time) if isinstance(m, Tick) else engine.process(m))
    ]
    found += [e for item in later for e in engine.process(item)]
    assert on_topic(settings, patient) == [encode(event) for event in found]


def test_a_partitions_ticks_judge_its_own_patients_alone(settings: Settings) -> None:
    here, there = someone(), someone()
    with detectors(settings, PLACE, OTHER) as driven:
        readings = [*batch(story(here)), *batch(story(there), partition=1)]
        start = at(len(RATES) * 60)
        ticks: list[wire.Carried] = [Tick(start + timedelta(minutes=i)) for i in range(45)]
        driven.take([*readings, *batch(ticks, len(RATES))])
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
    with detectors(settings) as driven:
        driven.take(batch([*log, *ticks[:20]]))
    with detectors(settings) as driven:
        driven.take(batch(ticks[20:], len(log) + 20))
    assert _kinds(settings, patient)[2:] == ["no_data"]


def test_a_state_that_cannot_be_read_is_kept_aside_and_begun_afresh(settings: Settings) -> None:
    patient = someone()
    log = story(patient)
    with detectors(settings) as driven:
        driven.take(batch(log[:10]))
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute("UPDATE detector_states SET state = 'broken'")
    with detectors(settings) as driven:
        driven.take(batch(log[10:], 10))
    assert len(on_topic(settings, patient)) == 2
    with psycopg.connect(settings.database()) as connection:
        kept = connection.execute("SELECT patient_id, state FROM states_set_aside").fetchall()
    assert kept == [(patient, b"broken")]


def test_a_log_that_began_anew_is_read_from_its_beginning(settings: Settings) -> None:
    """A broker that kept nothing comes back: offsets start at 0 again, the states are kept."""
    patient = someone()
    log = story(patient)
    with detectors(settings) as driven:
        driven.take(batch(log[:20], 500))
        driven.take(batch(log[20:], 0))
        assert checkpoint(settings) == (len(log) - 20, 1)
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute("UPDATE checkpoints SET log_id = 'gone'")
    with detectors(settings) as driven:
        assert driven.handler.assigned([PLACE]) == {PLACE: 0}
    assert on_topic(settings, patient) == expected(log)


def test_a_broken_configuration_ends_the_process_with_words(settings: Settings) -> None:
    from vigil.service.errors import SettingsError

    wrong = settings.model_copy(update={"detection_config": "/nowhere/ward.toml"})
    with pytest.raises(SettingsError, match="cannot be read"):
        service.build(wrong)


def test_a_state_of_a_newer_vigil_is_not_written_over(settings: Settings) -> None:
    patient = someone()
    with detectors(settings) as driven:
        driven.take(batch(story(patient)[:10]))
    newer = msgspec.msgpack.encode([99, {}])
    with psycopg.connect(settings.database(), autocommit=True) as connection:
        connection.execute("UPDATE detector_states SET state = %s", (newer,))
    with (
        pytest.raises(UnavailableError) as refusal,
        closing(Detectors(settings, load(), Health("detectors"))) as older,
    ):
        older.assigned([PLACE])
    assert refusal.value.code == "unavailable.state_newer"
    assert state(settings, patient) == newer
