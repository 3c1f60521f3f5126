"""What a job is told, and what it tells. Imports nothing but msgspec: peers run it too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import msgspec


class Task(msgspec.Struct, frozen=True):
    """One run of one job."""

    bootstrap: str
    topic: str
    group: str
    """A consumer group of this run alone."""
    messages: int
    """How many the topic holds."""
    database_url: str
    """A fresh, migrated database."""
    folder: str
    """An empty folder for state."""


class Outcome(msgspec.Struct, frozen=True):
    """What a run took."""

    readings: int
    seconds: float
    """Wall clock, first record to everything durable."""
    processor_seconds: float
    """Of the job's process, all its threads, in that time."""
    result: int
    """What the job counted: flagged readings of the z-score job, which must be the same for all;
    steps of episodes of the detectors."""


class Stopwatch:
    """From the first record to the last thing that made a record durable."""

    def __init__(self) -> None:
        self._begin: tuple[float, float] | None = None
        self._end = (0.0, 0.0)

    def start(self) -> None:
        """The first record is here; later calls change nothing."""
        if self._begin is None:
            self._begin = _now()

    def lap(self) -> None:
        """Everything so far is durable."""
        self._end = _now()

    def outcome(self, readings: int, result: int) -> Outcome:
        """The run, ended at the last lap."""
        begin = self._begin or _now()
        wall, processor = (end - begin for end, begin in zip(self._end, begin, strict=True))
        return Outcome(readings, wall, processor, result)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def main(job: Callable[[Task], Outcome]) -> None:
    """Run a job as a process: the task is the one argument, the outcome the last line."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    outcome = job(task)
    print(msgspec.json.encode(outcome).decode(), flush=True)
