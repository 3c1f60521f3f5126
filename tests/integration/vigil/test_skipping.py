"""Past one message by hand, wherever in the log it stands."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from tests.support.streaming import committed, handler_named, read_all, uploads
from vigil.contracts import topics
from vigil.kafka.clients import Publisher, open_consumer
from vigil.service.errors import InputError
from vigil.service.settings import Settings
from vigil.streaming.skipping import Position, WorkerPosition

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("skipping")]
READINGS = topics.READINGS.name


def test_a_message_within_the_last_batch_is_passed_over(broker: str, tmp_path: Path) -> None:
    """Tansu's ``end_offsets`` counts that batch as one record."""
    settings = Settings(demo=True, kafka_bootstrap=broker, deadletter_dir=tmp_path)
    prefix, messages = uploads(patients=1, each=12)
    publisher = Publisher(settings, "test", 20)
    publisher.publish(messages)
    publisher.close()
    found = [r for r in read_all(settings, READINGS) if r.key == f"{prefix}-0".encode()]
    place, name = TopicPartition(READINGS, found[0].partition), f"w-{secrets.token_hex(4)}"
    group = WorkerPosition(settings, name, place)
    for record in (found[7], found[11]):
        stand(settings, name, place, record.offset)
        assert group.read() == Position(record.offset, record.offset)
        done = group.skip(record.offset)
        assert (done.next_offset, done.readable) == (record.offset + 1, True)
        assert committed(settings, handler_named(name))[place] == record.offset + 1
    assert group.read() == Position(found[11].offset + 1, None)
    with pytest.raises(InputError, match="its end: nothing holds it up"):
        group.skip(found[11].offset + 1)
    stand(settings, name, place, found[11].offset + 1000)  # of a log that was longer
    assert group.read() == Position(found[11].offset + 1000, None)


def stand(settings: Settings, name: str, place: TopicPartition, offset: int) -> None:
    """As if a worker had committed that."""
    consumer = open_consumer(settings, f"vigil-{name}")
    try:
        consumer.assign([place])
        consumer.commit({place: OffsetAndMetadata(offset, "", -1)})
    finally:
        consumer.close(autocommit=False)
