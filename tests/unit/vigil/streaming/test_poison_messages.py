"""Isolating the messages that make a handler fail, whatever batches they come in."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from kafka import TopicPartition

from tests.support.streaming import upload
from vigil.kafka.records import Record
from vigil.service.errors import WireError
from vigil.streaming.handler import Received
from vigil.streaming.poison_messages import PoisonMessageIsolator

WHY = WireError("It fails.", code="wire.rejected")
MESSAGE = upload("p1", 1)


@given(st.lists(st.booleans(), min_size=1, max_size=120), st.integers(1, 50), st.integers(1, 3))
def test_each_bad_message_is_set_aside_and_each_good_one_handled_once_in_order(
    bad: list[bool], at_once: int, partitions: int
) -> None:
    """``bad``: by offset, dealt to the partitions in turn."""
    isolator, handled, aside = PoisonMessageIsolator(), list[int](), list[int]()
    next_offset = dict.fromkeys(range(partitions), 0)
    polls = 0
    while left := [n for n in range(len(bad)) if n // partitions >= next_offset[n % partitions]]:
        polls += 1
        assert polls < 40 * (sum(bad) + 1) + len(bad)
        records: dict[TopicPartition, list[Record]] = {}
        for n in left[:at_once]:
            place = TopicPartition("t", n % partitions)
            records.setdefault(place, []).append(Record(n // partitions, 0, None, None, b"\0"))
        for piece in isolator.divide(records):
            batch = [
                Received(where.topic, where.partition, raw.offset, MESSAGE, raw)
                for where, found in piece.records.items()
                for raw in found
            ]
            whole = batch
            separated = isolator.separate(batch)
            batch, rejected = separated.to_handle, separated.set_aside
            numbers = [r.offset * partitions + r.partition for r in batch]
            if any(bad[n] for n in numbers):
                if len(batch) > 1:
                    isolator.isolate(batch)
                else:
                    isolator.mark_poison(batch[0], WHY)
                break
            isolator.mark_handled(batch)
            isolator.mark_dead_lettered(rejected)
            handled += numbers
            aside += [r.received.offset * partitions + r.received.partition for r in rejected]
            for received in whole:
                next_offset[received.partition] = received.offset + 1
    assert sorted(handled) == [n for n, is_bad in enumerate(bad) if not is_bad]
    assert sorted(aside) == [n for n, is_bad in enumerate(bad) if is_bad]
    for partition in range(partitions):
        mine = [n for n in handled if n % partitions == partition]
        assert mine == sorted(mine)
