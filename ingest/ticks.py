"""Writes the clock into every partition of ``vitals.readings``, so that silence has a length."""

from __future__ import annotations

import asyncio

from ingest.http.async_publisher import Outbox
from vigil.contracts import wire
from vigil.contracts.topics import READINGS
from vigil.domain.reading import Tick
from vigil.service.errors import UnavailableError
from vigil.values.clock import Clock


async def tick_forever(outbox: Outbox, clock: Clock, seconds: float) -> None:
    """Tick until cancelled. While the broker is away no tick is written, and none is made up for:
    in the log's time nothing happened then.
    """
    while True:
        try:
            await tick(outbox, clock)
        except UnavailableError:
            await asyncio.sleep(min(seconds, 0.5))  # the outbox has said so; be there soon after
        else:
            await asyncio.sleep(seconds)


async def tick(outbox: Outbox, clock: Clock) -> int:
    """Write one tick into each partition and return how many there are.

    Raises:
        UnavailableError: the broker has not taken all of them.
    """
    partitions = await outbox.partitions(READINGS.name)
    message = Tick(clock())
    await outbox.publish([wire.outgoing(message, "ingest", partition=p) for p in partitions])
    return len(partitions)
