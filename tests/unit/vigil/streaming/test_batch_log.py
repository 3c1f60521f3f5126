"""What a batch logs of its dead letters: one line for all of a partition and a reason."""

from __future__ import annotations

from kafka import TopicPartition
from structlog.testing import capture_logs

from vigil.kafka.records import Record
from vigil.service.errors import WireError
from vigil.streaming import batch

READINGS, EVENTS = TopicPartition("vitals.readings", 2), TopicPartition("vitals.events", 0)


def _dead(partition: TopicPartition, offset: int, code: str) -> batch._Dead:
    raw = Record(offset, timestamp=-1, key=b"p1", value=b"{", packed_headers=b"\0")
    return batch._Dead(partition, raw, WireError("It is broken.", code=code))


def test_a_line_stands_for_all_of_a_partition_and_a_reason() -> None:
    with capture_logs() as logged:
        batch._log_dead(
            [
                *(_dead(READINGS, offset, "wire.broken_message") for offset in (7, 8, 12)),
                _dead(READINGS, 9, "wire.out_of_bounds"),
                _dead(EVENTS, 3, "wire.broken_message"),
            ]
        )
    found = [
        (line["topic"], line["code"], line["count"], line["first_offset"], line["last_offset"])
        for line in logged
    ]
    assert found == [
        ("vitals.readings", "wire.broken_message", 3, 7, 12),
        ("vitals.readings", "wire.out_of_bounds", 1, 9, 9),
        ("vitals.events", "wire.broken_message", 1, 3, 3),
    ]
    assert {line["event"] for line in logged} == {"dead letters"}
