"""The limit: kafka-python's own fetch, and the decoding of the struct. Nothing is done or kept."""

from __future__ import annotations

from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from benchmarks.stream.task import Outcome, Stopwatch, Task, main
from vigil.domain.reading import Upload


def read_all(consumer: Any, task: Task) -> Outcome:
    """Read and decode everything; partitions are taken, not shared by a group."""
    decode = msgspec.json.Decoder(Upload).decode
    numbers = consumer.partitions_for_topic(task.topic)
    consumer.assign([TopicPartition(task.topic, number) for number in numbers])
    watch, messages, readings = Stopwatch(), 0, 0
    while messages < task.messages:
        for records in consumer.poll(timeout_ms=200, max_records=2000).values():
            watch.start()
            messages += len(records)
            for record in records:
                readings += len(decode(record.value).measurements)
    watch.lap()
    consumer.close(autocommit=False)
    return watch.outcome(readings, 0)


def run(task: Task) -> Outcome:
    """With a consumer as kafka-python makes it."""
    consumer = KafkaConsumer(
        bootstrap_servers=task.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
        metrics_enabled=False,
    )  # fmt: skip
    return read_all(consumer, task)


if __name__ == "__main__":
    main(run)
