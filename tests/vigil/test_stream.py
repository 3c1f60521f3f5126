"""The loop of every worker, on the broker under test."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest
from kafka import TopicPartition

from tests.support.running import eventually
from tests.support.streaming import Recorder, committed, looping, read_all, upload, uploads
from vigil import topics, wire
from vigil.broker import Publisher
from vigil.errors import StaleOwnerError, UnavailableError, WireError
from vigil.handler import Received, Rejected
from vigil.settings import Settings

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(broker: str) -> Settings:
    """Settings without a database, and a group that notices a lost member soon."""
    return Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, session_timeout_ms=6000,
        startup_timeout_seconds=20,
    )  # fmt: skip


@pytest.fixture
def publisher(stream: Settings) -> Iterator[Publisher]:
    """Sends to the broker under test."""
    made = Publisher(stream, "test")
    yield made
    made.close()


def away(code: str = "unavailable.database") -> UnavailableError:
    return UnavailableError("Not now.", code=code)


def letters_of(settings: Settings, service: str) -> list[dict[str, str]]:
    """The dead letters of a service: their headers, with the value as ``value``."""
    found = []
    for record in read_all(settings, topics.DEADLETTER.name):
        headers = {name: value.decode() for name, value in record.headers}
        if headers["ce_source"] == f"/vigil/{service}":
            found.append({**headers, "value": record.value.decode("utf-8", "replace")})
    return found


def test_every_message_is_handled_once_in_order_and_committed(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=7, each=40)
    publisher.publish(messages)
    recorder = Recorder(prefix)
    with looping(recorder, stream) as (health, _):
        eventually(lambda: len(recorder.seen) >= 280)
        eventually(lambda: health.report()["gauges"].get("lag_messages") == 0)  # type: ignore[attr-defined]
    assert len(recorder.seen) == len(set(recorder.seen)) == 280
    for patient in range(7):
        mine = [i for i in recorder.seen if i.startswith(f"{prefix}-{patient}-")]
        assert mine == [f"{prefix}-{patient}-{n}" for n in range(40)]

    again = Recorder(prefix)
    again.name = recorder.name
    with looping(again, stream):
        time.sleep(1)
    assert again.seen == []


def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_loop_goes_on(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=2)
    good, other = messages
    poison = {
        "not json": good._replace(value=b"\xff\x00 not json"),
        "empty": good._replace(value=b""),
        "wrong shape": good._replace(value=b'{"patient_id": 7}'),
        "deep": good._replace(value=b'{"patient_id":' + b"[" * 200_000),
        "unknown type": good._replace(headers=[("ce_type", b"org.vigil.upload.v9")]),
        "of another topic": good._replace(headers=[("ce_type", b"org.vigil.alert.v1")]),
    }
    publisher.publish([good, *poison.values(), other])
    recorder = Recorder(prefix)
    with looping(recorder, stream) as (health, _):
        eventually(lambda: len(recorder.seen) == 2)
        eventually(lambda: health.report()["counters"].get("dead_letters", 0) >= len(poison))  # type: ignore[attr-defined]
    letters = letters_of(stream, recorder.name)
    mine = [letter for letter in letters if letter["original_ce_type"] != ""][-6:]
    assert Counter(letter["vigil_reason"] for letter in mine) == {
        "wire.broken_message": 4,
        "wire.unknown_type": 2,
    }
    assert {letter["value"].encode()[:20] for letter in mine} >= {b'{"patient_id": 7}', b""}
    assert len({letter["ce_id"] for letter in letters}) == len(letters)
    assert sum(committed(stream, recorder).values()) >= 8


def test_a_header_without_a_value_does_no_harm(stream: Settings, publisher: Publisher) -> None:
    prefix, (good,) = uploads(patients=1, each=1)
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=stream.kafka_bootstrap)
    null = [("ce_type", b"org.vigil.upload.v1"), ("x", b"")]
    producer.send(good.topic, value=good.value, key=good.key, headers=null).get(10)
    producer.close()
    assert wire.decode(good.topic, good.value, [("ce_type", None)]) == wire.decode(
        good.topic, good.value, good.headers
    )
    recorder = Recorder(prefix)
    with looping(recorder, stream):
        eventually(lambda: len(recorder.seen) == 1)


def test_what_a_handler_rejects_goes_to_the_dead_letters(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=2, each=3)
    publisher.publish(messages)
    recorder = Recorder(prefix)
    reason = WireError("Not ours.", code="wire.rejected")
    recorder.rejects = lambda r: (
        Rejected(r, reason) if r.message == upload(f"{prefix}-0", 1) else None
    )
    with looping(recorder, stream):
        eventually(lambda: len(recorder.seen) == 6)
    (letter,) = letters_of(stream, recorder.name)
    assert letter["vigil_reason"] == "wire.rejected"
    assert letter["vigil_detail"] == "Not ours."
    assert letter["original_ce_type"] == "org.vigil.upload.v1"
    assert wire.decode(topics.READINGS.name, letter["value"].encode(), []) == upload(
        f"{prefix}-0", 1
    )


def test_an_unavailable_part_is_waited_for_past_the_session_timeout(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=5, each=20)
    publisher.publish(messages)
    until = time.monotonic() + 9  # session_timeout_ms is 6000

    def before(batch: Sequence[Received]) -> None:
        if batch and time.monotonic() < until:
            raise away()

    recorder = Recorder(prefix, before)
    with looping(recorder, stream, wait_ready=False) as (health, _):
        eventually(lambda: health.report()["trouble"].get("unavailable.database"), 20)  # type: ignore[attr-defined]
        assert not health.ready()
        eventually(lambda: len(recorder.seen) == 100, 20)
        eventually(health.ready)
    assert sorted(recorder.seen) == sorted(set(recorder.seen))
    assert [name for name, _ in recorder.calls] == ["assigned", "revoked"]  # never taken away


def test_messages_dropped_in_a_rebalance_come_again(stream: Settings, publisher: Publisher) -> None:
    """A consumer keeps its position in a partition that it is given again: the loop must not."""
    prefix, messages = uploads(patients=9, each=10)
    publisher.publish(messages)
    holding = threading.Event()

    def before(batch: Sequence[Received]) -> None:
        if batch and not holding.is_set():
            raise away()

    first, second = Recorder(prefix, before), Recorder(prefix)
    second.name = first.name
    with looping(first, stream, wait_ready=False) as (health, _):
        eventually(lambda: health.report()["trouble"].get("unavailable.database"), 20)  # type: ignore[attr-defined]
        with looping(second, stream):  # joins while the first one waits with a batch in hand
            holding.set()
            eventually(lambda: len(set(first.seen) | set(second.seen)) == 90, 20)
    assert Counter(first.seen + second.seen).most_common(1)[0][1] <= 2


def test_two_loops_share_the_partitions_and_one_takes_over(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=12, each=30)
    one, two = Recorder(prefix), Recorder(prefix)
    two.name = one.name
    with looping(two, stream):
        with looping(one, stream):
            publisher.publish(messages[:180])
            eventually(lambda: len(set(one.seen) | set(two.seen)) == 180, 20)
            assert one.seen
            assert two.seen
        publisher.publish(messages[180:])  # one has left the group
        eventually(lambda: len(set(one.seen) | set(two.seen)) == 360, 20)
    for patient in range(12):
        numbers = [
            int(i.rpartition("-")[2])
            for i in [*one.seen, *two.seen]
            if i.startswith(f"{prefix}-{patient}-")
        ]
        assert sorted(set(numbers)) == list(range(30))


def test_state_that_cannot_be_loaded_yet_is_waited_for(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=4, each=5)
    publisher.publish(messages)
    tries = []

    class Stateful(Recorder):
        def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            tries.append(time.monotonic())
            if len(tries) < 4:
                assert not self.seen, "handled before its state was there"
                raise away()
            return super().assigned(partitions)

    recorder = Stateful(prefix)
    with looping(recorder, stream):
        eventually(lambda: len(recorder.seen) == 20)
    assert len(tries) == 4


def test_the_handlers_own_offsets_are_where_it_goes_on(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=6)
    publisher.publish(messages)
    mine = [r for r in read_all(stream, topics.READINGS.name) if r.key.startswith(prefix.encode())]
    place = TopicPartition(topics.READINGS.name, mine[0].partition)

    class Stateful(Recorder):
        def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            assert place in partitions
            return {place: mine[4].offset}

    recorder = Stateful(prefix)
    with looping(recorder, stream):
        eventually(lambda: len(recorder.seen) >= 2)
        time.sleep(0.5)
    assert recorder.seen == [f"{prefix}-0-4", f"{prefix}-0-5"]


def test_a_stale_owner_forgets_and_loads_again(stream: Settings, publisher: Publisher) -> None:
    prefix, messages = uploads(patients=3, each=4)
    publisher.publish(messages)
    stale = [True]

    def before(batch: Sequence[Received]) -> None:
        if batch and stale.pop() if stale else False:
            raise StaleOwnerError("A newer owner.")

    recorder = Recorder(prefix, before)
    with looping(recorder, stream):
        eventually(lambda: len(recorder.seen) == 12)
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
        eventually(lambda: len(set(recorder.seen)) == 47, 30)
        eventually(lambda: health.report()["counters"].get("dead_letters", 0) >= 1)  # type: ignore[attr-defined]
    letters = [x for x in letters_of(stream, recorder.name) if prefix in x["value"]]
    assert [letter["vigil_reason"] for letter in letters] == ["wire.rejected"]
    assert wire.decode(topics.READINGS.name, letters[0]["value"].encode(), []) == bad


def test_a_fault_that_is_not_in_the_messages_ends_the_process(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=3, each=20)
    publisher.publish(messages)

    def before(batch: Sequence[Received]) -> None:
        if batch:
            raise LookupError("the table is not there")

    recorder = Recorder(prefix, before)
    with pytest.raises(LookupError), looping(recorder, stream, wait_ready=False) as (health, _):
        eventually(lambda: health.report()["trouble"].get("never"), 8)  # type: ignore[attr-defined]
    letters = [x for x in letters_of(stream, recorder.name) if prefix in x["value"]]
    assert len(letters) <= 2


def test_stop_finishes_the_batch_in_hand(stream: Settings, publisher: Publisher) -> None:
    prefix, messages = uploads(patients=2, each=10)
    publisher.publish(messages)
    begun, go_on = threading.Event(), threading.Event()

    def before(batch: Sequence[Received]) -> None:
        if batch:
            begun.set()
            assert go_on.wait(10)

    recorder = Recorder(prefix, before)
    with looping(recorder, stream, wait_ready=False) as (_, stop):
        assert begun.wait(20)
        stop.set()
        go_on.set()
    handled = len(recorder.seen)
    assert handled > 0
    again = Recorder(prefix)
    again.name = recorder.name
    with looping(again, stream):
        eventually(lambda: len(again.seen) == 20 - handled)
        time.sleep(0.5)
    assert not set(again.seen) & set(recorder.seen)


def test_stop_while_waiting_gives_the_batch_back(stream: Settings, publisher: Publisher) -> None:
    prefix, messages = uploads(patients=1, each=3)
    publisher.publish(messages)

    def before(batch: Sequence[Received]) -> None:
        if batch:
            raise away()

    recorder = Recorder(prefix, before)
    with looping(recorder, stream, wait_ready=False) as (health, stop):
        eventually(lambda: health.report()["trouble"].get("unavailable.database"), 20)  # type: ignore[attr-defined]
        begin = time.monotonic()
        stop.set()
    assert time.monotonic() - begin < 6
    again = Recorder(prefix)
    again.name = recorder.name
    with looping(again, stream):
        eventually(lambda: len(again.seen) == 3)


def test_an_idle_call_may_find_a_part_away(stream: Settings) -> None:
    calls = []

    class Idle(Recorder):
        def idle(self) -> None:
            calls.append(1)
            if len(calls) < 3:
                raise away()

    with looping(Idle("nobody"), stream) as (health, _):
        eventually(lambda: len(calls) > 5)
        assert health.ready()
