"""What stands on the readings' topic and cannot be judged: passed within the checkpoint's fence."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from kafka import TopicPartition
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from cli.main import app
from detectors import service
from detectors.engine.engine import Engine
from store.service import build as build_store
from tests.support.running import eventually, running
from tests.support.streaming import committed, handler_named, read_all
from tests.support.vitals import at, heart
from vigil.contracts import topics, wire
from vigil.domain.episode import Event
from vigil.domain.reading import Measurement, Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import InputError
from vigil.service.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]
TOPIC = topics.READINGS.name
FAST = [70.0 + n % 3 for n in range(15)] + [150.0 + n % 3 for n in range(25)]


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `vigil` reads in a second terminal."""
    monkeypatch.setenv("VIGIL_DEMO", "1")
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("VIGIL_DATABASE_URL", settings.database())


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    made = Publisher(settings, "test")
    yield made
    made.close()


def someone() -> str:
    return f"p-{secrets.token_hex(4)}"


def vigil(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def ends(settings: Settings) -> dict[int, int]:
    """Partition → the offset behind its last record."""
    found: dict[int, int] = {}
    for record in read_all(settings, TOPIC):
        found[record.partition] = max(found.get(record.partition, 0), record.offset + 1)
    return found


def checkpoints(settings: Settings) -> dict[int, int]:
    """Partition → the offset that is saved with the states, where one is."""
    with psycopg.connect(settings.database()) as connection:
        rows = connection.execute(
            "SELECT partition, next_offset FROM checkpoints WHERE next_offset > 0"
        ).fetchall()
    return dict(rows)


def dead_letters(settings: Settings, service_name: str, patient: str) -> list[Any]:
    """The dead letters of a service about a patient, repetitions too."""
    return [
        r
        for r in read_all(settings, topics.DEAD_LETTERS.name)
        if wire.header(r.headers, "ce_source") == f"/vigil/{service_name}"
        and r.key == patient.encode()
    ]


def kinds(settings: Settings, patient: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for record in read_all(settings, topics.EVENTS.name):
        if record.key == patient.encode():
            event = wire.decode(topics.EVENTS.name, record.value, ())
            assert isinstance(event, Event)
            found.append((event.kind, event.phase))
    return found


def test_uploads_with_unknown_signals_end_nobodys_judging(
    settings: Settings, publisher: Publisher
) -> None:
    """Three in a row ended the process once, again and again."""
    patient = someone()
    strange = [
        Upload(patient, "d1", at(n), (Measurement(str(n), at(n), {f"glucose{n}": 5.0}),))
        for n in range(5)
    ]
    good_uploads = [
        wire.to_message(
            Upload(
                one.patient_id, one.device_id, one.received_at,
                tuple(Measurement(m.reading_id, m.time, {**m.values, "lactate": 2.0}, m.context)
                      for m in one.measurements),
            ),
            "test",
        )
        for one in heart(FAST, patient=patient, start=60)
    ]  # fmt: skip
    publisher.publish([*(wire.to_message(one, "test") for one in strange), *good_uploads])
    with running(service.build(settings), settings) as health:
        eventually(lambda: kinds(settings, patient) == [("heart_rate_high", "opened")], 90)
        assert health.ready()
        assert health.snapshot().counters["unknown_signals"] >= 5 + len(good_uploads)
    assert dead_letters(settings, "detectors", patient) == []


def test_what_is_set_aside_is_passed_in_the_checkpoint_and_not_met_again(
    settings: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, cursed = someone(), someone()
    process = Engine.process

    def failing(self: Engine, upload: Upload) -> list[Event]:
        if upload.patient_id == cursed:
            raise KeyError("a slip of ours")
        return process(self, upload)

    monkeypatch.setattr(Engine, "process", failing)
    good = [wire.to_message(one, "test") for one in heart(FAST, patient=patient)]
    bad = [wire.to_message(one, "test") for one in heart([70.0] * 5, patient=cursed)]
    broken = replace(good[0], value=b"not json")
    publisher.publish([*good[:20], broken, *bad, *good[20:], broken, *bad[:1]])
    for _ in range(2):
        with running(service.build(settings), settings):
            eventually(lambda: passed(settings), 120)
    assert kinds(settings, patient) == [("heart_rate_high", "opened")]
    reasons = [
        wire.header(x.headers, "vigil_reason") for x in dead_letters(settings, "detectors", cursed)
    ]
    assert reasons == ["wire.rejected"] * 6, "each once: the second start met none of them"
    assert len(dead_letters(settings, "detectors", patient)) == 2


def test_a_stream_skip_passes_over_one_message_of_each_kind_of_worker(
    settings: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = someone()
    messages = [wire.to_message(one, "test") for one in heart([70.0] * 6, patient=patient)]
    publisher.publish(messages[:3])
    for worker in (service.build(settings), build_store(settings)):
        with running(worker, settings):
            eventually(lambda w=worker: not behind(settings, w.name), 90)  # type: ignore[misc]
    publisher.publish(messages[3:])
    found = {r.value: r for r in read_all(settings, TOPIC) if r.key == patient.encode()}
    first, second = (found[message.value] for message in messages[3:5])
    partition = first.partition
    for name in ("detectors", "store"):
        wrong = vigil("stream", "skip", name, TOPIC, partition, second.offset)
        assert isinstance(wrong.exception, InputError)
        assert f"is at {first.offset}" in str(wrong.exception)
        assert dead_letters(settings, name, patient) == []
        listed = vigil("stream", "where", name).output
        assert f"{TOPIC} {partition} {first.offset}  next message {first.offset}" in listed
        done = vigil("stream", "skip", name, TOPIC, partition, first.offset)
        assert done.exit_code == 0, done.exception
        assert f"continues at {first.offset + 1}" in done.output
        (dead_letter,) = dead_letters(settings, name, patient)
        assert dead_letter.value == messages[3].value
        assert wire.header(dead_letter.headers, "vigil_reason") == "wire.skipped"
        assert wire.header(dead_letter.headers, "ce_id") in done.output
    taken: list[int] = []
    process = Engine.process

    def noting(self: Engine, upload: Upload) -> list[Event]:
        if upload.patient_id == patient:
            taken.append(upload.measurements[0].time.minute)
        return process(self, upload)

    monkeypatch.setattr(Engine, "process", noting)
    with running(service.build(settings), settings):
        eventually(lambda: passed(settings), 120)
    assert taken == [4, 5]
    with running(build_store(settings), settings):
        eventually(lambda: len(stored(settings, patient)) == 5, 90)
    assert stored(settings, patient) == [at(60 * n) for n in (0, 1, 2, 4, 5)]


def test_a_worker_that_runs_and_stands_still_is_put_out_and_goes_on_behind(
    settings: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and started again at once, it is a member of its group nearly always."""
    patient = someone()
    messages = [wire.to_message(one, "test") for one in heart([70.0] * 3, patient=patient)]
    stand = [True]
    worker = build_store(settings)
    from store.readings.writer import ReadingWriter
    from vigil.service.errors import UnavailableError

    insert = ReadingWriter.insert

    def held_up(self: ReadingWriter, piece: Any, *rest: Any) -> int:
        if stand and any(r.raw.value == messages[1].value for r in piece):
            raise UnavailableError("It stands.", code="unavailable.database")
        return insert(self, piece, *rest)

    monkeypatch.setattr(ReadingWriter, "insert", held_up)
    publisher.publish(messages[:1])
    with running(worker, settings):
        eventually(lambda: len(stored(settings, patient)) == 1, 90)
        eventually(lambda: behind(settings, "store") == {}, 90)
        publisher.publish(messages[1:])
        found = {r.value: r for r in read_all(settings, TOPIC) if r.key == patient.encode()}
        bad = found[messages[1].value]
        place = TopicPartition(TOPIC, bad.partition)
        eventually(lambda: committed(settings, handler_named("store", TOPIC))[place] == bad.offset)
        done = vigil("stream", "skip", "store", TOPIC, bad.partition, bad.offset)
        assert done.exit_code == 0, done.exception
        eventually(lambda: len(stored(settings, patient)) == 2)
    assert stored(settings, patient) == [at(0), at(120)]


def test_a_skip_refuses_what_is_no_place() -> None:
    for arguments, words in (
        (("nobody", TOPIC, 0, 0), "no worker that reads topics"),
        (("store", "vitals.directory", 0, 0), "does not read"),
        (("store", TOPIC, 99, 0), "no partition 99"),
        (("explain", topics.EVENTS.name, 0, 7), "and not at 7"),
    ):
        refused = vigil("stream", "skip", *arguments)
        assert isinstance(refused.exception, InputError), refused.output
        assert words in str(refused.exception)


def behind(settings: Settings, name: str) -> dict[int, tuple[int, int]]:
    """Partition → what a worker has committed, and the end, where they differ."""
    found = committed(settings, handler_named(name, TOPIC))
    done = {place.partition: offset for place, offset in found.items()}
    return {
        partition: (done.get(partition, 0), end)
        for partition, end in ends(settings).items()
        if done.get(partition, 0) != end
    }


def passed(settings: Settings) -> bool:
    """Whether detectors are through: the checkpoints of what moved since the database was made, and
    the group's offsets (an earlier test's, where nothing moved)."""
    found, last = checkpoints(settings), ends(settings)
    moved = {partition: last[partition] for partition in found}
    return bool(found) and found == moved and not behind(settings, "detectors")


def stored(settings: Settings, patient: str) -> list[Any]:
    with psycopg.connect(settings.database()) as connection:
        rows = connection.execute(
            "SELECT time FROM readings WHERE patient_id = %s ORDER BY time", (patient,)
        ).fetchall()
    return [row[0] for row in rows]
