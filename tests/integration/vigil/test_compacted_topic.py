"""Following a compacted topic: from its start, past what is broken, and again where that is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from kafka.admin import NewTopic

from local import parts
from tests.support.messages import phrase
from tests.support.processes import started
from tests.support.running import eventually
from vigil.contracts import wire
from vigil.contracts.topics import PHRASES
from vigil.contracts.wire import Carried, Outgoing
from vigil.domain.phrase import Phrase
from vigil.kafka.clients import Publisher, open_admin
from vigil.kafka.compacted_topic import CompactedTopicReader
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka


class Recorder:
    """Notes what it is told; one of these for each log."""

    def __init__(self, failing: int = 0):
        self.reported: list[str] = []
        self.ends: list[int] = []
        self.failing = failing

    def apply_entry(self, entry: Carried) -> None:
        assert isinstance(entry, Phrase)
        self.reported.append(entry.text)

    def delete_entry(self, key: str) -> None:
        self.reported.append(f"no {key}")

    def reached_end(self) -> None:
        self.ends.append(len(self.reported))
        if self.failing:
            raise UnavailableError("unavailable", code="unavailable.broker")


@pytest.fixture
def streaming(broker: str) -> Settings:
    return Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR")


@pytest.fixture
def publisher(streaming: Settings) -> Iterator[Publisher]:
    made = Publisher(streaming, "test")
    yield made
    made.close()


def sent(texts: Sequence[str]) -> list[Outgoing]:
    return [wire.to_message(phrase(text), "test") for text in texts]


def test_a_topic_is_read_past_what_is_broken_and_then_what_is_new(
    streaming: Settings, publisher: Publisher
) -> None:
    broken = [
        Outgoing(PHRASES.name, b"x", b"{broken", []),
        Outgoing(PHRASES.name, b"y", b"{}", [("ce_type", b"org.vigil.tick.v1")]),
        Outgoing(PHRASES.name, b"\xff", b"", []),
    ]
    publisher.publish([*sent(["one"]), *broken, *sent(["two"])])
    recorder = Recorder()
    reader = CompactedTopicReader(streaming, PHRASES, lambda: recorder, name="test")
    reader.start()
    try:
        eventually(lambda: recorder.ends)
        assert recorder.reported == ["one", "no \ufffd", "two"]
        assert set(recorder.ends) == {3}  # the end is the end, never somewhere before
        publisher.publish(sent(["three"]))
        eventually(lambda: recorder.ends[-1] == 4)
    finally:
        reader.stop()
    count = len(recorder.ends)
    assert recorder.reported[-1] == "three"
    assert len(recorder.ends) == count  # it has stopped


def test_what_cannot_be_done_at_the_end_is_done_again_from_the_start(
    streaming: Settings, publisher: Publisher
) -> None:
    publisher.publish(sent(["kept"]))
    recorders = [Recorder(failing=1), Recorder(failing=1), Recorder()]
    waiting = iter(recorders)
    reader = CompactedTopicReader(streaming, PHRASES, lambda: next(waiting), name="test")
    reader.start()
    try:
        eventually(lambda: recorders[2].ends)
    finally:
        reader.stop()
    assert recorders[0].reported == recorders[1].reported == recorders[2].reported
    assert recorders[2].reported[-1] == "kept"
    assert len(recorders[0].ends) == 1


def test_a_topic_that_the_broker_made_with_more_partitions_is_read_whole() -> None:
    texts = [f"sentence {n}" for n in range(20)]
    recorder = Recorder()
    with started(parts.tansu()) as part:
        settings = Settings(demo=True, kafka_bootstrap=part.address, log_level="ERROR")
        with open_admin(settings) as admin:
            admin.create_topics([NewTopic(PHRASES.name, 3, 1)])
        publisher = Publisher(settings, "test")
        reader = CompactedTopicReader(settings, PHRASES, lambda: recorder, name="test")
        reader.start()
        try:
            publisher.publish(sent(texts))
            eventually(lambda: recorder.reported == texts)
        finally:
            reader.stop()
            publisher.close()
