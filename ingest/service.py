"""Ingest as a part of the web process: the gateway for devices, and the ticks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from ingest.http.directory import Directory
from ingest.http.gateway import Gateway
from ingest.ticks import tick_forever
from vigil.composition.status_reporter import StatusReporter
from vigil.kafka.async_publisher import AsyncPublisher
from vigil.service.health import Health, Look, Trouble
from vigil.values.clock import Clock, utc_now

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vigil.service.settings import Settings


class Ingest:
    """The API for devices; a :class:`vigil.composition.stage.WebPart`."""

    name = "ingest"

    def __init__(self, settings: Settings, clock: Clock):
        self._clock = clock
        self._tick_seconds = settings.tick_seconds
        self._health = Health(self.name)
        self._health.watch(self.name, self._look)
        self._reporter = StatusReporter(settings, self._health)
        self._directory = Directory(settings, self._health)
        self._publisher = AsyncPublisher(settings, self.name)
        self._ticking: asyncio.Task[None] | None = None
        self._gateway = Gateway(self._directory, self._publisher, settings=settings, clock=clock)

    def install(self, api: FastAPI) -> None:
        """Add the routes below ``/v1`` and describe them in OpenAPI."""
        self._gateway.install(api)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Read the directory, stay connected to the broker, and write ticks."""
        self._directory.start()
        self._health.trouble("start", None)
        self._reporter.start()
        try:
            async with self._publisher.opened():
                ticking = self._ticking = asyncio.create_task(
                    tick_forever(self._publisher, self._clock, self._tick_seconds)
                )
                try:
                    yield
                finally:
                    ticking.cancel()
                    with suppress(asyncio.CancelledError):
                        await ticking
        finally:
            await asyncio.to_thread(self._reporter.close)
            await asyncio.to_thread(self._directory.stop)

    def _look(self) -> Look:
        return Look({part: Trouble(what) for part, what in self.trouble().items()})

    def trouble(self) -> Mapping[str, str]:
        """Why readings cannot be accepted now, by part; empty when they can."""
        parts = {
            "broker": self._publisher.trouble,
            "directory": self._directory.trouble or self._directory.unread(),
            "ticks": self._without_ticks(),
        }
        return {part: what for part, what in parts.items() if what is not None}

    def _without_ticks(self) -> str | None:
        if self._ticking is None or not self._ticking.done():
            return None
        return "Ticks are no longer written, so missing data is not noticed. Restart the process."


def build(settings: Settings, clock: Clock = utc_now) -> Ingest:
    """The part, wired; nothing connects before its lifespan begins."""
    return Ingest(settings, clock)
