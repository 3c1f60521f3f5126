"""Committed data only: what an aborted transaction wrote is nowhere, what an open one holds waits.

The oracle is kafka-python's own reader of committed data.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.protocol.consumer.fetch import FetchResponse
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from tests.support.running import eventually
from tests.support.streaming import Recorder, looping, uploads
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics
from vigil.contracts.wire import Carried, Outgoing
from vigil.kafka import partition_reader, records
from vigil.kafka.clients import open_admin, open_consumer
from vigil.kafka.compacted_topic import CompactedTopicReader
from vigil.kafka.records import Gaps
from vigil.service.settings import Settings

PLACE = TopicPartition("t", 0)
PartitionRecords = partial(records.PartitionRecords, gaps=Gaps())
PRODUCERS = (7, 8, 9)
Aborted = FetchResponse.FetchableTopicResponse.PartitionData.AbortedTransaction


def batch(
    offset: int, values: list[bytes], producer: int = -1, *, control: bool = False
) -> bytearray:
    """A batch of a producer's open transaction; -1: of a producer without one."""
    known = producer >= 0
    builder = MemoryRecordsBuilder(
        magic=2, compression_type=0, batch_size=1_000_000, offset=offset, transactional=known,
        producer_id=producer, producer_epoch=0 if known else -1, base_sequence=0 if known else -1,
    )  # fmt: skip
    for value in values:
        builder.append(timestamp=1, key=value if control else None, value=value)
    builder.close()
    data = bytearray(builder.buffer())
    if control:
        data[22] |= DefaultRecordBatch.CONTROL_MASK
    return data


def marker(offset: int, producer: int, *, commit: bool) -> bytearray:
    """The end of a transaction; its key is a version and a type."""
    return batch(offset, [bytes([0, 0, 0, int(commit)])], producer, control=True)


STEPS = st.lists(
    st.tuples(st.sampled_from([-1, *PRODUCERS]), st.sampled_from(["send", "commit", "abort"]),
              st.integers(1, 3)),
    max_size=25,
)  # fmt: skip


def written(steps: list[tuple[int, str, int]]) -> tuple[bytes, list[Any], list[int]]:
    """A log, the aborted transactions that a broker names with it, and the committed offsets."""
    data, offset = bytearray(), 0
    open_at: dict[int, list[int]] = {}
    aborted, committed = [], list[int]()
    ends = [(producer, "abort", 1) for producer in PRODUCERS]  # a broker gives what is ended
    for producer, what, count in [*steps, *ends]:
        if what == "send":
            data += batch(offset, [b"%d" % n for n in range(offset, offset + count)], producer)
            found = committed if producer < 0 else open_at.setdefault(producer, [])
            found.extend(range(offset, offset + count))
            offset += count
        elif producer in open_at:
            mine = open_at.pop(producer)
            if what == "commit":
                committed += mine
            else:
                aborted.append(Aborted(producer_id=producer, first_offset=mine[0]))
            data += marker(offset, producer, commit=what == "commit")
            offset += 1
    return bytes(data), aborted, sorted(committed)


def read(kind: Any, data: bytes, aborted: list[Any], piece: int) -> tuple[list[int], int]:
    """The offsets that a reader gives, so many at once, and where it would fetch next."""
    part = kind(
        0, PLACE, MemoryRecords(data), check_crcs=False,
        isolation_level=IsolationLevel.READ_COMMITTED, aborted_transactions=aborted,
    )  # fmt: skip
    found: list[int] = []
    while part:
        found += [record.offset for record in part.take(piece)]
    return found, part.next_fetch_offset


@given(STEPS, st.integers(1, 5))
def test_interleaved_transactions_are_read_as_kafka_python_reads_them(
    steps: list[tuple[int, str, int]], piece: int
) -> None:
    data, aborted, committed = written(steps)
    ours = read(PartitionRecords, data, list(aborted), piece)
    assert ours[0] == committed
    if data:
        assert ours == read(Fetcher.PartitionRecords, data, list(aborted), piece)


def test_a_marker_that_compaction_has_emptied_is_skipped() -> None:
    empty = marker(1, 7, commit=True)
    empty[57:61] = bytes(4)  # no records
    empty[8:12] = (49).to_bytes(4, "big")  # and so no more bytes
    data = bytes(batch(0, [b"a"], 7)) + bytes(empty[:61]) + bytes(batch(2, [b"b"]))
    assert read(PartitionRecords, data, [], 10) == ([0, 2], 3)


@pytest.fixture
def streaming(broker: str, request: pytest.FixtureRequest) -> Settings:
    """Settings on Apache Kafka; Tansu, which nobody's transactions reach, is tried elsewhere."""
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu is for demonstrations and has no other producers")
    return Settings(
        demo=True, kafka_bootstrap=broker, session_timeout_ms=5000, log_level="ERROR", partitions=3
    )


Open = Callable[[], Any]


@pytest.fixture
def producer(streaming: Settings) -> Iterator[Open]:
    """Makes transactional producers."""
    made: list[Any] = []

    def make() -> Any:
        producer = KafkaProducer(
            bootstrap_servers=streaming.kafka_bootstrap, transactional_id=secrets.token_hex(6)
        )
        made.append(producer)
        producer.init_transactions()
        return producer

    yield make
    for each in made:
        each.close(timeout=2)


def topic_of(settings: Settings) -> TopicPartition:
    """A topic of this test's own."""
    name = f"t-{secrets.token_hex(6)}"
    with open_admin(settings) as admin:
        admin.create_topics([NewTopic(name, 1, 1)])
    return TopicPartition(name, 0)


def send(producer: Any, place: TopicPartition, messages: list[Outgoing]) -> None:
    """Messages of anybody's, into that partition."""
    for m in messages:
        producer.send(
            place.topic, m.value, key=m.key, headers=m.headers, partition=place.partition
        ).get(TIMEOUT)


@pytest.mark.kafka
def test_our_reader_returns_what_the_librarys_returns(streaming: Settings, producer: Open) -> None:
    place, dice = topic_of(streaming), random.Random(4)  # noqa: S311 (a test)
    plain = KafkaProducer(bootstrap_servers=streaming.kafka_bootstrap)
    writers, begun = [producer() for _ in range(3)], set[Any]()
    for number in range(150):
        writer = dice.choice([plain, *writers])
        if writer is not plain and writer not in begun:
            writer.begin_transaction()
            begun.add(writer)
        writer.send(place.topic, b"%d" % number, partition=0).get(TIMEOUT)
        if writer in begun and dice.random() < 0.3:
            writer.commit_transaction() if dice.random() < 0.5 else writer.abort_transaction()
            begun.discard(writer)
    for writer in begun - {writers[0]}:
        writer.commit_transaction()
    if writers[0] not in begun:
        writers[0].begin_transaction()
    writers[0].send(place.topic, b"never ended", partition=0).get(TIMEOUT)
    plain.send(place.topic, b"behind", partition=0).get(TIMEOUT)
    plain.close()
    theirs = KafkaConsumer(
        bootstrap_servers=streaming.kafka_bootstrap, isolation_level="read_committed"
    )
    theirs.assign([place])
    theirs.seek_to_beginning(place)
    end, expected = theirs.end_offsets([place])[place], []
    while theirs.position(place) < end:
        expected += [(r.offset, r.value) for r in theirs.poll(300).get(place, ())]
    theirs.close()
    assert 20 < len(expected) < 140
    with closing(open_consumer(streaming, None)) as consumer:
        ours = [(r.offset, r.value) for r in partition_reader.read_retained(consumer, place)]
    assert ours == expected


@pytest.mark.kafka
def test_a_worker_reports_an_open_transaction_and_never_receives_an_aborted_one(
    streaming: Settings, producer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil.liveness.progress.STUCK_SECONDS", 1.0)
    place = TopicPartition(topics.READINGS.name, 0)
    prefix, messages = uploads(patients=1, each=12)
    plain, writer = KafkaProducer(bootstrap_servers=streaming.kafka_bootstrap), producer()
    writer.begin_transaction()
    send(writer, place, messages[:3])
    writer.abort_transaction()
    writer.begin_transaction()
    send(writer, place, messages[3:6])
    writer.commit_transaction()
    recorder = Recorder(prefix)

    def lag() -> Any:
        return health.snapshot().gauges["lag_messages"]

    with looping(recorder, streaming) as (health, _):
        eventually(lambda: len(recorder.seen) == 3 and lag() == 0)
        writer.begin_transaction()
        send(writer, place, messages[6:8])
        send(plain, place, messages[8:10])
        reported = eventually(lambda: health.snapshot().troubles.get("transaction"))
        assert str(reported).startswith("4 offsets of vitals.readings/0 wait behind a transaction")
        assert not health.ready()
        assert health.snapshot().gauges["stuck_partitions"] == 1
        assert len(recorder.seen) == 3
        writer.abort_transaction()
        eventually(lambda: len(recorder.seen) == 5)
        eventually(health.ready)
        eventually(lambda: lag() == 0)  # though an offset is left for the marker
    plain.close()
    assert recorder.seen == [f"{prefix}-0-{n}" for n in (3, 4, 5, 8, 9)]


class Entries:
    """What was read of one log."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.whole: list[int] = []

    def apply_entry(self, entry: Carried) -> None:
        """Notes nothing: nothing readable is sent."""

    def delete_entry(self, key: str) -> None:
        """A message without a value."""
        self.keys.append(key)

    def reached_end(self) -> None:
        """Notes how many there were."""
        self.whole.append(len(self.keys))


@pytest.mark.kafka
def test_a_compacted_topic_reader_reaches_the_end_past_transactions(
    streaming: Settings, producer: Open
) -> None:
    writer, entries = producer(), Entries()

    def write(key: bytes, *, commit: bool | None) -> None:
        writer.begin_transaction()
        writer.send(topics.PHRASES.name, b"", key=key, partition=0).get(TIMEOUT)
        if commit is not None:
            writer.commit_transaction() if commit else writer.abort_transaction()

    write(b"aborted", commit=False)
    write(b"committed", commit=True)
    write(b"aborted too", commit=False)
    write(b"open", commit=None)
    reader = CompactedTopicReader(streaming, topics.PHRASES, lambda: entries, name="test")
    reader.start()
    try:
        eventually(lambda: entries.whole)
        assert (entries.keys, entries.whole[0]) == (["committed"], 1)
        writer.commit_transaction()
        eventually(lambda: entries.keys == ["committed", "open"])
    finally:
        reader.stop()


@pytest.mark.kafka
def test_both_brokers_serve_a_reader_of_committed_data(broker: str) -> None:
    settings = Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR")
    place = TopicPartition(topics.ACTIONS.name, 1)
    plain = KafkaProducer(bootstrap_servers=broker)
    for number in range(7):
        plain.send(place.topic, b"%d" % number, partition=1).get(TIMEOUT)
    plain.close()
    with closing(open_consumer(settings, None)) as consumer:
        records.attach(consumer)
        assert [r.value for r in partition_reader.read_retained(consumer, place)] == [
            b"%d" % n for n in range(7)
        ]
