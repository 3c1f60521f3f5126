"""Trying again what cannot be done now, without losing the partitions meanwhile."""

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


class Patience:
    """One consumer's.

    Args:
        poll: asks the consumer for what is new, so many milliseconds long, at most so many
            messages; everything is paused, so that it gives none.
        failed: is given each error that is waited out.
    """

    def __init__(
        self,
        consumer: Any,
        assignment: Assignment,
        health: Health,
        stop: threading.Event,
        poll: Callable[[int, int], object],
        failed: Callable[[UnavailableError], None],
    ):
        self._failed = failed
        self._consumer = consumer
        self._assignment = assignment
        self._health = health
        self._stop = stop
        self._poll = poll

    def insist(self, action: Callable[[], object]) -> bool:
        """Do it, again and again while a part is unavailable.

        False: not done, because we must stop, or the partitions are no longer ours.
        """
        generation, pause = self._assignment.generation, FIRST_PAUSE_SECONDS
        troubled: set[str] = set()
        try:
            while True:
                try:
                    action()
                except UnavailableError as error:
                    troubled.add(error.code)
                    told(error, self._health)
                    self._failed(error)
                    if not self._keep_alive(pause, generation):
                        return False
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                else:
                    return True
        finally:  # also where it was not done: nothing waits for the part now
            for code in troubled:
                self._health.trouble(code, None)

    def _keep_alive(self, seconds: float, generation: int) -> bool:
        """Wait without losing the partitions; False when they are lost or we must stop."""
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
            self._consumer.resume(*(self._consumer.paused() - self._assignment.waiting()))


def until_open(make: Callable[[], T], stop: threading.Event, health: Health) -> T | None:
    """A client, once there is a broker; None: told to stop before."""
    while not stop.is_set():
        health.beat()
        try:
            client = make()
        except UnavailableError as error:
            told(error, health)
            stop.wait(1)
        else:
            health.trouble("unavailable.broker", None)
            return client
    return None


def told(error: UnavailableError, health: Health) -> None:
    """Say what is waited for, and what would mend it."""
    health.trouble(error.code, f"{error.message} {error.how_to_fix}".strip())
    log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
