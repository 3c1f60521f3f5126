"""Messages of the future on the topic: nobody's newest value, alarm or clock waits for it."""

from __future__ import annotations

import re
import secrets
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from kafka import TopicPartition
from msgspec.structs import replace

from detectors import service as detectors_service
from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from detectors.worker import Detectors
from history.rebuild_sources import FromTopic
from store import service as store_service
from store.database.connections import connect
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from tests.support.vitals import MIDNIGHT, heart
from vigil.contracts import topics, wire
from vigil.domain.episode import Event
from vigil.domain.reading import Measurement, Tick, Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Received

pytestmark = pytest.mark.kafka
CALM = [70.0 + i % 3 for i in range(20)]
FAST = [131.0 + i % 3 for i in range(25)]
PARTITION = 1


def _assign(handler: Detectors, place: TopicPartition) -> None:
    """As the loop does: again while a broker that has just started knows no coordinator."""

    def assigned() -> bool:
        try:
            handler.assigned([place])
        except UnavailableError as error:
            raise AssertionError(str(error)) from error
        return True

    eventually(assigned)


def far_ahead(patient: str, now: datetime) -> list[Upload | Tick]:
    """Of hours, of years: an upload whose device agrees with its sender, one whose does not, and
    the clock itself."""
    found: list[Upload | Tick] = []
    for time in (now + timedelta(hours=3), now.replace(year=2200, day=1)):
        for measured in (time, now):
            item = Measurement(f"far-{time.year}-{measured}"[:20], measured, {"heart_rate": 71.0})
            found.append(Upload(patient, "d1", time, (item,)))
        found.append(Tick(time))
    return found


def events_of(settings: Settings, patient: str) -> list[Event]:
    records = read_all(settings, topics.EVENTS.name)
    found = [wire.decode(r.topic, r.value, r.headers) for r in records]
    return [e for e in found if isinstance(e, Event) and e.patient_id == patient]


def test_nothing_waits_for_the_future_to_come(settings: Settings) -> None:
    patient = f"p-{secrets.token_hex(4)}"
    now = datetime.now(UTC)
    begin = (now - MIDNIGHT).total_seconds() - 60.0 * (len(CALM) + len(FAST))
    calm = heart(CALM, start=begin, patient=patient)
    fast = heart(FAST, start=begin + 60.0 * len(CALM), patient=patient)
    log: list[Any] = [*calm, *far_ahead(patient, calm[-1].received_at), *fast, Tick(now)]
    sent = [wire.to_message(message, "somebody", PARTITION) for message in log]
    beyond = re.sub(rb'"\d{4}-', b'"9000-', sent[0].value)
    nines = [b'{"time":"9999-12-31T23:59:59Z"}', beyond]
    sent[25:25] = [
        replace(sent[-1], value=nines[0]), replace(sent[0], value=nines[1])
    ]  # fmt: skip
    engine = Engine(load())
    expected = [e for item in (*calm, *fast) for e in engine.process(item)]
    with (
        closing(Publisher(settings, "somebody")) as publisher,
        running(detectors_service.build(settings), settings) as health,
        running(store_service.build(settings), settings),
    ):
        publisher.publish(sent)
        eventually(lambda: alarms(events_of(settings, patient)) == alarms(expected))
        eventually(lambda: newest(settings, patient)[:1] == [fast[-1].measurements[0].time])
        assert health.ready()
        assert health.snapshot().counters["times_ahead"] == 6
    announced = events_of(settings, patient)
    assert all(e.detected_at < now + timedelta(minutes=5) for e in announced)
    assert {e.kind for e in announced} - {e.kind for e in expected} <= {"device_clock"}
    dead_letters = read_all(settings, topics.DEAD_LETTERS.name)
    reasons = {wire.header(r.headers, "vigil_reason") for r in dead_letters}
    assert reasons == {"wire.out_of_bounds", "wire.rejected"}
    with connect(settings) as connection:
        source = FromTopic(settings, connection, load(), None)
        source.units()
        again = [e for part in source.play(f"partition {PARTITION}", now, {}) for e in part]
    assert [e for e in again if e.patient_id == patient] == announced, (
        "a rebuild holds them as well"
    )


def alarms(events: list[Event]) -> list[tuple[str, str, datetime]]:
    return [(e.kind, e.phase, e.onset) for e in events if e.category == "clinical"]


def newest(settings: Settings, patient: str) -> list[datetime]:
    with psycopg.connect(settings.database()) as connection:
        rows = connection.execute(
            "SELECT time FROM latest WHERE patient_id = %s AND NOT EXISTS"
            " (SELECT FROM readings WHERE time > now() + interval '1 day')",
            (patient,),
        ).fetchall()
    return [row[0] for row in rows]


def test_what_was_believed_before_heals_when_it_is_loaded(settings: Settings) -> None:
    """As a Vigil that believed it has left it in the database."""
    patient, now = f"p-{secrets.token_hex(4)}", datetime.now(UTC)
    begin = (now - MIDNIGHT).total_seconds() - 60.0 * (len(CALM) + len(FAST))
    stuck = Engine(load())
    for item in heart(CALM, start=begin, patient=patient):
        stuck.process(item)
    far = now.replace(year=2200, day=1)
    stuck.process(Upload(patient, "d1", far, (Measurement("far", far, {"heart_rate": 71.0}),)))
    with psycopg.connect(settings.database()) as connection:
        connection.execute(
            "INSERT INTO checkpoints (worker_group, topic, partition, next_offset, log_id, epoch,"
            " watermark) VALUES ('detectors', %s, 0, -1, 'x', 1, '9999-01-01Z')",
            (topics.READINGS.name,),
        )
        connection.execute(
            "INSERT INTO detector_states (worker_group, partition, patient_id, state)"
            " VALUES ('detectors', 0, %s, %s)",
            (patient, stuck.state_of(patient)),
        )
    place = TopicPartition(topics.READINGS.name, 0)
    handler = Detectors(settings, load(), Health("detectors"))
    with closing(handler):
        _assign(handler, place)
        fast = heart(FAST, start=begin + 60.0 * len(CALM), patient=patient)
        log: list[Any] = [*fast, Tick(now)]
        batch = [Received(place.topic, 0, n, m, None) for n, m in enumerate(log)]
        announced = [msgspec.json.decode(m.value) for m in handler.handle(batch).outgoing]
        handler.checkpoint()
    assert "heart_rate_high" in [event["kind"] for event in announced]
    with psycopg.connect(settings.database()) as connection:
        (watermark,) = connection.execute(
            "SELECT watermark FROM checkpoints WHERE partition = 0"
        ).fetchone() or (None,)
        aside = connection.execute("SELECT state, why FROM states_set_aside").fetchall()
    assert watermark is not None
    assert abs(watermark - now) < timedelta(minutes=5)
    assert [row[0] for row in aside] == [stuck.state_of(patient)], "kept byte for byte"
