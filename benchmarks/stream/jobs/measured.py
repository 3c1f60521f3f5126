"""Runs a handler on Vigil's own loop until it has taken the whole topic, and times it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from kafka import TopicPartition

from benchmarks.stream.task import Outcome, Stopwatch, Task
from vigil.domain.reading import Upload
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Handler, Received
from vigil.streaming.loop import run_handler


class Measured:
    """A handler, with a stopwatch around it; stops the loop after the topic's last message.

    The loop then drains, as at any stop: what was caused is produced and acknowledged, the last
    checkpoint saved, the offsets committed.
    """

    def __init__(self, handler: Handler, task: Task, stop: threading.Event):
        self._handler = handler
        self._task = task
        self._stop = stop
        self.watch = Stopwatch()
        self.name, self.topics = handler.name, handler.topics
        self.max_records = handler.max_records
        self.fetch_bytes = handler.fetch_bytes
        self.messages = self.readings = self.sent = 0

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """As the handler."""
        return self._handler.assigned(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """As the handler."""
        self._handler.revoked(partitions)

    def handle(self, batch: Sequence[Received]) -> Handled:
        """As the handler; counts what it takes."""
        self.watch.start()
        handled = self._handler.handle(batch)
        self.messages += len(batch)
        for received in batch:
            assert isinstance(received.message, Upload)
            self.readings += len(received.message.measurements)
        self.sent += len(handled.outgoing)
        if self.messages >= self._task.messages:
            self._stop.set()
        return handled

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """As the handler."""
        self._handler.advance_offsets(ends)

    def probe(self) -> None:
        """As the handler."""
        self._handler.probe()

    def checkpoint(self) -> None:
        """As the handler; everything so far is durable then."""
        self._handler.checkpoint()
        self.watch.lap()


def settings_of(task: Task) -> Settings:
    """Vigil's settings for a run."""
    return Settings(kafka_bootstrap=task.bootstrap, database_url=task.database_url)


def measured(handler: Handler, task: Task, health: Health, stop: threading.Event) -> Measured:
    """Run the loop over the whole topic."""
    wrapped = Measured(handler, task, stop)
    run_handler(wrapped, settings_of(task), stop, health)
    return wrapped


def outcome(run: Measured, result: int) -> Outcome:
    """What it took."""
    return run.watch.outcome(run.readings, result)
