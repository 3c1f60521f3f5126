"""Record batches read as kafka-python reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from structlog.testing import capture_logs

from vigil.contracts import wire
from vigil.contracts.topics import PHRASES, READINGS
from vigil.domain.reading import Tick
from vigil.kafka import records
from vigil.kafka.records import Gaps, Record, unpack

PLACE = TopicPartition("t", 3)
PartitionRecords = partial(records.PartitionRecords, gaps=Gaps())
NAMES = st.one_of(st.sampled_from(["ce_type", "ce_id", ""]), st.text(max_size=90))
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=140)), max_size=70)
MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 2**45),
        st.none() | st.binary(max_size=70),
        st.none() | st.sampled_from([b"", b"x" * 130, b"{}" * 9000]) | st.binary(max_size=40),
        HEADERS,
    ),
    min_size=1,
    max_size=4,
)


def packed(messages: list[Any], codec: int, offset: int = 0) -> bytes:
    """A batch as a broker gives it. Codecs: none, gzip, snappy, lz4, zstd."""
    builder = MemoryRecordsBuilder(
        magic=2, compression_type=codec, batch_size=10_000_000, offset=offset
    )
    for timestamp, key, value, headers in messages:
        builder.append(timestamp=timestamp, key=key, value=value, headers=headers)
    builder.close()
    return bytes(builder.buffer())


def taken(
    kind: Any, data: bytes, first: int = 0, place: TopicPartition = PLACE
) -> tuple[list[Any], int]:
    """What a reader of that kind gives from an offset on, and where it would fetch next."""
    part = kind(first, place, MemoryRecords(data), check_crcs=True)
    return part.take(), part.next_fetch_offset


@settings(max_examples=30)
@given(MESSAGES, st.sampled_from([0, 1, 2, 3, 4]), st.integers(0, 2**30), st.integers(0, 4))
def test_read_as_kafka_python_reads(
    messages: list[Any], codec: int, offset: int, skipped: int
) -> None:
    data = packed(messages, codec, offset) + packed(messages[:1], codec, offset + len(messages))
    theirs, their_next = taken(Fetcher.PartitionRecords, data, offset + skipped)
    ours, our_next = taken(PartitionRecords, data, offset + skipped)
    assert our_next == their_next
    assert [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in ours] == [
        (r.offset, r.timestamp, r.key, r.value, [(n, v) for n, v in r.headers]) for r in theirs
    ]
    for our, their in zip(ours, theirs, strict=True):
        for name in {"ce_type", "absent", *(n for n, _ in their.headers)}:
            assert our.header(name) == wire.header(their.headers, name)


@settings(max_examples=30)
@given(MESSAGES, st.data())
def test_bytes_that_are_no_batch_are_refused(messages: list[Any], data: st.DataObject) -> None:
    whole = bytearray(packed(messages, 0))
    place = data.draw(st.integers(61, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptRecordError, match="checksum"):
        taken(PartitionRecords, bytes(whole))
    batch = MemoryRecords(bytes(whole)).next_batch()
    try:
        for record in unpack(batch):
            _ = record.headers, record.header("ce_type")
    except CorruptRecordError as error:
        assert "record" in str(error) or "batch" in str(error)  # noqa: PT017


@given(st.binary(max_size=60))
def test_bytes_that_are_no_headers_hold_none(junk: bytes) -> None:
    record = Record(0, 0, None, None, junk)
    found = dict(reversed([(n, v) for n, v in record.headers if v is not None]))
    for name in ("ce_type", *found):
        expected = found.get(name)
        if expected is not None and "\ufffd" not in name:
            assert record.header(name) == expected.decode("utf-8", "replace")


def test_our_own_type_is_found() -> None:
    headers = wire.to_message(Tick(datetime(2026, 11, 21, tzinfo=UTC)), "ingest").headers
    (record,) = taken(PartitionRecords, packed([(1, None, b"{}", headers)], 0))[0]
    assert record.header("ce_type") == "org.vigil.tick.v1"


def offsets_from(first: int, *batches: tuple[int, int], reader: Any, topic: str) -> list[int]:
    """The offsets that a reader returns of batches (first offset, how many), and its next one."""
    message: tuple[Any, ...] = (1, None, b"{}", [])
    data = b"".join(
        offset.to_bytes(8, "big") + packed([message] * count, 0)[8:]  # as the broker numbers them
        for offset, count in batches
    )
    found, next_offset = taken(reader, data, first, TopicPartition(topic, 0))
    return [*(record.offset for record in found), next_offset]


def test_messages_that_are_missing_before_later_ones_are_fetched_again() -> None:
    read: Callable[..., list[int]] = partial(
        offsets_from,
        reader=partial(records.PartitionRecords, gaps=Gaps()),
        topic=READINGS.name,
    )
    assert read(131, (131, 3), (137, 3)) == [131, 132, 133, 134]
    assert read(134, (137, 3)) == [134]
    assert read(134, (134, 3), (137, 1)) == [134, 135, 136, 137, 138]


def test_what_does_not_come_is_not_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = partial(records.PartitionRecords, gaps=Gaps())
    read = partial(offsets_from, reader=reader, topic=READINGS.name)
    assert read(4, (6, 2)) == [4]
    monkeypatch.setattr(records, "LATE_SECONDS", 0.0)
    with capture_logs() as logged:
        assert read(4, (6, 2)) == [6, 7, 8]
    assert [line["event"] for line in logged] == ["messages are missing"]
    assert read(8, (9, 1)) == [8], "a new gap is waited for anew"


def test_a_compacted_topic_lacks_messages_by_design() -> None:
    reader = partial(records.PartitionRecords, gaps=Gaps())
    assert offsets_from(4, (6, 2), (9, 1), reader=reader, topic=PHRASES.name) == [6, 7, 9, 10]
