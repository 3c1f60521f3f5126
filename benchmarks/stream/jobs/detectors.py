"""Vigil's real detector worker: every built-in detector, events produced, checkpoints durable."""

from __future__ import annotations

import threading

from benchmarks.stream.jobs.measured import measured, outcome, settings_of
from benchmarks.stream.task import Outcome, Task, main
from detectors.configuration.loading import load
from detectors.worker import Detectors
from vigil.service.health import Health


def run(task: Task) -> Outcome:
    """The whole topic; counts the steps of episodes that were produced."""
    health = Health("detectors")
    handler = Detectors(settings_of(task), load(None), health)
    handler.name = task.group
    done = measured(handler, task, health, threading.Event())
    return outcome(done, done.sent)


if __name__ == "__main__":
    main(run)
