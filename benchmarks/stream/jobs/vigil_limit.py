"""Vigil's consumer, fetch and decode alone: kafka-python with a record reader of Vigil's own."""

from __future__ import annotations

from benchmarks.stream.jobs.limit import read_all
from benchmarks.stream.task import Outcome, Task, main
from vigil.kafka import records
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings


def run(task: Task) -> Outcome:
    """With a consumer as every worker has it."""
    consumer = open_consumer(Settings(kafka_bootstrap=task.bootstrap), None)
    records.attach(consumer)
    return read_all(consumer, task)


if __name__ == "__main__":
    main(run)
