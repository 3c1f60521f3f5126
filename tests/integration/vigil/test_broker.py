"""Clients of the broker: what they send, and what they do while it is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer, errors
from msgspec.structs import replace

from local.parts import HOST, free_port
from tests.conftest import BROKERS, broker_part
from tests.support.processes import end, launch, wait_ready
from tests.support.running import eventually
from tests.support.streaming import Recorder, launch_with_topics, looping, read_all, uploads
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.kafka.async_publisher import AsyncPublisher
from vigil.kafka.clients import (
    LARGEST_REQUEST,
    Publisher,
    broker_unavailable,
    open_admin,
    open_consumer,
)
from vigil.kafka.provisioning import create_topics
from vigil.service.errors import SettingsError, UnavailableError, WireError
from vigil.service.settings import Settings


@pytest.fixture
def sender(broker: str) -> Iterator[Publisher]:
    """A publisher on the broker under test."""
    made = Publisher(Settings(kafka_bootstrap=broker), "test")
    yield made
    made.close()


@pytest.mark.kafka
@pytest.mark.xdist_group("broker")
def test_publish_keeps_the_order_of_a_key_and_the_headers(broker: str, sender: Publisher) -> None:
    settings = Settings(kafka_bootstrap=broker)
    prefix, messages = uploads(patients=3, each=200)
    assert sender.publish(messages) == 600
    assert sender.partitions(topics.READINGS.name) == [0, 1, 2]
    records = [
        r for r in read_all(settings, messages[0].topic) if r.key.startswith(prefix.encode())
    ]
    for patient in range(3):
        key = f"{prefix}-{patient}".encode()
        sent = [(m.value, m.headers) for m in messages if m.key == key]
        assert [(r.value, list(r.headers)) for r in records if r.key == key] == sent


@pytest.mark.kafka
@pytest.mark.xdist_group("broker")
def test_an_event_loops_publisher_ends_when_the_broker_has_what_is_in_flight(broker: str) -> None:
    settings = Settings(kafka_bootstrap=broker)
    prefix, messages = uploads(patients=3, each=200)

    async def go() -> None:
        publisher = AsyncPublisher(settings, "test")
        async with publisher.opened():
            async with asyncio.timeout(TIMEOUT):
                while publisher.trouble is not None:
                    await asyncio.sleep(0.05)
            sending = asyncio.create_task(publisher.publish(messages, withdraw=True))
            await asyncio.sleep(0)  # it begins
            assert not sending.done()
        await sending

    asyncio.run(go())
    records = read_all(settings, messages[0].topic)
    assert sum(r.key.startswith(prefix.encode()) for r in records) == 600


@pytest.mark.kafka
@pytest.mark.xdist_group("broker")
def test_any_codec_of_another_producer_is_read(broker: str) -> None:
    settings = Settings(kafka_bootstrap=broker)
    prefix, messages = uploads(patients=1, each=5)
    for message, codec in zip(messages, (None, "gzip", "lz4", "snappy", "zstd"), strict=True):
        producer = KafkaProducer(bootstrap_servers=broker, compression_type=codec)
        producer.send(message.topic, value=message.value, key=message.key).get(TIMEOUT)
        producer.close()
    found = [r for r in read_all(settings, messages[0].topic) if r.key.startswith(prefix.encode())]
    assert [r.value for r in found] == [m.value for m in messages]


@pytest.mark.kafka
@pytest.mark.xdist_group("broker")
def test_a_message_too_large_is_an_error_of_its_own_and_ends_nothing(sender: Publisher) -> None:
    _, (good, other) = uploads(patients=1, each=2)
    with pytest.raises(WireError) as caught:
        sender.publish([replace(good, value=b"x" * (LARGEST_REQUEST + 1))])
    assert caught.value.code == "wire.too_large"
    assert sender.publish([good, other]) == 2


@pytest.mark.kafka
@pytest.mark.xdist_group("broker")
def test_a_topic_that_is_not_there_is_said_before_an_ack_is_waited_for(
    sender: Publisher, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu makes a topic when it is written to")
    _, (good,) = uploads(patients=1, each=1)
    with pytest.raises(UnavailableError):
        sender.send(replace(good, topic="vitals.nowhere"))


def test_no_broker_is_said_with_its_address_and_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    settings = Settings(kafka_bootstrap=f"{HOST}:{free_port()}")
    for make in (
        open_admin,
        lambda s, connect_timeout_seconds: open_consumer(s, "g", connect_timeout_seconds),
    ):
        with pytest.raises(UnavailableError) as caught:
            make(settings, 0)
        assert caught.value.code == "unavailable.broker"
        assert settings.kafka_bootstrap in str(caught.value)
    with pytest.raises(UnavailableError):
        Publisher(settings, "test", connect_timeout_seconds=0)
    eventually(lambda: set(threading.enumerate()) <= before)


def test_a_ca_file_that_cannot_be_read_is_a_setting_to_mend(tmp_path: Path) -> None:
    settings = Settings(
        kafka_bootstrap=f"{HOST}:1",
        kafka_security_protocol="SSL",
        kafka_ca_file=tmp_path / "no.pem",
    )
    with pytest.raises(SettingsError) as caught:
        open_consumer(settings, None, 0)
    assert caught.value.field == "VIGIL_KAFKA_CA_FILE"


@pytest.mark.faults
@pytest.mark.kafka
@pytest.mark.parametrize("kind", BROKERS)
def test_a_broker_killed_and_started_again(kind: str, tmp_path: Path) -> None:
    """The worker and the publisher of before go on with the broker of after.

    Apache Kafka comes back with its log, the broker in memory with none.
    """
    first = broker_part(kind, tmp_path)
    port = int(first.address.rpartition(":")[2])
    settings = Settings(
        demo=True, kafka_bootstrap=first.address, partitions=3, session_timeout_ms=3000
    )
    process = launch_with_topics(first, settings)
    publisher = Publisher(settings, "test")
    prefix, messages = uploads(patients=3, each=30)
    recorder = Recorder(prefix)
    try:
        publisher.publish(messages[:60])
        with looping(recorder, settings) as (health, _):
            eventually(lambda: len(set(recorder.seen)) == 60)
            process.kill()
            process.wait()
            eventually(lambda: "unavailable.broker" in health.report()["trouble"])  # type: ignore[operator]
            with pytest.raises(UnavailableError):
                publisher.publish(messages[60:75], timeout_seconds=1)

            again = broker_part_at(kind, tmp_path, port)
            process = launch_with_topics(again, settings)
            eventually(lambda: published(publisher, messages[60:]))
            eventually(lambda: len(set(recorder.seen)) == 90)
            eventually(health.ready)
    finally:
        publisher.close()
        end(process)


def broker_part_at(kind: str, folder: Path, port: int):  # type: ignore[no-untyped-def]
    """The same broker once more, on the same port."""
    from local import parts
    from tests.conftest import KAFKA_HOME

    if kind == "tansu":
        return parts.tansu(port)
    assert KAFKA_HOME
    return parts.kafka(Path(KAFKA_HOME), folder / "kafka", port)


def published(publisher: Publisher, messages: list[wire.Outgoing]) -> bool:
    """Whether the broker has them now."""
    try:
        return publisher.publish(messages, timeout_seconds=10) == len(messages)
    except UnavailableError:
        return False


def test_closing_with_the_broker_gone_raises_nothing(tmp_path: Path) -> None:
    part = broker_part("tansu", tmp_path)
    process = launch(part)
    try:
        wait_ready(part, process)
        settings = Settings(kafka_bootstrap=part.address, partitions=1)
        create_topics(settings)
        publisher = Publisher(settings, "test")
        _, messages = uploads(patients=1, each=1)
        publisher.publish(messages)
    finally:
        process.kill()
        process.wait()
    publisher.send(messages[0])
    publisher.close()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.KafkaStorageError, "unavailable.broker_full"),
        (errors.TopicAuthorizationFailedError, "unavailable.broker_access"),
        (errors.SaslAuthenticationFailedError, "unavailable.broker_access"),
        (errors.UnknownTopicOrPartitionError, "unavailable.broker_topics"),
        (errors.NotEnoughReplicasError, "unavailable.broker"),
        (errors.KafkaTimeoutError, "unavailable.broker"),
    ],
)
def test_what_the_broker_says_has_its_code_and_mend(
    error: type[errors.KafkaError], code: str
) -> None:
    reported = broker_unavailable(Settings(kafka_bootstrap="b:1"), error.__name__)
    assert (reported.code, bool(reported.how_to_fix)) == (code, True)
    assert error.__name__ in reported.message
