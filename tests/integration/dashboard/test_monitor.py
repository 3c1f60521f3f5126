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
from dashboard.live.versions import Versions
from dashboard.shell.context import WebContext
from dashboard.worker_state.overview import SERVICES, Overview
from store.database.connections import async_pool
from store.episodes.feed import BoardFeed
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT, soon_enough
from vigil.composition.status_reader import read_statuses
from vigil.composition.status_reporter import StatusReporter
from vigil.contracts.topics import STATUS
from vigil.contracts.wire import Outgoing
from vigil.kafka.clients import Publisher
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.values.clock import utc_now

EVERY = 2.0
WITHIN = 5.0
"""Seconds from a kill to an open page."""
WORKER = """
import os, sys, time
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
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
    context: WebContext, right: Callable[[Overview], bool], seconds: float = TIMEOUT
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
            stream = Stream(context, nothing, versions=Versions(), start={"stream": 1})
            reported = await message(stream, lambda m: not m["state"]["judged"], TIMEOUT)
            took = time.monotonic() - began
            assert "Detection has not been running since" in reported["state"]["html"]
            again = Stream(context, nothing, versions=Versions(), start={"stream": 2})
            polled = await again.read_once()
            assert polled["state"] == reported["state"]
            return took

    others = [service for service in SERVICES if service != "detectors"]

    def kill() -> float:
        with process(settings) as killed:
            return asyncio.run(go(killed))

    with reporting(settings, *others):
        soon_enough(kill, WITHIN)


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
    settings, started = Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR"), utc_now()

    def reported() -> set[str]:
        found = [each.status for each in read_statuses(settings)]
        return {status.service for status in found if status.time > started}

    with reporting(settings, *SERVICES):
        publisher = Publisher(settings, "test")
        publisher.publish([Outgoing(STATUS.name, b"x", b"{broken", [])])
        publisher.close()
        eventually(lambda: reported() == {*SERVICES})
        ending = time.monotonic()
    ended = time.monotonic()

    async def go() -> None:
        async with watching(settings) as context:
            await until(context, lambda seen: len(seen.states) == len(SERVICES)
                        and all(state.kind == "down" for state in seen.states))  # fmt: skip
            at_least, at_most = time.monotonic() - ended, time.monotonic() - ending
            for state in context.monitor.overview().states:
                assert state.since is not None
                since = (context.clock() - state.since).total_seconds()
                assert at_least - 1 <= since <= at_most + EVERY + 1

    asyncio.run(go())


def test_a_broker_that_is_away_is_said_in_time() -> None:
    settings = Settings(demo=True, kafka_bootstrap="127.0.0.1:1", log_level="ERROR")

    async def go() -> tuple[float, Overview]:
        async with watching(settings) as context:
            began = time.monotonic()
            await until(context, lambda seen: seen.unanswered)
            return time.monotonic() - began, context.monitor.overview()

    def ask() -> float:
        took, found = asyncio.run(go())
        assert not found.judged
        assert found.since is not None
        return took

    soon_enough(ask, WITHIN)
