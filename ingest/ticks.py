"""Ticks: the time, written into every partition of ``vitals.readings``, so that missing data has a
duration in the log."""

from __future__ import annotations

import asyncio

from vigil.contracts import wire
from vigil.contracts.topics import READINGS
from vigil.domain.reading import Tick
from vigil.kafka.async_publisher import AsyncPublisher
from vigil.service.errors import UnavailableError
from vigil.values.clock import Clock


async def tick_forever(publisher: AsyncPublisher, clock: Clock, seconds: float) -> None:
    """Write a tick every so many seconds until cancelled.

    While the broker is unavailable no tick is written, and none is written later for that time: by
    the log's time nothing happened then.
    """
    while True:
        try:
            await tick(publisher, clock)
        except UnavailableError:
            await asyncio.sleep(min(seconds, 0.5))  # logged already; retry soon
        else:
            await asyncio.sleep(seconds)


async def tick(publisher: AsyncPublisher, clock: Clock) -> int:
    """Write one tick into each partition and return how many there are.

    Raises:
        UnavailableError: not every one was acknowledged.
    """
    partitions = await publisher.partitions(READINGS.name)
    message = Tick(clock())
    await publisher.publish([wire.to_message(message, "ingest", partition=p) for p in partitions])
    return len(partitions)
