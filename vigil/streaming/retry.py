"""Retries what is unavailable now, without losing the partitions meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from vigil.service import logs
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.streaming.assignment import Assignment

T = TypeVar("T")

log = logs.get("stream")

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
POLL_MS = 100


class Retrier:
    """Retries on behalf of one consumer, and keeps its membership of the group.

    Args:
        stop: set when the worker is to end.
        poll: polls the consumer: how long, in milliseconds, and how many messages at most.
            Everything is paused, so it returns none.
        record_failure: is given each error before the next attempt.
    """

    def __init__(
        self,
        consumer: Any,
        assignment: Assignment,
        health: Health,
        *,
        stop: threading.Event,
        poll: Callable[[int, int], object],
        record_failure: Callable[[UnavailableError], None],
    ):
        self._record_failure = record_failure
        self._consumer = consumer
        self._assignment = assignment
        self._health = health
        self._stop = stop
        self._poll = poll

    def retry(self, action: Callable[[], object]) -> bool:
        """Call ``action`` until it succeeds, with a growing pause after each
        :class:`~vigil.service.errors.UnavailableError`.

        Returns:
            False if it did not succeed because the worker must stop or has lost its partitions.
        """
        generation, pause = self._assignment.generation, FIRST_PAUSE_SECONDS
        troubled: set[str] = set()
        try:
            while True:
                try:
                    action()
                except UnavailableError as error:
                    troubled.add(error.code)
                    report_waiting(error, self._health)
                    self._record_failure(error)
                    if not self._keep_alive(pause, generation):
                        return False
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                else:
                    return True
        finally:  # also without success: nothing waits for the part any longer
            for code in troubled:
                self._health.trouble(code, None)

    def _keep_alive(self, seconds: float, generation: int) -> bool:
        """Wait without losing the partitions; False if they are lost or the worker must stop."""
        self._consumer.pause(*self._consumer.assignment())
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if self._stop.is_set():
                    return False
                self._poll(POLL_MS, 1)
                self._health.beat()
                if self._assignment.generation != generation:
                    return False
            return True
        finally:
            self._consumer.resume(*(self._consumer.paused() - self._assignment.held_back()))


def open_with_retry(make: Callable[[], T], stop: threading.Event, health: Health) -> T | None:
    """Open a client, retrying until there is a broker; None: ``stop`` was set before."""
    while not stop.is_set():
        health.beat()
        try:
            client = make()
        except UnavailableError as error:
            report_waiting(error, health)
            stop.wait(1)
        else:
            health.trouble("unavailable.broker", None)
            return client
    return None


def report_waiting(error: UnavailableError, health: Health) -> None:
    """Report what is waited for, and how to fix it."""
    health.trouble(error.code, f"{error.message} {error.how_to_fix}".strip())
    log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
