"""A sender's clock is believed up to the broker's, and not beyond."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.messages import NOON, action, alert, event, measurement, upload
from tests.support.running import eventually
from tests.support.statuses import status
from tests.support.streaming import Recorder, looping
from tests.support.timeouts import TIMEOUT
from vigil.contracts import clock_check, topics, wire
from vigil.contracts.clock_check import AHEAD, OWN_TIME, ClockCheck, WorkerClockCheck
from vigil.domain import ids
from vigil.domain.directory import DeviceEntry
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Tick, Upload
from vigil.kafka.clients import Publisher
from vigil.kafka.records import Record
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Received
from vigil.values.clock import from_millis

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
PHRASE = Phrase("p", "s", "text", "draft", "model", 0, NOON)
MESSAGES = [
    upload(measurement(), late=0), Tick(NOON), event(detected_at=NOON), alert(time=NOON),
    action(time=NOON), PHRASE, status("store"),
]  # fmt: skip


def raw(time: datetime) -> Record:
    return Record(0, (time - EPOCH) // MS, b"", b"", b"")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_ahead_takes_the_records_time(message: Any) -> None:
    held, field = ClockCheck().correct_time, OWN_TIME[type(message)]
    assert held(message, raw(NOON)) is message
    assert held(message, raw(NOON - AHEAD)) is message
    assert held(message, raw(NOON + timedelta(days=4000))) is message, "a replay tells of long ago"
    back = held(message, raw(NOON - AHEAD - MS))
    assert getattr(back, field) == NOON - AHEAD - MS
    assert type(back) is type(message)
    assert wire.to_message(back, "test").key == wire.to_message(message, "test").key


@pytest.mark.parametrize("ahead", [timedelta(hours=5), timedelta(days=365), timedelta(days=-365)])
def test_readings_of_a_clock_that_cannot_be_used_are_shifted_once(ahead: timedelta) -> None:
    message = upload(measurement(), late=0)
    wrong = replace(
        message,
        sent_at=message.received_at + ahead,
        measurements=tuple(replace(one, time=one.time + ahead) for one in message.measurements),
    )
    right = ClockCheck().correct_time(wrong, raw(NOON))
    assert right.measurements == message.measurements
    assert right.clock_shift_seconds == -ahead.total_seconds()
    assert ClockCheck().correct_time(right, raw(NOON)) is right
    near = replace(wrong, sent_at=message.received_at + timedelta(minutes=5))
    assert ClockCheck().correct_time(near, raw(NOON)) is near


def test_every_type_that_tells_its_time_is_held() -> None:
    checked = {s for t in topics.TOPICS.values() for s in t.carries if t is not topics.DIRECTORY}
    assert set(OWN_TIME) == checked
    entry = DeviceEntry("d", "x")
    assert ClockCheck().correct_time(entry, raw(NOON)) is entry


@pytest.mark.parametrize("stamp", [-1, 0, 946_684_799_999, 2**62, -(2**62)])
def test_a_timestamp_that_is_none_is_not_asked(stamp: int) -> None:
    tick = Tick(datetime(2261, 1, 1, tzinfo=UTC))
    assert ClockCheck().correct_time(tick, Record(0, stamp, b"", b"", b"")) is tick


TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 1, 3), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(st.tuples(TIMES, TIMES), max_size=20))
def test_it_depends_on_the_record_alone(pairs: list[tuple[datetime, datetime]]) -> None:
    one = ClockCheck()
    for own, stamped in pairs:
        record = raw(stamped)
        held = one.correct_time(Tick(own), record)
        floor = EPOCH + record.timestamp * MS
        assert held.time == (own if own <= floor + AHEAD else floor)


def test_a_wrong_clock_is_named_counted_and_keeps_nobody_from_working(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = Health("store")
    health.trouble("start", None)
    clocks = WorkerClockCheck(health)
    sent = wire.to_message(Tick(NOON), "ingest")
    packed = Record(0, raw(NOON - timedelta(hours=3)).timestamp, b"", b"", _packed(sent.headers))
    clocks.correct_time(Tick(NOON), packed)
    clocks.clear_if_settled()
    report = health.report()
    assert report["trouble"] == {
        "clock": "/vigil/ingest is 10800 s ahead of the broker: the broker's time is used."
        " Set the clock that is wrong"
    }
    assert report["counters"] == {"times_ahead": 1}
    assert (health.ready(), report["status"]) == (True, "ready")
    assert 'vigil_ready{service="store"} 1' in health.metrics()
    monkeypatch.setattr(clock_check, "SETTLED_SECONDS", 0.0)
    clocks.correct_time(Tick(NOON), packed)

    def settled() -> bool:
        clocks.clear_if_settled()
        return health.report()["trouble"] == {}

    eventually(settled)


def _packed(headers: wire.Headers) -> bytes:
    """As in a record batch, format 2."""
    out = bytearray([len(headers) * 2])
    for name, value in headers:
        for part in (name.encode(), value):
            assert len(part) < 64
            out += bytes([len(part) * 2]) + part
    return bytes(out)


class KeepingRecorder(Recorder):
    """Keeps every message that it handles, ticks too."""

    def __init__(self, prefix: str, batches: list[Sequence[Received]]):
        super().__init__(prefix)
        self.batches = batches

    def handle(self, batch: Sequence[Received]) -> Handled:
        self.batches.append(batch)
        return super().handle(batch)


@pytest.mark.kafka
def test_on_the_stream_no_message_is_of_the_future(broker: str) -> None:
    settings = Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, startup_timeout_seconds=TIMEOUT,
        session_timeout_ms=6000,
    )  # fmt: skip
    batches: list[Sequence[Received]] = []
    recorder = KeepingRecorder("ahead-", batches)
    now = datetime.now(UTC)
    far = [now + timedelta(hours=3), now.replace(year=2200, day=1), now - timedelta(days=900)]
    item = measurement()
    sent: list[Any] = [Upload("ahead-1", "d", time, (item,)) for time in far]
    sent += [Tick(time) for time in far]
    with closing(Publisher(settings, "somebody")) as publisher:
        publisher.publish([wire.to_message(one, "somebody", partition=1) for one in sent])
        beyond = wire.to_message(Tick(now), "somebody", partition=1)
        nines = replace(beyond, value=b'{"time":"9999-01-01T00:00:00Z"}')
        publisher.publish([nines, beyond])
        with looping(recorder, settings) as (health, _):
            eventually(lambda: health.snapshot().counters.get("messages", 0) >= 7)
            counters = health.snapshot().counters
            assert health.ready()
            assert "/vigil/somebody is" in health.report()["trouble"]["clock"]  # type: ignore[index]
    kept: list[Any] = [received.message for batch in batches for received in batch]
    times = [m.received_at if isinstance(m, Upload) else m.time for m in kept]
    soon = timedelta(minutes=2)
    assert all(abs(time - now) < soon for time in times if time != far[2])
    assert times.count(far[2]) == 2, "what is behind is left alone"
    assert (counters["times_ahead"], counters["dead_letters"]) == (4, 1)
    assert ids.timestamp(now) in map(ids.timestamp, times)


@pytest.mark.kafka
def test_the_broker_stamps_with_its_own_clock(broker: str, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("the broker in memory keeps the producer's timestamp")
    settings = Settings(kafka_bootstrap=broker, partitions=3)
    batches: list[Sequence[Received]] = []
    recorder = KeepingRecorder("stamped-", batches)
    sent = wire.to_message(Upload("stamped-1", "d", NOON, (measurement(),)), "test")
    with closing(Publisher(settings, "test")) as publisher:
        publisher._producer.send(
            sent.topic, value=sent.value, key=sent.key, headers=sent.headers,
            timestamp_ms=(datetime.now(UTC) + timedelta(minutes=30) - EPOCH) // MS,
        ).get(TIMEOUT)  # fmt: skip
        with looping(recorder, settings):
            eventually(lambda: batches)
    assert abs((from_millis(batches[0][0].raw.timestamp) or EPOCH) - datetime.now(UTC)) < timedelta(
        minutes=2
    )
