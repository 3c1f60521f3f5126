"""The order of the loop: produced, then saved, then committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from kafka import TopicPartition

from tests.support.running import eventually
from tests.support.streaming import Recorder, committed, looping, read_all, upload, uploads
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.kafka.clients import Publisher, open_admin
from vigil.service.errors import StaleOwnerError, UnavailableError
from vigil.service.settings import Settings
from vigil.streaming.assignment import Assignment
from vigil.streaming.handler import Handled, Received

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("stream-order")]


@pytest.fixture
def stream(broker: str, request: pytest.FixtureRequest) -> Settings:
    """Settings without a database."""
    tansu = request.node.callspec.params["broker"] == "tansu"
    return Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, startup_timeout_seconds=TIMEOUT,
        session_timeout_ms=3000 if tansu else 5000, checkpoint_seconds=0.05, log_level="ERROR",
    )  # fmt: skip


@pytest.fixture
def publisher(stream: Settings) -> Iterator[Publisher]:
    """Sends to the broker under test."""
    made = Publisher(stream, "test")
    yield made
    made.close()


class Counting(Recorder):
    """Counts each patient's messages in memory, says each count on the events' topic, and saves
    the counts with the offsets in ``durable``: a worker with state, as small as it can be."""

    durable: dict[TopicPartition, tuple[int, dict[str, int]]]

    def __init__(self, prefix: str, durable: dict[TopicPartition, tuple[int, dict[str, int]]]):
        super().__init__(prefix)
        self.durable = durable
        self.counts: dict[TopicPartition, dict[str, int]] = {}
        self.next: dict[TopicPartition, int] = {}
        self.saves = 0

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        super().assigned(partitions)
        offsets = {}
        for place in partitions:
            offsets[place], counts = self.durable.get(place, (0, {}))
            self.counts[place] = dict(counts)
        return offsets

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        super().revoked(partitions)
        for place in partitions:
            self.counts.pop(place, None)
            self.next.pop(place, None)

    def handle(self, batch: Sequence[Received]) -> Handled:
        super().handle(batch)
        produced = []
        for received in batch:
            place = TopicPartition(received.topic, received.partition)
            self.next[place] = received.offset + 1
            patient = str(getattr(received.message, "patient_id", ""))
            if patient.startswith(self.prefix):
                count = self.counts[place].get(patient, 0) + 1
                self.counts[place][patient] = count
                value = f"{patient} {count}".encode()
                produced.append(wire.Outgoing(topics.EVENTS.name, patient.encode(), value, []))
        return Handled(produced)

    def checkpoint(self) -> None:
        self.saves += 1
        for place, offset in self.next.items():
            self.durable[place] = (offset, dict(self.counts[place]))


def produced(settings: Settings, prefix: str) -> list[str]:
    records = read_all(settings, topics.EVENTS.name)
    return [r.value.decode() for r in records if (r.key or b"").startswith(prefix.encode())]


def expected(prefix: str, patients: int, each: int) -> set[str]:
    return {f"{prefix}-{p} {n + 1}" for p in range(patients) for n in range(each)}


def test_what_is_handled_is_produced_then_saved_then_committed(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, messages = uploads(patients=4, each=25)
    publisher.publish(messages)
    steps: list[str] = []
    failures = [UnavailableError("Not now.", code="unavailable.broker") for _ in range(2)]
    send = Publisher.publish

    def publish(self: Publisher, outgoing: Any, timeout_seconds: float = 30) -> int:
        if self is publisher:
            return send(self, outgoing, timeout_seconds)
        if failures:
            send(self, list(outgoing)[:3], timeout_seconds)
            raise failures.pop()
        steps.append("produce")
        return send(self, outgoing, timeout_seconds)

    class Noting(Counting):
        def handle(self, batch: Sequence[Received]) -> Handled:
            steps.append("handle")
            return super().handle(batch)

        def checkpoint(self) -> None:
            steps.append("checkpoint")
            if steps.count("checkpoint") == 1:
                raise UnavailableError("Not now.", code="unavailable.database")
            assert committed(stream, self) == {}, "committed before it was durable"
            super().checkpoint()

    monkeypatch.setattr(Publisher, "publish", publish)
    handler = Noting(prefix, {})
    with looping(handler, stream):
        eventually(lambda: handler.saves and sum(map(len, handler.counts.values())) == 4)
        eventually(lambda: committed(stream, handler))
        eventually(lambda: set(produced(stream, prefix)) == expected(prefix, 4, 25))
    first = steps.index("checkpoint")
    assert steps[:first].count("handle") == steps[:first].count("produce") >= 1
    assert steps[first : first + 2] == ["checkpoint", "checkpoint"], "saved again, not done again"


def test_a_crash_goes_on_from_the_checkpoint_and_says_the_same(
    stream: Settings, publisher: Publisher
) -> None:
    """The second worker knows what the first saved, and nothing of what it did since."""
    rare = stream.model_copy(update={"checkpoint_seconds": 60})
    prefix, messages = uploads(patients=3, each=40)
    durable: dict[TopicPartition, tuple[int, dict[str, int]]] = {}
    first = Counting(prefix, durable)
    with looping(first, rare) as (_, _stop):
        publisher.publish(messages[:60])
        eventually(lambda: len(first.seen) >= 60)
        saved = {place: (offset, dict(counts)) for place, (offset, counts) in durable.items()}
        publisher.publish(messages[60:])
        eventually(lambda: len(first.seen) >= 120)
        assert sum(n for _, c in saved.values() for n in c.values()) < 120
    second = Counting(prefix, saved)
    second.name = first.name
    with looping(second, rare):
        eventually(lambda: sum(sum(c.values()) for c in second.counts.values()) == 120)
    assert second.seen, "done again"
    assert set(produced(stream, prefix)) == expected(prefix, 3, 40)


def test_a_rebalance_leaves_the_state_of_what_comes_back(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=12, each=30)
    durable: dict[TopicPartition, tuple[int, dict[str, int]]] = {}
    first, second = Counting(prefix, durable), Counting(prefix, durable)
    second.name = first.name
    with ExitStack() as stack:
        stack.enter_context(looping(first, stream))
        publisher.publish(messages[:120])
        eventually(lambda: len(first.seen) >= 120)
        with looping(second, stream):
            eventually(lambda: second.calls)
            eventually(lambda: len(first.counts) in {1, 2})
            publisher.publish(messages[120:240])
            eventually(lambda: len({*first.seen, *second.seen}) == 240)
        eventually(lambda: len(first.counts) == 3)
        publisher.publish(messages[240:])
        eventually(lambda: len({*first.seen, *second.seen}) == 360)
    loaded = [place for name, places in first.calls if name == "assigned" for place in places]
    taken = {place for name, places in second.calls if name == "assigned" for place in places}
    assert taken
    assert len(loaded) == 3 + len(taken), "only what had another owner is loaded again"
    assert set(produced(stream, prefix)) == expected(prefix, 12, 30)


def test_what_was_applied_and_not_sent_is_loaded_again_after_a_rebalance(
    stream: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker takes nothing while partitions are shared out: the state in memory is ahead."""
    assignments: list[Assignment] = []

    class Kept(Assignment):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            assignments.append(self)

    monkeypatch.setattr("vigil.streaming.loop.Assignment", Kept)
    prefix, messages = uploads(patients=3, each=10)
    handler = Counting(prefix, {})
    send, tries = Publisher.publish, [0]

    def publish(self: Publisher, outgoing: Any, timeout_seconds: float = 30) -> int:
        tries[0] += self is not publisher
        if self is not publisher and tries[0] == 1:
            assignments[0].generation += 1  # as a rebalance during the wait does
            raise UnavailableError("Not now.", code="unavailable.broker")
        return send(self, outgoing, timeout_seconds)

    monkeypatch.setattr(Publisher, "publish", publish)
    with looping(handler, stream):
        publisher.publish(messages)
        eventually(lambda: set(produced(stream, prefix)) == expected(prefix, 3, 10))
    names = [name for name, _ in handler.calls]
    assert names[:3] == ["assigned", "revoked", "assigned"]


def test_a_handler_slower_than_the_session_keeps_its_partitions(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=3, each=2)
    slept: list[float] = []

    def before(batch: Sequence[Received]) -> None:
        if batch and not slept:
            slept.append(stream.session_timeout_ms / 1000 + 1)
            time.sleep(slept[0])

    recorder = Recorder(prefix, before)
    with looping(recorder, stream):
        publisher.publish(messages)
        eventually(lambda: len(recorder.seen) == 6)
    assert [name for name, _ in recorder.calls] == ["assigned", "revoked"]


def test_a_message_that_fails_costs_a_worker_with_state_nothing_else(
    stream: Settings, publisher: Publisher
) -> None:
    rare = stream.model_copy(update={"checkpoint_seconds": 60})
    prefix, messages = uploads(patients=3, each=20)
    bad = upload(f"{prefix}-1", 11)

    class Slip(Counting):
        def handle(self, batch: Sequence[Received]) -> Handled:
            handled = super().handle(batch)
            if any(r.message == bad for r in batch):
                raise ValueError("a slip in the handler, after the state was changed")
            return handled

    handler = Slip(prefix, {})
    with looping(handler, rare):
        publisher.publish(messages)
        eventually(lambda: sum(sum(c.values()) for c in handler.counts.values()) == 59)
    wanted = expected(prefix, 3, 20) - {f"{prefix}-1 20"}
    assert set(produced(stream, prefix)) == wanted


def test_who_owns_nothing_any_more_blames_no_message_for_it(
    stream: Settings, publisher: Publisher
) -> None:
    rare = stream.model_copy(update={"checkpoint_seconds": 60})
    prefix, messages = uploads(patients=3, each=20)

    class Unlucky(Counting):
        slips = stale = 1

        def handle(self, batch: Sequence[Received]) -> Handled:
            handled = super().handle(batch)
            if handled.outgoing and self.slips:
                self.slips -= 1
                raise ValueError("a slip: its messages come again one by one")
            return handled

        def checkpoint(self) -> None:
            if not self.slips and self.stale:  # between two of them
                self.stale -= 1
                raise StaleOwnerError("Another had it.")
            super().checkpoint()

    publisher.publish(messages)
    handler = Unlucky(prefix, {})
    with looping(handler, rare):
        eventually(lambda: not handler.stale)
        eventually(lambda: sum(sum(c.values()) for c in handler.counts.values()) == 60)
    assert set(produced(stream, prefix)) == expected(prefix, 3, 20)
    dead_letters = read_all(stream, topics.DEAD_LETTERS.name)
    assert [x for x in dead_letters if (x.key or b"").startswith(prefix.encode())] == []


def test_messages_deleted_before_they_were_read_are_counted(
    stream: Settings, publisher: Publisher, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu does not delete records on request")
    prefix, messages = uploads(patients=1, each=30)
    recorder = Recorder(prefix)
    with looping(recorder, stream):
        publisher.publish(messages[:10])
        eventually(lambda: len(recorder.seen) == 10)
        eventually(lambda: committed(stream, recorder))
    publisher.publish(messages[10:])
    mine = [r for r in read_all(stream, topics.READINGS.name) if r.key == f"{prefix}-0".encode()]
    place = TopicPartition(mine[0].topic, mine[0].partition)
    with open_admin(stream) as admin:
        admin.delete_records({place: mine[20].offset})
    with looping(recorder, stream) as (health, _):
        eventually(lambda: len(recorder.seen) == 20)
        counters = health.report()["counters"]
    assert isinstance(counters, dict)
    assert counters["messages_missed"] == 10
    assert recorder.seen[10:] == [f"{prefix}-0-{n}" for n in range(20, 30)]


def test_a_topic_that_is_missing_is_said_and_waited_for(
    stream: Settings,
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu makes a topic when it is asked about it")
    monkeypatch.setattr("vigil.streaming.loop.LAG_SECONDS", 0.2)
    prefix, messages = uploads(patients=3, each=2)
    recorder = Recorder(prefix)
    recorder.topics = (topics.READINGS.name, f"not-made-{prefix}")
    with looping(recorder, stream, wait_ready=False) as (health, _):
        publisher.publish(messages)
        eventually(lambda: len(recorder.seen) == 6)
        eventually(lambda: "unavailable.broker_topics" in health.report()["trouble"])  # type: ignore[operator]
        report = health.report()["trouble"]
        assert isinstance(report, dict)
        assert recorder.topics[1] in report["unavailable.broker_topics"]
        assert not health.ready()
