"""Reads ``vitals.status`` in the web process, and wakes the open pages on a change."""

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
    from vigil.kafka.async_publisher import AsyncPublisher
    from vigil.service.settings import Settings
    from vigil.values.clock import Clock

MONITOR: ContextVar[WorkerMonitor] = ContextVar("vigil_monitor")
"""The source of the head of the page that is being rendered; set by the guard for every request."""
HISTORY_SECONDS = 3600.0
"""How far back the log is read at the start, to find since when a service does not work. With a
status every two seconds of ten processes these are 18,000 messages."""
CHECK_SECONDS = 1.0
POLL_SECONDS = 0.25
"""How often the states are checked for a change, as by a silence that is too long now."""
COUNT_SECONDS = 30.0
"""How often the partitions are counted: their number changes about once a year."""


class WorkerMonitor:
    """Which workers run, for the open pages."""

    def __init__(self, settings: Settings, feed: BoardFeed, clock: Callable[[], datetime]):
        self._feed, self._clock = feed, clock
        self.states = WorkerStates(time.monotonic(), clock())
        self._topic_reader = CompactedTopicReader(
            settings,
            STATUS,
            self._begin,
            name="status-monitor",
            back_seconds=HISTORY_SECONDS,
            check_seconds=CHECK_SECONDS,
        )

    def _begin(self) -> _LogReading:
        return _LogReading(self.states, self._clock)

    def overview(self) -> Overview:
        """The services that do not work now."""
        return self.states.overview(time.monotonic(), self._clock())

    async def run(self, publisher: AsyncPublisher) -> None:
        """Read the topic until cancelled.

        Args:
            publisher: the pages' connection to the broker; it is asked for the number of
                partitions.
        """
        self._topic_reader.start()
        counting = asyncio.create_task(self._count(publisher), name="partitions")
        before = self.overview()
        try:
            while True:
                await asyncio.sleep(POLL_SECONDS)
                now = self.overview()
                if now != before:
                    before = now
                    self._feed.wake()
        finally:
            counting.cancel()
            await asyncio.to_thread(self._topic_reader.stop)

    async def _count(self, publisher: AsyncPublisher) -> None:
        while True:
            connected = publisher.trouble is None
            if connected:
                with suppress(UnavailableError):
                    found = await publisher.partitions(READINGS.name, reconnect=False)
                    self.states.expect_partitions({"detectors": len(found)})
            await asyncio.sleep(COUNT_SECONDS if connected else 1.0)


class _LogReading:
    """One reading of the log: statuses before its end were sent some time ago."""

    def __init__(self, states: WorkerStates, clock: Clock):
        self._states, self._clock = states, clock
        self._live = False

    def apply_entry(self, entry: wire.Carried) -> None:
        """Record a status."""
        if not isinstance(entry, Status):
            return
        now = self._clock()
        if self._live:
            self._states.record_status(entry, now)
        else:
            at = min(entry.time, now)
            self._states.record_status(entry, at, (now - at).total_seconds())

    def delete_entry(self, key: str) -> None:
        """Nobody deletes a status."""

    def reached_end(self) -> None:
        """The log was read to its end."""
        self._live = True
        self._states.confirm_read(time.monotonic(), self._clock())
