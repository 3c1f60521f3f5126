"""The board hears from the topic itself that a worker was killed, and its pages say so in time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress

import pytest

from dashboard.live.stream import Message, PageContent, Stream
from dashboard.shell.context import WebContext
from dashboard.worker_state.overview import SERVICES, Overview
from store.database.connections import async_pool
from store.episodes.feed import BoardFeed
from vigil.composition.status_reporter import StatusReporter
from vigil.contracts.topics import STATUS
from vigil.contracts.wire import Outgoing
from vigil.kafka.clients import Publisher
from vigil.service.health import Health
from vigil.service.settings import Settings

EVERY = 2.0
WITHIN = 5.0
"""Seconds from a kill to an open page."""
WORKER = """
import os, sys, time
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.composition.status_reporter import StatusReporter
health = Health("detectors")
health.trouble("start", None)
reporter = StatusReporter(Settings(), health, every_seconds=float(sys.argv[1]))
reporter.start()
time.sleep(600)
"""
pytestmark = pytest.mark.kafka


@contextmanager
def reporting(settings: Settings, *services: str) -> Iterator[list[Health]]:
    """Ready processes that say so."""
    with ExitStack() as stack:
        healths = [Health(service) for service in services]
        for health in healths:
            health.trouble("start", None)
            reporter = StatusReporter(settings, health, every_seconds=EVERY)
            reporter.start()
            stack.callback(reporter.close)
        yield healths


@contextmanager
def process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A detectors process that can be killed."""
    environment = {**os.environ, "VIGIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
                   "VIGIL_DEMO": "1"}  # fmt: skip
    started = subprocess.Popen([sys.executable, "-c", WORKER, str(EVERY)], env=environment)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[WebContext]:
    """The web process's share: it follows the topic, and has no database."""
    context = WebContext(settings=settings, pool=async_pool(settings), feed=BoardFeed(settings))
    task = asyncio.create_task(context.monitor.run(context.publisher))
    try:
        yield context
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(
    context: WebContext, right: Callable[[Overview], bool], seconds: float = 20
) -> None:
    async with asyncio.timeout(seconds):
        while not right(context.monitor.overview()):
            await asyncio.sleep(0.05)


async def nothing() -> PageContent:
    return PageContent((), "")


async def message(stream: Stream, right: Callable[[Message], bool], seconds: float) -> Message:
    async with asyncio.timeout(seconds):
        async for each in stream.messages():
            if right(each):
                return each
    raise AssertionError("the stream ended")


def test_a_killed_worker_is_on_the_open_pages_within_five_seconds(broker: str) -> None:
    settings = Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR")

    async def go(killed: subprocess.Popen[bytes]) -> float:
        async with watching(settings) as context:
            await until(context, lambda seen: seen == Overview())
            killed.send_signal(signal.SIGKILL)
            began = time.monotonic()
            stream = Stream(context, nothing, number=1, seen={})
            reported = await message(stream, lambda m: not m["state"]["judged"], WITHIN + 1)
            took = time.monotonic() - began
            assert "Detection has not been running since" in reported["state"]["html"]
            polled = await Stream(context, nothing, number=2, seen={}).read_once()
            assert polled["state"] == reported["state"]
            return took

    others = [service for service in SERVICES if service != "detectors"]
    with reporting(settings, *others), process(settings) as killed:
        took = asyncio.run(go(killed))
    assert took <= WITHIN, took


def test_a_worker_that_is_well_or_stops_or_is_in_trouble_is_shown_so(broker: str) -> None:
    settings = Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR")

    async def go(health: Health) -> None:
        async with watching(settings) as context:
            await until(context, lambda seen: seen == Overview())
            health.trouble("unavailable.database", "It does not answer.")
            await until(context, lambda seen: seen.state_of("store") is not None)
            health.trouble("unavailable.database", None)
            await until(context, lambda seen: seen == Overview())

    with reporting(settings, *SERVICES) as healths:
        asyncio.run(go(healths[SERVICES.index("store")]))


def test_a_board_that_starts_later_knows_since_when(broker: str) -> None:
    """And what cannot be read on the topic is passed over."""
    settings = Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR")
    with reporting(settings, *SERVICES):
        publisher = Publisher(settings, "test")
        publisher.publish([Outgoing(STATUS.name, b"x", b"{broken", [])])
        publisher.close()
        time.sleep(2 * EVERY)
    ended = time.monotonic()

    async def go() -> None:
        async with watching(settings) as context:
            await until(context, lambda seen: len(seen.states) == len(SERVICES)
                        and all(state.kind == "down" for state in seen.states))  # fmt: skip
            ago = time.monotonic() - ended
            for state in context.monitor.overview().states:
                assert state.since is not None
                since = (context.clock() - state.since).total_seconds()
                assert ago - 1 <= since <= ago + EVERY + 2

    asyncio.run(go())


def test_a_broker_that_is_away_is_said_in_time() -> None:
    settings = Settings(demo=True, kafka_bootstrap="127.0.0.1:1", log_level="ERROR")

    async def go() -> Overview:
        async with watching(settings) as context:
            await until(context, lambda seen: seen.unanswered, WITHIN)
            return context.monitor.overview()

    found = asyncio.run(go())
    assert not found.judged
    assert found.since is not None
