"""What may stand on a topic, or refuse a dead letter, without holding anybody up."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import TopicAuthorizationFailedError
from msgspec.structs import replace

from tests.support.running import eventually
from tests.support.streaming import (
    Recorder,
    committed,
    handler_named,
    looping,
    read_all,
    upload,
    uploads,
)
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.dead_letters.redrive import DeadLetter, read_dead_letters
from vigil.kafka.clients import Publisher, broker_unavailable
from vigil.service.errors import UnavailableError, WireError
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Received

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("stream-faults")]
READINGS = topics.READINGS.name


@pytest.fixture
def stream(broker: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings without a database."""
    tansu = request.node.callspec.params["broker"] == "tansu"
    return Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, startup_timeout_seconds=TIMEOUT,
        session_timeout_ms=3000 if tansu else 5000, log_level="ERROR",
        deadletter_dir=tmp_path / "letters",
    )  # fmt: skip


@pytest.fixture
def publisher(stream: Settings) -> Iterator[Publisher]:
    made = Publisher(stream, "test")
    yield made
    made.close()


def dead_letters_of(settings: Settings, recorder: Recorder) -> list[Any]:
    """A recorder's own dead letters on the topic, each once."""
    found = {
        wire.header(r.headers, "ce_id"): r
        for r in read_all(settings, topics.DEAD_LETTERS.name)
        if wire.header(r.headers, "ce_source") == f"/vigil/{recorder.name}"
        and (r.key or b"").startswith(recorder.prefix.encode())
    }
    return list(found.values())


def ends(settings: Settings) -> dict[TopicPartition, int]:
    """Behind the last record of each partition of the readings."""
    found: dict[TopicPartition, int] = {}
    for record in read_all(settings, READINGS):
        place = TopicPartition(record.topic, record.partition)
        found[place] = max(found.get(place, 0), record.offset + 1)
    return found


def kept_of(settings: Settings, prefix: str) -> list[DeadLetter]:
    """What is kept on this machine of a test's own."""
    found = [one for one in read_dead_letters(settings) if one.local]
    return [one for one in found if (one.key or b"").startswith(prefix.encode())]


def counters(health: Any) -> dict[str, int]:
    found: dict[str, int] = health.snapshot().counters
    return found


def trouble(health: Any) -> dict[str, str]:
    found: dict[str, str] = health.snapshot().troubles
    return found


def test_however_many_fail_in_a_row_the_others_are_handled_and_it_is_said(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=8)
    publisher.publish(messages)
    bad = [upload(f"{prefix}-0", number) for number in range(1, 7)]

    def before(batch: Sequence[Received]) -> None:
        if any(r.message in bad for r in batch):
            raise MemoryError

    recorder = Recorder(prefix, before)
    with looping(recorder, stream) as (health, _):
        eventually(lambda: f"{prefix}-0-7" in recorder.seen)
        assert counters(health)["messages_failed"] == 6
        eventually(health.ready)  # the last one was handled
        publisher.publish(messages[1:5])
        eventually(lambda: "failing" in trouble(health))
        eventually(lambda: "4 messages in a row" in trouble(health)["failing"])
        assert "MemoryError" in trouble(health)["failing"]
        publisher.publish(messages[:1])
        eventually(health.ready)
    refused_messages = dead_letters_of(stream, recorder)
    assert len(refused_messages) == 10
    assert {wire.header(x.headers, "vigil_reason") for x in refused_messages} == {"wire.rejected"}
    assert committed(stream, recorder) == ends(stream)


class Caused(Recorder):
    """Says something on the events' topic for each message; too much for one of them."""

    far_too_much: str = ""

    def handle(self, batch: Sequence[Received]) -> Handled:
        super().handle(batch)
        produced = []
        for received in batch:
            patient = str(getattr(received.message, "patient_id", ""))
            if patient.startswith(self.prefix):
                ident = received.message.measurements[0].reading_id  # type: ignore[union-attr]
                header = "x" * 5_000_000 if ident == self.far_too_much else "x"
                headers = [("ce_id", header.encode())]
                produced.append(
                    wire.Outgoing(topics.EVENTS.name, patient.encode(), ident.encode(), headers)
                )
        return Handled(produced)


def test_what_a_message_causes_and_nobody_takes_is_that_messages_fault(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=2, each=5)
    publisher.publish(messages)
    handler = Caused(prefix)
    handler.far_too_much = f"{prefix}-1-2"
    with looping(handler, stream):
        eventually(lambda: dead_letters_of(stream, handler))
        eventually(lambda: committed(stream, handler) == ends(stream))
    (dead_letter,) = dead_letters_of(stream, handler)
    assert wire.header(dead_letter.headers, "vigil_reason") == "wire.too_large"
    dead = wire.decode(READINGS, dead_letter.value, [])
    assert dead == upload(f"{prefix}-1", 2)
    produced = {r.value.decode() for r in read_all(stream, topics.EVENTS.name)
            if (r.key or b"").startswith(prefix.encode())}  # fmt: skip
    assert produced == {f"{prefix}-{p}-{n}" for p in range(2) for n in range(5)} - {f"{prefix}-1-2"}


def test_a_small_message_whose_headers_inflate_is_set_aside_and_kept_in_part(
    stream: Settings, publisher: Publisher
) -> None:
    """`original_` before each of a quarter of a million names is more than the broker takes."""
    prefix, messages = uploads(patients=1, each=3)
    poison = replace(messages[0], value=b"not json")
    many = replace(poison, headers=[(f"{n:x}", b"") for n in range(250_000)])
    large = replace(poison, headers=[("ce_type", b"x" * 3_500_000)], value=b"y" * 300_000)
    odd = replace(poison, key=f"{prefix}-0".encode() + b"k" * 3_900_000)
    publisher.publish([messages[0], many, large, odd, *messages[1:]])
    recorder = Recorder(prefix)
    with looping(recorder, stream) as (health, _):
        eventually(lambda: len(recorder.seen) == 3)
        eventually(lambda: len(dead_letters_of(stream, recorder)) == 3)
        assert health.ready()
    for dead_letter in dead_letters_of(stream, recorder):
        size = (
            len(dead_letter.value)
            + len(dead_letter.key)
            + sum(len(n) + len(v) for n, v in dead_letter.headers)
        )
        assert size < 0.9 * topics.LARGEST_MESSAGE
    cuts = [
        {n: v for n, v in dead_letter.headers if n.startswith("vigil_cut")}
        for dead_letter in dead_letters_of(stream, recorder)
    ]
    assert {frozenset(cut) for cut in cuts} == {
        frozenset({"vigil_cut_headers"}), frozenset({"vigil_cut_key"}),
    }  # fmt: skip


def test_letters_that_the_topic_refuses_are_kept_here_and_published_later(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil.dead_letters.publisher.RETRY_SECONDS", 0.0)
    prefix, messages = uploads(patients=1, each=4)
    send, refused = Publisher.publish, [True]

    def publish(self: Publisher, outgoing: Any, timeout_seconds: float = 30) -> int:
        to_dead_letters = any(m.topic == topics.DEAD_LETTERS.name for m in outgoing)
        if self is not publisher and refused and to_dead_letters:
            cause = TopicAuthorizationFailedError()
            raise broker_unavailable(stream, type(cause).__name__) from cause
        return send(self, outgoing, timeout_seconds)

    monkeypatch.setattr(Publisher, "publish", publish)
    poison = replace(messages[1], value=b"secret")
    publisher.publish([messages[0], poison, messages[2]])
    recorder = Recorder(prefix)
    with looping(recorder, stream, wait_ready=False) as (health, _):
        eventually(lambda: len(recorder.seen) == 2)
        eventually(lambda: "dead_letters" in trouble(health))
        eventually(lambda: kept_of(stream, prefix))
        files = list(stream.deadletter_dir.glob("*.letter"))
        assert f"{len(files)} are kept in" in trouble(health)["dead_letters"]
        assert health.snapshot().gauges["dead_letters_local"] == len(files)
        assert dead_letters_of(stream, recorder) == []
        (kept,) = kept_of(stream, prefix)
        assert (kept.service, kept.value) == (recorder.name, b"secret")
        assert {file.stat().st_mode & 0o077 for file in files} == {0}
        refused.clear()
        publisher.publish([replace(poison, value=b"another")])
        eventually(lambda: len(dead_letters_of(stream, recorder)) == 2)
        eventually(health.ready)
    assert not list(stream.deadletter_dir.glob("*.letter"))
    assert committed(stream, recorder) == ends(stream)


def test_a_full_folder_holds_nobody_up_and_is_counted(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = stream.model_copy(update={"deadletter_dir_bytes": 1_048_576})
    prefix, messages = uploads(patients=1, each=2)
    send = Publisher.publish

    def publish(self: Publisher, outgoing: Any, timeout_seconds: float = 30) -> int:
        if self is not publisher and any(m.topic == topics.DEAD_LETTERS.name for m in outgoing):
            raise WireError("No.", code="wire.too_large")
        return send(self, outgoing, timeout_seconds)

    monkeypatch.setattr(Publisher, "publish", publish)
    poison = [replace(messages[0], value=b"%d" % n + b"x" * 600_000) for n in range(2)]
    publisher.publish([*poison, messages[1]])
    recorder = Recorder(prefix)
    with looping(recorder, small, wait_ready=False) as (health, _):
        eventually(lambda: len(recorder.seen) == 1)
        eventually(lambda: counters(health).get("dead_letters_lost"))
        assert "dead_letters" in trouble(health)
        eventually(lambda: committed(small, recorder) == ends(small))
        lost = counters(health)["dead_letters_lost"]
        files = list(small.deadletter_dir.glob("*.letter"))
        assert lost + len(files) == counters(health)["dead_letters"]
    assert sum(file.stat().st_size for file in files) <= small.deadletter_dir_bytes
    assert len(kept_of(small, prefix)) <= 1


def test_a_publisher_that_fails_is_no_messages_fault_and_is_said_to_be_stuck(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil.streaming.retry.LONGEST_PAUSE_SECONDS", 0.2)
    prefix, messages = uploads(patients=1, each=2)
    send, broken = Publisher.publish, [True]

    def publish(self: Publisher, outgoing: Any, timeout_seconds: float = 30) -> int:
        if self is not publisher and broken:
            raise RuntimeError("the client's own fault")
        return send(self, outgoing, timeout_seconds)

    monkeypatch.setattr(Publisher, "publish", publish)
    publisher.publish(messages)
    handler = Caused(prefix)
    with looping(handler, stream, wait_ready=False) as (health, _):
        eventually(lambda: "stuck" in trouble(health))
        form = rf"{READINGS} partition \d offset \d+: failed \d+ times: .*RuntimeError"
        assert re.search(form, trouble(health)["stuck"])
        assert counters(health)["stuck"] >= 1
        assert "messages_failed" not in counters(health)
        broken.clear()
        eventually(health.ready)
        eventually(lambda: committed(stream, handler) == ends(stream))
    assert dead_letters_of(stream, handler) == []


def test_a_fault_without_any_message_waits_or_ends_and_sets_nothing_aside(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=3)
    publisher.publish(messages)
    there: list[bool] = []

    class Tableless(Recorder):
        def probe(self) -> None:
            if not there:
                raise UnavailableError("The table is missing.", code="unavailable.schema")

    def before(batch: Sequence[Received]) -> None:
        if batch and not there:
            raise LookupError("relation does not exist")

    handler = Tableless(prefix, before)
    with looping(handler, stream) as (health, _):
        eventually(lambda: "unavailable.schema" in trouble(health))
        there.append(True)
        eventually(lambda: len(set(handler.seen)) >= 2)
        eventually(lambda: len(set(handler.seen)) == 3)
        eventually(health.ready)
    assert dead_letters_of(stream, handler) == []


def test_what_was_waited_for_is_no_trouble_once_a_rebalance_ended_the_wait(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil.streaming.retry.FIRST_PAUSE_SECONDS", 3600.0)
    prefix, messages = uploads(patients=6, each=3)
    unreachable = [True]

    def before(batch: Sequence[Received]) -> None:
        if batch and unreachable:
            unreachable.clear()
            raise UnavailableError("The database is unavailable.", code="unavailable.database")

    first, second = Recorder(prefix, before), Recorder(prefix)
    second.name = first.name
    with looping(first, stream) as (health, _):
        publisher.publish(messages)
        eventually(lambda: "unavailable.database" in trouble(health))
        with looping(second, stream, wait_ready=False):
            eventually(lambda: len({*first.seen, *second.seen}) == 18)
            eventually(health.ready)


def test_a_killed_worker_begins_with_one_message_and_makes_each_step_durable(
    stream: Settings, publisher: Publisher
) -> None:
    """Each run comes nearer to the message that ends it, until the offset names it."""
    rare = stream.model_copy(update={"checkpoint_seconds": 60})
    prefix, messages = uploads(patients=1, each=40)
    killer = f"{prefix}-0-29"
    publisher.publish(messages)
    (place,) = {TopicPartition(r.topic, r.partition) for r in read_all(rare, READINGS)
                if (r.key or b"").startswith(prefix.encode())}  # fmt: skip
    offsets = {
        r.value: r.offset for r in read_all(rare, READINGS) if r.partition == place.partition
    }
    name = f"recorder-{secrets.token_hex(4)}"

    class Killed(Recorder):
        def handle(self, batch: Sequence[Received]) -> Handled:
            if any(m.reading_id == killer for r in batch for m in r.message.measurements):  # type: ignore[union-attr]
                raise SystemExit  # the loop's own `except` must not help
            return super().handle(batch)

    steps = [0]  # of all partitions: a batch may be of one whose messages are other tests'
    durable: Mapping[TopicPartition, int] = {}
    while durable.get(place) != offsets[messages[29].value]:
        (rare.deadletter_dir / f".{name}.running").parent.mkdir(exist_ok=True, parents=True)
        (rare.deadletter_dir / f".{name}.running").touch()  # as `kill -9` leaves it
        handler = Killed(prefix)
        handler.name = name
        with pytest.raises(SystemExit), looping(handler, rare, wait_ready=False) as (health, _):
            eventually(lambda: "ended" in trouble(health))
        durable = committed(rare, handler_named(name))
        steps.append(sum(durable.values()))
        assert steps[-1] > steps[-2]
