"""Record batches read as kafka-python reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from vigil.contracts import wire
from vigil.domain.reading import Tick
from vigil.kafka.records import PartitionRecords, Record, unpack

PLACE = TopicPartition("t", 3)
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


def taken(kind: Any, data: bytes, first: int = 0) -> tuple[list[Any], int]:
    """What a reader of that kind gives from an offset on, and where it would fetch next."""
    part = kind(first, PLACE, MemoryRecords(data), check_crcs=True)
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
