"""The worker's phrasebook and the topic: equal, whoever was away; and a review is never undone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import pytest

from explain.facts.signature import parse_signature
from explain.phrasebook.topic import PhraseTopic
from local import parts
from tests.support.messages import SIGNATURE, phrase
from tests.support.processes import end
from tests.support.running import eventually
from tests.support.streaming import launch_with_topics, read_all
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.domain.phrase import Phrase, precedence
from vigil.kafka.clients import Publisher
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings

SIGNATURE_PARTS = parse_signature(SIGNATURE)
ONE = phrase()
OTHER = phrase("Your heart is fast, at {heart_rate}.")
NEW = phrase("Your pulse is high, at {heart_rate}.")
pytestmark = pytest.mark.kafka


class Broker:
    """A broker that forgets all when it is started again, and a way to write to it."""

    def __init__(self) -> None:
        self._part = parts.tansu()
        self.settings = Settings(
            demo=True, kafka_bootstrap=self._part.address, partitions=1, patient_text="verified",
            startup_timeout_seconds=TIMEOUT, log_level="ERROR",
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = launch_with_topics(self._part, self.settings)

    def end(self) -> None:
        if self._process is not None:
            end(self._process)

    def publish(self, phrases: Sequence[Phrase]) -> None:
        publisher = Publisher(self.settings, "test")
        try:
            publisher.publish([wire.to_message(each, "test") for each in phrases])
        finally:
            publisher.close()

    def on_topic(self) -> list[Phrase]:
        """Everything that was sent, in order."""
        records = read_all(self.settings, topics.PHRASES.name)
        return [wire.decode(r.topic, r.value, r.headers) for r in records]  # type: ignore[misc]

    def compacted(self) -> dict[str, Phrase]:
        """What a topic keeps: the last message of each phrase."""
        return {each.phrase_id: each for each in self.on_topic()}

    @contextmanager
    def reading_topic(self, *shipped: Phrase) -> Iterator[tuple[PhraseTopic, Health]]:
        publisher, health = Publisher(self.settings, "explain"), Health("explain")

        def publish(phrases: list[Phrase]) -> None:
            publisher.publish([wire.to_message(each, "explain") for each in phrases])

        topic = PhraseTopic(self.settings, shipped, publish, health)
        topic.start()
        try:
            yield topic, health
        finally:
            topic.stop()
            publisher.close()


@pytest.fixture
def forgetful() -> Iterator[Broker]:
    broker = Broker()
    broker.start()
    yield broker
    broker.end()


def counted(health: Health, name: str) -> int:
    return health.snapshot().counters.get(name, 0)


def test_the_shipped_phrases_are_published_once(forgetful: Broker) -> None:
    forgetful.publish([ONE])
    with forgetful.reading_topic(ONE, OTHER) as (topic, health):
        assert topic.find(SIGNATURE_PARTS, 0) is None or not health.report()["trouble"]
        eventually(lambda: counted(health, "phrases_published") == 1)
    assert forgetful.on_topic() == [ONE, OTHER]
    with forgetful.reading_topic(ONE, OTHER) as (topic, health):
        eventually(lambda: topic.find(SIGNATURE_PARTS, 0))
    assert len(forgetful.on_topic()) == 2


def test_nothing_is_shown_before_the_reviews_were_received(forgetful: Broker) -> None:
    forgetful.publish([phrase(status="banned", revision=1, by="kim")])
    health = Health("explain")
    topic = PhraseTopic(forgetful.settings, [ONE], lambda _: None, health)
    assert topic.find(SIGNATURE_PARTS, 0) is None
    assert "phrases" in str(health.report()["trouble"])
    topic.start()
    try:
        eventually(lambda: "phrases" not in str(health.report()["trouble"]))
        assert topic.find(SIGNATURE_PARTS, 0) is None
    finally:
        topic.stop()


def test_a_review_is_received_and_a_draft_sent_behind_it_does_not_undo_it(
    forgetful: Broker,
) -> None:
    banned = phrase(status="banned", revision=1, by="kim")
    with forgetful.reading_topic(ONE) as (topic, health):
        eventually(lambda: counted(health, "phrases_published") == 1)
        forgetful.publish([banned])
        eventually(lambda: topic.find(SIGNATURE_PARTS, 0) is None)
        forgetful.publish([ONE])  # as another worker does that has not heard
        eventually(lambda: forgetful.compacted()[ONE.phrase_id] == banned)
        assert topic.find(SIGNATURE_PARTS, 0) is None
    assert len(forgetful.on_topic()) == 4


def test_what_is_written_here_is_soon_on_the_topic_and_with_everyone(forgetful: Broker) -> None:
    with forgetful.reading_topic(ONE) as (topic, _), forgetful.reading_topic(ONE) as (other, _):
        eventually(lambda: other.find(SIGNATURE_PARTS, 0))
        topic.add(NEW)
        eventually(lambda: other.book.get(NEW.phrase_id))
        assert other.book.get(NEW.phrase_id) == NEW


def test_what_may_not_be_used_is_not_taken_whoever_sent_it(forgetful: Broker) -> None:
    lying = phrase("Your heart rate is low, now {heart_rate}.", status="approved", revision=1)
    forged = phrase("All is well with {heart_rate}.", phrase_id=ONE.phrase_id, revision=9)
    strange = phrase(signature="en/patient/from_the_future.above/opened/-/-/-")
    forgetful.publish([lying, forged, strange, ONE])
    with forgetful.reading_topic() as (topic, health):
        eventually(lambda: topic.find(SIGNATURE_PARTS, 0))
        assert list(topic.book) == [ONE]
        assert counted(health, "phrases_refused") == 3


def test_a_message_that_only_bears_a_known_phrases_name_is_not_taken(forgetful: Broker) -> None:
    forged = phrase("All is well with {heart_rate}.", phrase_id=ONE.phrase_id, revision=9)
    lie = "Your heart rate is low, now {heart_rate}."
    lying = phrase(lie, status="banned", revision=1)
    with forgetful.reading_topic(ONE, lying) as (topic, health):
        eventually(lambda: topic.find(SIGNATURE_PARTS, 0))
        forgetful.publish([forged, phrase(lie, revision=2, by="kim")])
        eventually(lambda: counted(health, "phrases_refused") == 2)
        assert {topic.book.get(ONE.phrase_id), topic.book.get(lying.phrase_id)} == {ONE, lying}


def test_to_a_log_made_anew_goes_all_that_is_known_the_reviews_too(forgetful: Broker) -> None:
    approved = phrase(status="approved", revision=1, by="kim")
    with forgetful.reading_topic(ONE, OTHER) as (topic, _):
        eventually(lambda: topic.find(SIGNATURE_PARTS, 0))
        forgetful.publish([approved])
        eventually(lambda: topic.book.get(ONE.phrase_id) == approved)
        forgetful.end()
        assert topic.find(SIGNATURE_PARTS, 0) is not None
        topic.add(NEW)  # while nobody can be told
        forgetful.start()
        wanted = {each.phrase_id: each for each in (approved, OTHER, NEW)}
        eventually(lambda: forgetful.compacted() == wanted)


def test_a_broker_that_does_not_take_them_is_tried_again(forgetful: Broker) -> None:
    health, taken, tries = Health("explain"), list[Phrase](), count(1)

    def publish(phrases: list[Phrase]) -> None:
        if next(tries) < 3:
            raise UnavailableError("unavailable", code="unavailable.broker")
        taken.extend(phrases)

    topic = PhraseTopic(forgetful.settings, [ONE, OTHER], publish, health)
    topic.start()
    try:
        eventually(lambda: taken)
    finally:
        topic.stop()
    assert sorted(taken, key=precedence) == sorted([ONE, OTHER], key=precedence)
