"""Everything that is on some topics, each record read once.

A second look reads on from where the first one ended. Records are decoded by the worker's own
decoder (``vigil.kafka.records``, which has tests against kafka-python's), several times faster than
kafka-python's; that it leaves none out is checked by their offsets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import TopicPartition

from tests.support.running import eventually
from tests.support.streaming import LOOKS
from vigil.contracts import topics, wire
from vigil.kafka import records
from vigil.kafka.clients import open_consumer
from vigil.kafka.records import Record
from vigil.service.errors import WireError
from vigil.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Placed:
    """A record, and where it is."""

    topic: str
    partition: int
    record: Record

    @property
    def origin(self) -> str:
        """As a dead letter names it."""
        return f"{self.topic}/{self.partition}/{self.record.offset}"

    def decode(self) -> wire.Carried | WireError:
        """The message, or why it cannot be decoded."""
        try:
            return wire.decode_typed(self.topic, self.record.header("ce_type"), self.record.value)
        except WireError as error:
            return error


class TopicLog:
    """Reads topics from their beginning; :func:`reading_log` opens one."""

    def __init__(self, consumer: Any, places: Sequence[TopicPartition]):
        self._consumer = consumer
        self._places = places
        self._found: dict[str, list[Placed]] = {place.topic: [] for place in places}
        self._ends = dict.fromkeys(places, 0)

    def read(self) -> None:
        """Read on, up to the ends that the topics have now.

        No figure is believed that tells where that is, as in ``streaming.read_all``.
        """
        ends = self._consumer.end_offsets(self._places, timeout_ms=5000)
        looks = 0

        def done() -> bool:
            nonlocal looks
            for place, found in self._consumer.poll(timeout_ms=200, max_records=20_000).items():
                self._take(place, found)
            at = {place: (self._consumer.position(place), ends[place]) for place in ends}
            marks = {place: self._consumer.highwater(place) or 0 for place in ends}
            looks += all(here >= max(end, marks[place]) for place, (here, end) in at.items())
            assert looks >= LOOKS, f"position and end: {at}, high-water marks: {marks}"
            return True

        eventually(done)

    def _take(self, place: TopicPartition, found: Sequence[Record]) -> None:
        end = self._ends[place]
        if not topics.TOPICS[place.topic].compacted:
            assert [record.offset for record in found] == [*range(end, end + len(found))], place
        self._found[place.topic] += [Placed(place.topic, place.partition, r) for r in found]
        self._ends[place] = found[-1].offset + 1

    def records_of(self, topic: str) -> list[Placed]:
        """What was read of a topic; each partition's records in order."""
        return self._found[topic]

    def messages(self, topic: str) -> Iterator[tuple[Placed, wire.Carried]]:
        """What of a topic can be decoded, in order of offset; the rest is left out."""
        for placed in sorted(self._found[topic], key=lambda placed: placed.record.offset):
            message = placed.decode()
            if not isinstance(message, WireError):
                yield placed, message

    def ends(self) -> dict[TopicPartition, int]:
        """The offset behind the last record that was read of each partition."""
        return dict(self._ends)


@contextmanager
def reading_log(settings: Settings, *names: str) -> Iterator[TopicLog]:
    """A log of these topics, read as far as they go now."""
    consumer = open_consumer(settings, None)
    try:
        records.attach(consumer)
        found = {name: eventually(partial(consumer.partitions_for_topic, name)) for name in names}
        places = [TopicPartition(name, n) for name, numbers in found.items() for n in numbers]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        log = TopicLog(consumer, places)
        log.read()
        yield log
    finally:
        consumer.close(autocommit=False)
