"""Sends to the topics from the web process without blocking it, and finds the broker again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vigil.kafka.clients import Publisher, broker_unavailable
from vigil.service import logs
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.shell.context import WebContext
    from vigil.contracts.wire import Outgoing

log = logs.get("dashboard")
RETRY_SECONDS = 2.0
TIMEOUT_SECONDS = 10.0


async def publish(context: WebContext, messages: Sequence[Outgoing]) -> None:
    """Return when the broker has the messages.

    Raises:
        UnavailableError: it does not answer. Some may have arrived: their ids are derived, so
            sending them again does no harm.
    """
    if context.publisher is None:
        raise broker_unavailable(context.settings, "not reached since the start")
    await asyncio.to_thread(context.publisher.publish, messages, TIMEOUT_SECONDS)


async def keep_publisher(context: WebContext) -> None:
    """Open the publisher, however long the broker takes: the board works without it."""
    while context.publisher is None:
        try:
            context.publisher = await asyncio.to_thread(
                Publisher, context.settings, "dashboard", 0.0
            )
        except UnavailableError as error:
            log.warning("waiting", code=error.code)
            await asyncio.sleep(RETRY_SECONDS)
