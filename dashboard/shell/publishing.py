"""Sends to the topics from the web process without blocking it, and finds the broker again."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from vigil.kafka.clients import Publisher, broker_unavailable
from vigil.service import logs
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.shell.context import WebContext
    from vigil.contracts.wire import Outgoing
    from vigil.service.settings import Settings

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
            context.publisher = await _open_publisher(context.settings)
        except UnavailableError as error:
            log.warning("waiting", code=error.code)
            await asyncio.sleep(RETRY_SECONDS)


async def _open_publisher(settings: Settings) -> Publisher:
    """Try once to connect, on a daemon thread: the end of the process does not wait for it, as it
    does for the threads of :func:`asyncio.to_thread`.

    Raises:
        UnavailableError: the broker does not answer.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Publisher] = loop.create_future()

    def settle(publisher: Publisher | None, error: Exception | None) -> None:
        if opened.cancelled():
            if publisher is not None:
                publisher.close()
        elif error is not None:
            opened.set_exception(error)
        elif publisher is not None:
            opened.set_result(publisher)

    def connect() -> None:
        publisher: Publisher | None = None
        failure: Exception | None = None
        try:
            publisher = Publisher(settings, "dashboard", 0.0)
        except Exception as error:  # any kind: the awaiting task decides
            failure = error
        try:
            loop.call_soon_threadsafe(settle, publisher, failure)
        except RuntimeError:  # the loop has ended meanwhile
            if publisher is not None:
                publisher.close()

    threading.Thread(target=connect, name="publisher-connect", daemon=True).start()
    return await opened
