"""Decodes Kafka's record batches (format 2) as far as a worker needs them.

kafka-python decodes and measures every header of every record in Python. A message of ours has six
headers, of which a worker reads one; they took more than half of the time of a fetch. Here a record
keeps its headers as bytes, and they are decoded on access.

:func:`attach` replaces kafka-python's own class by this one. Everything before it (the group,
fetching, CRC, decompression) and after it (positions, pausing) stays kafka-python's. Control
batches are left out, as there, and so are the records of aborted transactions: the broker names
such transactions in its answer to a consumer that reads committed data only, and leaves it to the
client to drop their records.

A broker may give later batches while an earlier one cannot be read yet: Tansu 0.6.0 does now and
then (``docs/faults.md``), and a consumer that goes on has lost it. So where messages are missing
before a batch, nothing from it on is returned and they are fetched again, for
:data:`LATE_SECONDS`. Every offset of a topic that is not compacted is in some batch, of control
records or data.

Source: Apache Kafka, protocol guide, "Record Batch".
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint
from msgspec import Struct

from vigil.contracts import topics
from vigil.contracts.dead_letter_bounds import HeadersSize
from vigil.service import logs

log = logs.get("kafka")

LATE_SECONDS = 5.0
"""How long messages are waited for that are missing before later ones."""
_COMPACTED = frozenset(name for name, topic in topics.TOPICS.items() if topic.compacted)
Headers = list[tuple[str, bytes | None]]
_NOT_ONE_BYTE = 129
"""Bits of a length's first byte that are set if it has more than one byte, or is negative."""


class Record(Struct, frozen=True, gc=False):
    """One message as it is on the topic."""

    offset: int
    timestamp: int
    """Milliseconds since 1970; -1: none."""
    key: bytes | None
    value: bytes | None
    packed_headers: bytes
    """Their number and all of them, encoded as in the batch."""

    @property
    def headers(self) -> Headers:
        """All headers, in order; a name may come more than once."""
        return [(name.decode("utf-8", "replace"), value) for name, value in self._packed()]

    def first_headers(self, most: int) -> Headers:
        """The first ``most`` headers: a message may have a million."""
        return [(n.decode("utf-8", "replace"), v) for n, v in islice(self._packed(), most)]

    def headers_size(self) -> HeadersSize:
        """The number of headers that the message declares, and the bytes of all of them."""
        try:
            number, start = _varint(self.packed_headers, 0)
        except (ValueError, IndexError):
            return HeadersSize(0, 0)
        return HeadersSize(max(number, 0), len(self.packed_headers) - start)

    def header(self, name: str) -> str:
        """The first header of that name that has a value; otherwise an empty string."""
        wanted, data, pos = name.encode(), self.packed_headers, 1
        try:
            for _ in range(data[0] >> 1):
                begin, size = pos + 1, data[pos]
                end = begin + (size >> 1)
                length = data[end]
                if (data[0] | size | length) & _NOT_ONE_BYTE:  # many, a long one, or no value: rare
                    return self._header_slowly(wanted)
                pos = end + 1 + (length >> 1)
                if data[begin:end] == wanted:
                    return data[end + 1 : pos].decode("utf-8", "replace")
        except IndexError:
            return self._header_slowly(wanted)
        return ""

    def _header_slowly(self, wanted: bytes) -> str:
        for found, value in self._packed():
            if found == wanted and value is not None:
                return value.decode("utf-8", "replace")
        return ""

    def _packed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Name and value of each. Ends at what the format does not permit: no client writes it, and
        the reader decides whether the message is usable without the rest."""
        data = self.packed_headers
        try:
            count, pos = _varint(data, 0)
            for _ in range(count):
                size, pos = _varint(data, pos)
                if size < 0:
                    return
                name = data[pos : pos + size]
                size, pos = _varint(data, pos + size)
                yield name, (None if size < 0 else data[pos : pos + size])
                pos += max(size, 0)
        except (ValueError, IndexError):
            return


def attach(consumer: Any) -> None:
    """Make a ``KafkaConsumer`` return :class:`Record`, and no message before an earlier one."""
    consumer._fetcher.PartitionRecords = partial(PartitionRecords, gaps=Gaps())


class Gaps:
    """Where a consumer waits for messages that are missing before later ones."""

    def __init__(self) -> None:
        self._waiting: dict[Any, tuple[int, float]] = {}
        """Partition → the first offset that is missing, and since when, in monotonic seconds."""

    def is_late(self, partition: Any, expected: int, found: int) -> bool:
        """Whether to wait for the messages from ``expected`` on; False: they do not come.

        Args:
            partition: a ``TopicPartition``.
            found: the offset at which the next batch begins.
        """
        if partition.topic in _COMPACTED:
            return False
        offset, since = self._waiting.get(partition, (-1, 0.0))
        now = time.monotonic()
        if offset != expected:
            self._waiting[partition] = expected, now
            return True
        if now - since < LATE_SECONDS:
            return True
        log.error(
            "messages are missing",
            topic=partition.topic,
            partition=partition.partition,
            expected=expected,
            found=found,
        )
        return False


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """What was fetched of one partition, decoded record by record.

    Args:
        gaps: of its consumer; the others are kafka-python's.
    """

    next_fetch_offset: int

    def __init__(self, *args: Any, gaps: Gaps, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._gaps = gaps

    def _unpack_records(
        self, tp: Any, records: Any, _key_deserializer: object, _value_deserializer: object
    ) -> Iterator[Record]:
        batch = records.next_batch()
        while batch is not None:
            expected, found = self.next_fetch_offset, batch.base_offset
            if found > expected and self._gaps.is_late(tp, expected, found):
                break
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"{tp} at {batch.base_offset}: the checksum is wrong")
            self.leader_epoch = batch.leader_epoch
            aborted = batch.has_producer_id() and self._aborted(batch)
            if not aborted and not batch.is_control_batch:
                for record in unpack(batch):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            # its end may be beyond its last record: compaction keeps the offset
            self.next_fetch_offset = batch.next_offset
            batch = records.next_batch()
        self.drain()

    def _aborted(self, batch: Any) -> bool:
        """Whether the batch belongs to an aborted transaction. To be called once for each batch of
        a producer with an id, in order: aborted transactions begin and end on the way.

        The broker names none to a consumer that reads uncommitted data.
        """
        self._consume_aborted_transactions_up_to(batch.last_offset)
        if batch.is_control_batch:
            marker = next(iter(batch), None)  # none: compaction left the batch without its record
            if marker is not None and marker.abort:
                self.aborted_producer_ids.discard(batch.producer_id)
            return False
        return bool(self._is_batch_aborted(batch))


def unpack(batch: Any) -> Iterator[Record]:
    """The records of one batch, a ``DefaultRecordBatch`` of kafka-python.

    Raises:
        CorruptRecordError: the bytes are not of the format.
    """
    iter(batch)  # decompresses it
    data, pos = bytes(batch._buffer), batch._pos
    first, base = batch.first_timestamp, batch.base_offset
    appended = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else None
    try:
        for _ in range(batch.records_count):
            length, pos = _varint(data, pos)
            end = pos + length
            delta, pos = _varint(data, pos + 1)  # behind the attributes, which have no meaning yet
            number, pos = _varint(data, pos)
            key, pos = _bytes(data, pos)
            value, pos = _bytes(data, pos)
            if not pos < end <= len(data):
                raise ValueError("a record ends elsewhere than it says")  # noqa: TRY301
            time = first + delta if appended is None else appended
            yield Record(base + number, time, key, value=value, packed_headers=data[pos:end])
            pos = end
    except (ValueError, IndexError) as error:
        raise CorruptRecordError(f"not a record batch at {base}: {error}") from error
    if pos != len(data):
        raise CorruptRecordError(f"the batch at {base} has {len(data) - pos} bytes too many")


def _varint(data: bytes, pos: int) -> tuple[int, int]:
    """A number of one or two bytes, as nearly all are, or any other; and the position behind it."""
    low = data[pos]
    if low < 128:
        return (low >> 1) ^ -(low & 1), pos + 1
    high = data[pos + 1]
    if high < 128:
        return ((low & 127) | high << 7) >> 1 ^ -(low & 1), pos + 2
    found: tuple[int, int] = decode_varint(data, pos)
    return found


def _bytes(data: bytes, pos: int) -> tuple[bytes | None, int]:
    """Bytes that follow their length, None if it is negative; and the position behind them."""
    length, pos = _varint(data, pos)
    if length < 0:
        return None, pos
    return data[pos : pos + length], pos + length
