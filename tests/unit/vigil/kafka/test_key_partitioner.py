"""Every key goes to the partition that kafka-python's own partitioner sends it to."""

from __future__ import annotations

import pytest
from kafka.partitioner.default import DefaultPartitioner

from vigil.kafka.key_partitioner import LONGEST_KEY, KeyPartitioner

KEYS = [b"", b"p", b"p1", b"ward-3-patient-00417", "ü".encode(), b"k" * LONGEST_KEY, b"k" * 5000]


class Cluster:
    """What a client knows of a topic's partitions."""

    def __init__(self, partitions: set[int]):
        self.partitions = partitions

    def topics(self) -> set[str]:
        """The one topic."""
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """All of them."""
        return self.partitions if topic == "t" else None

    available_partitions_for_topic = partitions_for_topic


@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("key", KEYS)
def test_a_key_goes_where_every_client_sends_it(key: bytes, count: int) -> None:
    cluster = Cluster(set(range(count)))
    expected = DefaultPartitioner().partition("t", key, key, None, None, cluster)
    for _ in range(2):  # computed, then remembered
        assert KeyPartitioner().partition("t", key, key, None, None, cluster) == expected


def test_a_message_without_key_goes_to_any_partition() -> None:
    found = {
        KeyPartitioner().partition("t", None, None, b"", b"", Cluster({0, 1})) for _ in range(100)
    }
    assert found == {0, 1}


def test_a_topic_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="not found"):
        KeyPartitioner().partition("other", b"p1", b"p1", None, None, Cluster({0}))
