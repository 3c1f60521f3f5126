"""Messages, handlers and readers for tests of the stream."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from kafka import TopicPartition

from local.parts import Part
from tests.support.processes import end, launch, wait_ready
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.domain.reading import Measurement, Upload
from vigil.kafka.clients import Publisher, open_consumer
from vigil.kafka.provisioning import create_topics
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Received, Rejected, Stateless
from vigil.streaming.loop import run_handler

START = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
LOOKS = 3
"""Polls at the end of a topic, each longer than a fetch waits, before it is believed to be one."""


def upload(patient: str, number: int) -> Upload:
    """One reading of a patient; ``reading_id`` tells them apart."""
    time = START + timedelta(seconds=number)
    reading = Measurement(f"{patient}-{number}", time, {"heart_rate": 60.0 + number % 40})
    return Upload(patient, f"watch-{patient}", time + timedelta(seconds=2), (reading,))


def uploads(patients: int, each: int) -> tuple[str, list[wire.Outgoing]]:
    """A prefix that is this call's own, and messages of so many patients."""
    prefix = f"p{secrets.token_hex(4)}"
    return prefix, [
        wire.to_message(upload(f"{prefix}-{patient}", number), "test")
        for number in range(each)
        for patient in range(patients)
    ]


class Recorder(Stateless):
    """Keeps the ids of what it handled, and does what a test tells it to at each batch."""

    def __init__(self, prefix: str, before: Callable[[Sequence[Received]], None] | None = None):
        self.name = f"recorder-{secrets.token_hex(4)}"
        self.topics: tuple[str, ...] = (topics.READINGS.name,)
        self.prefix = prefix
        self.before = before or (lambda _batch: None)
        self.seen: list[str] = []
        self.calls: list[tuple[str, tuple[TopicPartition, ...]]] = []
        self.rejects: Callable[[Received], Rejected | None] = lambda _received: None

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Notes the call."""
        self.calls.append(("assigned", tuple(partitions)))
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Notes the call."""
        self.calls.append(("revoked", tuple(partitions)))

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Does what the test wants done, then records."""
        mine = [r for r in batch if getattr(r.message, "patient_id", "").startswith(self.prefix)]
        self.before(mine)
        self.seen.extend(m.reading_id for r in mine for m in r.message.measurements)  # type: ignore[union-attr]
        return Handled(rejected=[rejected for r in mine if (rejected := self.rejects(r))])


@contextmanager
def looping(
    handler: Any, settings: Settings, *, wait_ready: bool = True
) -> Iterator[tuple[Health, threading.Event]]:
    """A handler in its loop, on a thread; its errors are raised at the end."""
    stop, health, failed = threading.Event(), Health(handler.name), []

    def work() -> None:
        try:
            run_handler(handler, settings, stop, health)
        except BaseException as error:
            failed.append(error)
            health.trouble("ended", type(error).__name__)

    thread = threading.Thread(target=work, name=f"loop-{handler.name}")
    thread.start()
    try:
        if wait_ready:
            eventually(lambda: health.ready() or failed)
        yield health, stop
    finally:
        stop.set()
        thread.join(TIMEOUT)
    assert not thread.is_alive(), f"{handler.name} did not stop"
    if failed:
        raise failed[0]


def launch_with_topics(part: Part, settings: Settings) -> subprocess.Popen[bytes]:
    """Start a broker, anew perhaps, and make its topics; no publisher of this process sends before.

    Tansu shows a topic that it is making before it is whole, and loses what it is sent meanwhile.
    So whoever outlives Tansu in a test sends nothing until the topics are there, which
    :mod:`local.runtime` sees to otherwise: it starts the services after that.
    """
    made, publish = threading.Event(), Publisher.publish

    def held_back(publisher: Publisher, *arguments: Any, **options: Any) -> int:
        assert made.wait(TIMEOUT)
        return publish(publisher, *arguments, **options)

    with patch.object(Publisher, "publish", held_back):
        process = launch(part)
        try:
            wait_ready(part, process)
            create_topics(settings)
        except BaseException:
            end(process)
            raise
        finally:
            made.set()
    return process


def read_all(settings: Settings, topic: str) -> list[Any]:
    """Every record of a topic, up to the end that it has now.

    No figure is believed that tells where that is: Tansu's ``end_offsets`` counts its last batch as
    one record, and the high-water mark is that of the last fetch. Both must be reached, and the
    broker asked again after that, several times; what still comes then is read too.
    """
    consumer = open_consumer(settings, None)
    try:
        eventually(lambda: consumer.partitions_for_topic(topic))
        places = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places, timeout_ms=5000)
        records: list[Any] = []
        looks = 0

        def done() -> bool:
            nonlocal looks
            for found in consumer.poll(timeout_ms=200, max_records=5000).values():
                records.extend(found)
            found_at = [
                (place.partition, consumer.position(place), last, consumer.highwater(place))
                for place, last in ends.items()
            ]
            looks += all(at >= max(last, high or 0) for _, at, last, high in found_at)
            assert looks >= LOOKS, f"partition, position, end, high-water mark: {found_at}"
            return True

        eventually(done)
        return records
    finally:
        consumer.close(autocommit=False)


def ends(settings: Settings, topic: str) -> dict[TopicPartition, int]:
    """The offset behind the last record of each partition, found by reading."""
    found: dict[TopicPartition, int] = {}
    for record in read_all(settings, topic):
        place = TopicPartition(topic, record.partition)
        found[place] = max(found.get(place, 0), record.offset + 1)
    return found


def handler_named(name: str, *topics_read: str) -> Any:
    """For :func:`committed`, where there is no handler at hand."""
    handler = Recorder("")
    handler.name = name
    handler.topics = topics_read or handler.topics
    return handler


def committed(settings: Settings, handler: Any) -> dict[TopicPartition, int]:
    """What a handler's group has committed on its topics."""
    consumer = open_consumer(settings, f"vigil-{handler.name}")
    try:
        places = [
            TopicPartition(topic, n)
            for topic in handler.topics
            for n in consumer.partitions_for_topic(topic)
        ]
        return {p: c for p in places if (c := consumer.committed(p, timeout_ms=5000)) is not None}
    finally:
        consumer.close(autocommit=False)
