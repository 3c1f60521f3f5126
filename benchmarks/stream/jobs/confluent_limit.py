"""The limit of the peers: confluent-kafka's fetch (librdkafka, in C), and the same decoding."""

from __future__ import annotations

import msgspec
from confluent_kafka import Consumer

from benchmarks.stream.task import Outcome, Stopwatch, Task, main
from vigil.domain.reading import Upload


def run(task: Task) -> Outcome:
    """Read and decode everything."""
    decode = msgspec.json.Decoder(Upload).decode
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([task.topic])
    watch, messages, readings = Stopwatch(), 0, 0
    while messages < task.messages:
        records = consumer.consume(2000, 0.2)
        if records:
            watch.start()
            messages += len(records)
            for record in records:
                readings += len(decode(record.value()).measurements)
    watch.lap()
    consumer.close()
    return watch.outcome(readings, 0)


if __name__ == "__main__":
    main(run)
