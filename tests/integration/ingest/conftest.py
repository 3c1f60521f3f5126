"""The gateway on a real broker, with some people enrolled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from kafka import TopicPartition

from ingest.service import build
from tests.conftest import BROKERS, broker_part
from tests.support.piece import Piece
from tests.support.running import eventually, serving
from tests.support.timeouts import TIMEOUT
from vigil.contracts import wire
from vigil.contracts.topics import READINGS
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.reading import Tick, Upload
from vigil.kafka.clients import Publisher, open_consumer
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings

HUB, WATCH, REVOKED, PASSED_ON = "vk_hub", "vk_watch", "vk_revoked", "vk_passed_on"
BEHIND = "vk_behind"
HANDED_OVER = datetime(2026, 11, 21, 6, 0, 20, tzinfo=UTC)


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


ENROLLED = (
    PatientEntry("p1", "north"),
    PatientEntry("p2", "north"),
    PatientEntry("sim-1", "north", synthetic=True),
    PatientEntry("gone", "north", active=False),
    DeviceEntry("hub-1", digest(HUB)),
    DeviceEntry("watch-1", digest(WATCH), "p1"),
    DeviceEntry("lost-1", digest(REVOKED), active=False),
    DeviceEntry("watch-2", digest(PASSED_ON), "p1", assigned_at=HANDED_OVER),
    DeviceEntry("watch-3", digest(BEHIND), "p1", clock_correction_seconds=18_000),
)


def publish(settings: Settings, messages: Sequence[wire.Carried]) -> None:
    """Put messages on the topics."""
    publisher = Publisher(settings, "test")
    try:
        publisher.publish([wire.to_message(message, "test") for message in messages])
    finally:
        publisher.close()


def on_topic(settings: Settings) -> list[tuple[int, Upload | Tick]]:
    """Everything on ``vitals.readings``, with its partition, in order within each."""
    consumer = open_consumer(settings, None)
    places = [
        TopicPartition(READINGS.name, p) for p in consumer.partitions_for_topic(READINGS.name)
    ]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    found: list[tuple[int, Upload | Tick]] = []
    idle = 0
    while idle < 3:
        batches = consumer.poll(timeout_ms=150)
        idle = 0 if batches else idle + 1
        for place, messages in batches.items():
            for raw in messages:
                message = wire.decode(place.topic, raw.value, raw.headers)
                assert isinstance(message, Upload | Tick)
                found.append((place.partition, message))
    consumer.close(autocommit=False)
    return found


def uploads(settings: Settings) -> list[Upload]:
    """The uploads on the topic."""
    return [message for _, message in on_topic(settings) if isinstance(message, Upload)]


@dataclass
class Door:
    """A running gateway, and a client with the hub's key."""

    url: str
    settings: Settings
    client: httpx.Client

    def post(self, body: Any, key: str = HUB) -> httpx.Response:
        """Send readings as a device does."""
        headers = {"Authorization": f"Bearer {key}"}
        return self.client.post("/v1/readings", json=body, headers=headers)


@pytest.fixture(scope="module")
def door(broker: str) -> Iterator[Door]:
    """The gateway, ready."""
    settings = Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, tick_seconds=0.5,
        max_body_bytes=200_000, log_level="ERROR",
    )  # fmt: skip
    publish(settings, ENROLLED)
    with opened(settings) as found:
        yield found


@contextmanager
def opened(settings: Settings) -> Iterator[Door]:
    """A gateway that is ready, for the length of the block."""
    with serving([build(settings)], settings) as url, httpx.Client(base_url=url) as client:
        client.timeout = httpx.Timeout(30)
        eventually(lambda: client.get("/health/ready").status_code == 200)
        yield Door(url, settings, client)


class Broker(Piece):
    """A broker that a test kills and starts again at the same address."""

    def __init__(self, kind: str, folder: Path):
        super().__init__(broker_part(kind, folder))
        self.settings = Settings(
            demo=True, kafka_bootstrap=self.part.address, partitions=3, tick_seconds=0.5,
            startup_timeout_seconds=TIMEOUT, log_level="ERROR",
        )  # fmt: skip

    def start(self, seconds: float = 90, entries: Sequence[wire.Carried] = ENROLLED) -> None:
        """Start it; where it lost everything, topics and directory come back as they would."""
        super().start(seconds)
        if create_topics(self.settings):
            publish(self.settings, entries)


@pytest.fixture(params=BROKERS)
def fragile(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Not started yet."""
    broker = Broker(request.param, tmp_path)
    yield broker
    broker.stop()
