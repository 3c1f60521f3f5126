"""Follows ``vitals.status`` from the web process itself, and wakes the open pages on a change."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from dashboard.worker_state.overview import Overview, WorkerStates
from vigil.contracts.topics import READINGS, STATUS
from vigil.domain.status import Status
from vigil.kafka.compacted_topic import CompactedTopicReader
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from store.episodes.feed import BoardFeed
    from vigil.contracts import wire
    from vigil.kafka.clients import Publisher
    from vigil.service.settings import Settings
    from vigil.values.clock import Clock

MONITOR: ContextVar[Monitor] = ContextVar("vigil_monitor")
"""What the head of the page that is being answered asks; set by the guard for every request."""
BACK_SECONDS = 3600.0
"""So far back the log is read at the start: since when a service stands still is known within it.
At a status each two seconds of ten processes these are 18,000 messages."""
CHECK_SECONDS = 1.0
LOOK_SECONDS = 0.25
"""How often a silence is noticed to have become too long."""
COUNT_SECONDS = 30.0
"""How often the partitions are counted: they are raised once in a year."""


class Monitor:
    """What runs, as the open pages are to say it."""

    def __init__(self, settings: Settings, feed: BoardFeed, clock: Callable[[], datetime]):
        self._feed, self._clock = feed, clock
        self.states = WorkerStates(time.monotonic(), clock())
        self._topic_reader = CompactedTopicReader(
            settings,
            STATUS,
            self._begin,
            name="status-monitor",
            back_seconds=BACK_SECONDS,
            check_seconds=CHECK_SECONDS,
        )

    def _begin(self) -> _Reading:
        return _Reading(self.states, self._clock)

    def overview(self) -> Overview:
        """How things are now."""
        return self.states.overview(time.monotonic(), self._clock())

    async def run(self, publisher: Callable[[], Publisher | None]) -> None:
        """Follow until cancelled.

        Args:
            publisher: the web process's connection to the broker, while there is one; asked how
                many partitions there are.
        """
        self._topic_reader.start()
        counting = asyncio.create_task(self._count(publisher), name="partitions")
        before = self.overview()
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                now = self.overview()
                if now != before:
                    before = now
                    self._feed.wake()
        finally:
            counting.cancel()
            await asyncio.to_thread(self._topic_reader.stop)

    async def _count(self, publisher: Callable[[], Publisher | None]) -> None:
        while True:
            broker = publisher()
            if broker is not None:
                with suppress(UnavailableError):
                    found = await asyncio.to_thread(broker.partitions, READINGS.name)
                    self.states.expect({"detectors": len(found)})
            await asyncio.sleep(COUNT_SECONDS if broker else 1.0)


class _Reading:
    """One reading of the log: what is before its end was said some time ago."""

    def __init__(self, states: WorkerStates, clock: Clock):
        self._states, self._clock = states, clock
        self._live = False

    def apply_entry(self, entry: wire.Carried) -> None:
        """A status."""
        if not isinstance(entry, Status):
            return
        now = self._clock()
        if self._live:
            self._states.hear(entry, now)
        else:
            at = min(entry.time, now)
            self._states.hear(entry, at, (now - at).total_seconds())

    def delete_entry(self, key: str) -> None:
        """Nobody deletes a status."""

    def reached_end(self) -> None:
        """Everything was heard."""
        self._live = True
        self._states.confirm(time.monotonic(), self._clock())
