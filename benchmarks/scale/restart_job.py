"""The detector worker, started on a ward whose states are saved; says when it came how far."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

import msgspec
from kafka import TopicPartition

from benchmarks.stream.jobs.measured import Measured, settings_of
from benchmarks.stream.task import Task
from detectors.configuration.loading import load
from detectors.worker import Detectors
from vigil.service.health import Health
from vigil.streaming.handler import Handled, Received
from vigil.streaming.loop import run_handler


class Moments(msgspec.Struct):
    """Wall clock, seconds since 1970."""

    imported: float = 0.0
    assigned: float = 0.0
    """The group has given the partitions."""
    loaded: float = 0.0
    """Their states are claimed and in memory."""
    first_batch: float = 0.0
    """The first batch was handled."""
    done: float = 0.0
    """The last."""
    first_messages: int = 0
    """In the first batch."""
    first_processor: float = 0.0
    """Processor seconds of the process by then."""
    done_processor: float = 0.0


class Watched(Measured):
    """Notes the moments."""

    moments = Moments()

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """As the handler."""
        self.moments.assigned = self.moments.assigned or time.time()
        offsets = super().assigned(partitions)
        self.moments.loaded = self.moments.loaded or time.time()
        return offsets

    def handle(self, batch: Sequence[Received]) -> Handled:
        """As the handler."""
        handled = super().handle(batch)
        self.moments.done = time.time()
        self.moments.done_processor = time.process_time()
        if not self.moments.first_batch:
            self.moments.first_batch = self.moments.done
            self.moments.first_processor = self.moments.done_processor
            self.moments.first_messages = len(batch)
        return handled


def run(task: Task) -> Moments:
    """Until the topic's end."""
    imported, stop, health = time.time(), threading.Event(), Health("detectors")
    worker = Watched(Detectors(settings_of(task), load(None), health), task, stop)
    worker.moments.imported = imported
    run_handler(worker, settings_of(task), stop, health)
    return worker.moments


if __name__ == "__main__":
    import sys

    found = run(msgspec.json.decode(sys.argv[1], type=Task))
    print(msgspec.json.encode(found).decode(), flush=True)
