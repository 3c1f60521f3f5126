"""The loop of every worker, on the broker under test."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from kafka import TopicPartition
from msgspec.structs import replace

from tests.support.running import eventually
from tests.support.streaming import Recorder, committed, looping, read_all, upload, uploads
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.kafka.clients import Publisher
from vigil.service.errors import StaleOwnerError, UnavailableError, WireError
from vigil.service.settings import Settings
from vigil.streaming.assignment import Assignment
from vigil.streaming.handler import Handled, Received, Rejected

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("stream")]  # one broker serves all


@pytest.fixture
def stream(broker: str, request: pytest.FixtureRequest) -> Settings:
    """Settings without a database. Tansu's group takes the longer to form, the longer it waits for
    a lost member."""
    tansu = request.node.callspec.params["broker"] == "tansu"
    return Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, startup_timeout_seconds=TIMEOUT,
        session_timeout_ms=3000 if tansu else 5000,
    )  # fmt: skip


@pytest.fixture
def publisher(stream: Settings) -> Iterator[Publisher]:
    """Sends to the broker under test."""
    made = Publisher(stream, "test")
    yield made
    made.close()


def unreachable(code: str = "unavailable.database") -> UnavailableError:
    return UnavailableError("Not now.", code=code)


def dead_letters_of(settings: Settings, recorder: Recorder) -> list[dict[str, str]]:
    """A test's own dead letters: their headers, with the value as ``value``."""
    found = []
    for record in read_all(settings, topics.DEAD_LETTERS.name):
        headers = {name: value.decode() for name, value in record.headers}
        source = f"/vigil/{recorder.name}"
        if headers["ce_source"] == source and record.key.startswith(recorder.prefix.encode()):
            found.append({**headers, "value": record.value.decode("utf-8", "replace")})
    return found


def log(settings: Settings, prefix: str = "") -> list[Any]:
    """The records of the readings' topic whose key begins so."""
    records = read_all(settings, topics.READINGS.name)
    return [r for r in records if r.key.startswith(prefix.encode())]


def test_every_message_is_handled_once_in_order_and_bad_ones_are_set_aside(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil.streaming.loop.LAG_SECONDS", 0.2)
    prefix, messages = uploads(patients=7, each=40)
    good = messages[0]
    poison = {
        "not json": replace(good, value=b"\xff\x00 not json"),
        "empty": replace(good, value=b""),
        "wrong shape": replace(good, value=b'{"patient_id": 7}'),
        "deep": replace(good, value=b'{"patient_id":' + b"[" * 200_000),
        "unknown type": replace(good, headers=[("ce_type", b"org.vigil.upload.v9")]),
        "of another topic": replace(good, headers=[("ce_type", b"org.vigil.alert.v1")]),
    }
    publisher.publish([*messages[:140], *poison.values(), *messages[140:]])
    rejected = upload(f"{prefix}-3", 1)
    recorder = Recorder(prefix)
    recorder.rejects = lambda r: (
        Rejected(r, WireError("Not ours.", code="wire.rejected")) if r.message == rejected else None
    )
    with looping(recorder, stream) as (health, _):
        eventually(lambda: len(recorder.seen) >= 280)
        eventually(lambda: health.report()["gauges"].get("lag_messages") == 0)  # type: ignore[attr-defined]
    assert len(recorder.seen) == len(set(recorder.seen)) == 280
    for patient in range(7):
        mine = [i for i in recorder.seen if i.startswith(f"{prefix}-{patient}-")]
        assert mine == [f"{prefix}-{patient}-{n}" for n in range(40)]

    dead_letters = dead_letters_of(stream, recorder)
    assert Counter(dead_letter["vigil_reason"] for dead_letter in dead_letters) == {
        "wire.broken_message": 4,
        "wire.unknown_type": 2,
        "wire.rejected": 1,
    }
    assert {dead_letter["value"] for dead_letter in dead_letters} >= {'{"patient_id": 7}', ""}
    assert len({dead_letter["ce_id"] for dead_letter in dead_letters}) == len(dead_letters)
    (dead_letter,) = [x for x in dead_letters if x["vigil_reason"] == "wire.rejected"]
    assert (dead_letter["vigil_detail"], dead_letter["original_ce_type"]) == (
        "Not ours.",
        "org.vigil.upload.v1",
    )
    assert wire.decode(topics.READINGS.name, dead_letter["value"].encode(), []) == rejected

    ends = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in log(stream)}
    assert committed(stream, recorder) == ends


def test_unavailable_parts_are_waited_for_past_the_session_timeout(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=5, each=20)
    publisher.publish(messages)
    loads: list[float] = []
    saves: list[float] = []
    waited: list[float] = []

    class Patient(Recorder):
        def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            loads.append(time.monotonic())
            if len(loads) < 4:
                raise unreachable()
            return super().assigned(partitions)

        def checkpoint(self) -> None:
            saves.append(time.monotonic())
            if len(saves) < 3:
                raise unreachable()

    def before(batch: Sequence[Received]) -> None:
        assert len(loads) == 4, "handled before its state was there"
        if batch:
            waited.append(time.monotonic())
            if waited[-1] - waited[0] < stream.session_timeout_ms / 1000 + 1.5:
                raise unreachable()

    recorder = Patient(prefix, before)
    with looping(recorder, stream, wait_ready=False) as (health, _):
        eventually(lambda: health.report()["trouble"].get("unavailable.database"))  # type: ignore[attr-defined]
        assert not health.ready()
        eventually(lambda: len(recorder.seen) == 100)
        eventually(lambda: len(saves) >= 3)
        eventually(health.ready)
    assert sorted(recorder.seen) == sorted(set(recorder.seen))
    assert [name for name, _ in recorder.calls] == ["assigned", "revoked"]  # never taken away


def test_a_batch_dropped_in_a_rebalance_comes_again_and_the_last_one_takes_over(
    stream: Settings, publisher: Publisher
) -> None:
    """A consumer keeps its position in a partition that it is given again: the loop must not."""
    prefix, messages = uploads(patients=30, each=20)
    publisher.publish(messages[:300])
    go_on = threading.Event()

    def before(batch: Sequence[Received]) -> None:
        if batch and not go_on.is_set():
            raise unreachable()

    first, second = Recorder(prefix, before), Recorder(prefix)
    second.name = first.name

    def seen() -> int:
        return len(set(first.seen) | set(second.seen))

    with ExitStack() as leaving, ExitStack() as staying:
        health, _ = leaving.enter_context(looping(first, stream, wait_ready=False))
        eventually(lambda: health.report()["trouble"].get("unavailable.database"))  # type: ignore[attr-defined]
        staying.enter_context(looping(second, stream))  # joins while the other holds a batch
        go_on.set()
        eventually(lambda: seen() == 300)
        publisher.publish(messages[300:450])
        eventually(lambda: seen() == 450)
        assert first.seen
        assert second.seen
        leaving.close()
        publisher.publish(messages[450:])
        eventually(lambda: seen() == 600)
    for patient in range(30):
        mine = [i for i in [*first.seen, *second.seen] if i.startswith(f"{prefix}-{patient}-")]
        assert set(mine) == {f"{prefix}-{patient}-{n}" for n in range(20)}


def test_a_join_that_is_lost_is_repeated(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kafka-python can forget that it joins; then nobody tells us of partitions any more."""
    monkeypatch.setattr("vigil.streaming.loop.JOIN_TIMEOUT_SECONDS", 0.5)
    assignments: list[Assignment] = []

    class Kept(Assignment):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            assignments.append(self)

    monkeypatch.setattr("vigil.streaming.loop.Assignment", Kept)
    prefix, messages = uploads(patients=3, each=4)
    recorder = Recorder(prefix)
    with looping(recorder, stream) as (health, _):
        publisher.publish(messages[:6])
        eventually(lambda: len(recorder.seen) == 6)
        assignments[0].on_partitions_revoked(list(recorder.calls[0][1]))
        publisher.publish(messages[6:])
        eventually(lambda: len(set(recorder.seen)) == 12)
        eventually(health.ready)


def test_a_handlers_own_offset_is_where_it_goes_on_also_after_a_newer_owner(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=6)
    publisher.publish(messages)
    mine = log(stream, prefix)
    place = TopicPartition(topics.READINGS.name, mine[0].partition)
    stale = [True]

    def before(batch: Sequence[Received]) -> None:
        if batch and stale:
            stale.pop()
            raise StaleOwnerError("A newer owner.")

    class Stateful(Recorder):
        def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            super().assigned(partitions)
            return {place: mine[4].offset}

    recorder = Stateful(prefix, before)
    with looping(recorder, stream):
        eventually(lambda: len(recorder.seen) >= 2)
        time.sleep(0.3)
    assert recorder.seen == [f"{prefix}-0-4", f"{prefix}-0-5"]
    assert [name for name, _ in recorder.calls] == ["assigned", "revoked", "assigned", "revoked"]


def test_one_message_that_fails_alone_holds_nobody_up(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=6, each=8)
    publisher.publish(messages)
    bad = upload(f"{prefix}-2", 3)

    def before(batch: Sequence[Received]) -> None:
        if any(r.message == bad for r in batch):
            raise ValueError("a slip in the handler")

    recorder = Recorder(prefix, before)
    with looping(recorder, stream) as (health, _):
        eventually(lambda: len(set(recorder.seen)) == 47)
        eventually(lambda: health.report()["counters"].get("dead_letters", 0) >= 1)  # type: ignore[attr-defined]
    dead_letters = dead_letters_of(stream, recorder)
    assert [dead_letter["vigil_reason"] for dead_letter in dead_letters] == ["wire.rejected"]
    assert wire.decode(topics.READINGS.name, dead_letters[0]["value"].encode(), []) == bad


def test_a_fault_that_is_not_in_the_messages_ends_the_process(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=3, each=20)
    publisher.publish(messages)

    class Broken(Recorder):
        def handle(self, batch: Sequence[Received]) -> Handled:
            raise LookupError("the table is not there")

    broken = Broken(prefix)
    with pytest.raises(LookupError), looping(broken, stream, wait_ready=False) as (health, _):
        eventually(lambda: health.report()["trouble"].get("ended"))  # type: ignore[attr-defined]
    dead_letters = [
        record
        for record in read_all(stream, topics.DEAD_LETTERS.name)
        if ("ce_source", f"/vigil/{broken.name}".encode()) in record.headers
    ]
    assert len(dead_letters) <= 2


def test_stop_finishes_the_batch_in_hand(stream: Settings, publisher: Publisher) -> None:
    prefix, messages = uploads(patients=2, each=10)
    publisher.publish(messages)
    begun, go_on = threading.Event(), threading.Event()

    def before(batch: Sequence[Received]) -> None:
        if batch:
            begun.set()
            assert go_on.wait(TIMEOUT)

    recorder = Recorder(prefix, before)
    with looping(recorder, stream, wait_ready=False) as (_, stop):
        assert begun.wait(TIMEOUT)
        stop.set()
        go_on.set()
    assert recorder.seen
    done = committed(stream, recorder)
    covered = {
        wire.decode(r.topic, r.value, r.headers).measurements[0].reading_id  # type: ignore[union-attr]
        for r in log(stream, prefix)
        if r.offset < done.get(TopicPartition(r.topic, r.partition), 0)
    }
    assert covered == set(recorder.seen)


def test_stop_while_waiting_gives_the_batch_back(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "vigil.streaming.retry.FIRST_PAUSE_SECONDS", 3600.0
    )  # who sits it out is late
    prefix, messages = uploads(patients=1, each=3)
    publisher.publish(messages)

    def before(batch: Sequence[Received]) -> None:
        if batch:
            raise unreachable()

    recorder = Recorder(prefix, before)
    with looping(recorder, stream, wait_ready=False) as (health, stop):
        eventually(lambda: health.report()["trouble"].get("unavailable.database"))  # type: ignore[attr-defined]
        stop.set()
    (place,) = {TopicPartition(r.topic, r.partition) for r in log(stream, prefix)}
    first = min(r.offset for r in log(stream, prefix))
    assert committed(stream, recorder).get(place, 0) <= first
