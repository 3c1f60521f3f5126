"""Sends messages from an event loop, and waits for their acks without ever blocking it.

Kafka's client blocks while it wants metadata, so every call of it is made on one thread of its own,
in order. An ack comes back on the client's thread and is handed to the loop. When a send fails or
takes too long, the client is closed and made anew; until that works everything is refused at once,
so a sender hears within seconds that it must try again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from kafka.errors import KafkaError

from vigil.kafka.clients import Publisher, broker_unavailable
from vigil.service import logs
from vigil.service.errors import UnavailableError

if TYPE_CHECKING:
    from vigil.contracts.wire import Outgoing
    from vigil.service.settings import Settings

T = TypeVar("T")
log = logs.get("outbox")

ACK_SECONDS = 8.0
"""A message not acknowledged by then counts as not sent. It may still arrive: its id tells."""
MAX_WAITING = 20_000
"""Messages that may wait for their ack at once; beyond it the broker is too slow for us."""
PATIENCE_SECONDS = 2.0
"""How long one attempt to connect may take."""
PAUSE_SECONDS = 0.3


class Outbox:
    """One Kafka producer for one event loop. Use it within :meth:`opened`."""

    def __init__(self, settings: Settings, source: str):
        self._settings = settings
        self._source = source
        self._publisher: Publisher | None = None
        self._waiting = 0
        self.trouble: str | None = "not connected yet"
        """Why nothing can be sent now; None: it can."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connects in the background; at the end sends what is queued and lets go."""
        self._pool = ThreadPoolExecutor(1, f"outbox-{self._source}")
        keeper = asyncio.create_task(self._keep_connected())
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            self.trouble = "stopped"
            await self._on_thread(self._close)
            self._pool.shutdown(wait=False)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return when the broker has all of them.

        Raises:
            UnavailableError: it has not said so of each. Send all again: their ids are the same.
        """
        if self._waiting + len(messages) > MAX_WAITING:
            raise broker_unavailable(self._settings, "too many messages wait for it")
        acks = _Acks(len(messages))

        def send(publisher: Publisher) -> None:
            for message in messages:
                future = publisher.send(message)
                future.add_errback(acks.failed)
                future.add_callback(acks.one)

        self._waiting += len(messages)
        try:
            await self._using(send, acks.all)
        finally:
            self._waiting -= len(messages)

    async def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic.

        Raises:
            UnavailableError: the broker cannot be asked.
        """
        return await self._using(lambda publisher: publisher.partitions(topic))

    async def _using(
        self, call: Callable[[Publisher], T], then: asyncio.Future[None] | None = None
    ) -> T:
        """Call with the client, and wait for what comes later; a failure costs it the client."""
        if self.trouble is not None:
            raise broker_unavailable(self._settings, self.trouble)
        try:
            async with asyncio.timeout(ACK_SECONDS):
                answer = await self._on_thread(lambda: call(self._connected()))
                if then is not None:
                    await then
        except (KafkaError, UnavailableError, TimeoutError) as error:
            if self.trouble is None:
                log.warning("the broker is away", error=type(error).__name__)
                self.trouble = type(error).__name__
            raise broker_unavailable(self._settings, type(error).__name__) from error
        return answer

    def _connected(self) -> Publisher:
        if self._publisher is None:  # closed between the question and this thread's turn
            raise broker_unavailable(self._settings, "it is being connected again")
        return self._publisher

    async def _keep_connected(self) -> None:
        while True:
            if self.trouble is not None:
                try:
                    await self._on_thread(self._reopen)
                    self.trouble = None
                except Exception as error:  # whatever it is: a task that ended would go unseen
                    self.trouble = str(error)
            await asyncio.sleep(PAUSE_SECONDS)

    def _reopen(self) -> None:
        self._close()
        self._publisher = Publisher(self._settings, self._source, PATIENCE_SECONDS)
        log.info("connected")

    def _close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()

    async def _on_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


class _Acks:
    """Counts acks on the client's thread, and tells the loop when the last one came."""

    def __init__(self, expected: int):
        self._loop = asyncio.get_running_loop()
        self._missing = expected
        self._lock = threading.Lock()
        self.all: asyncio.Future[None] = self._loop.create_future()
        self.all.add_done_callback(_look)

    def one(self, _metadata: object) -> None:
        """The broker has one more."""
        with self._lock:
            self._missing -= 1
            complete = self._missing == 0
        if complete:
            self._tell(None)

    def failed(self, error: BaseException) -> None:
        """One of them will not arrive."""
        self._tell(error)

    def _tell(self, error: BaseException | None) -> None:
        def settle() -> None:
            if self.all.done():  # given up, or an earlier one failed
                return
            if error is None:
                self.all.set_result(None)
            else:
                self.all.set_exception(error)

        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(settle)


def _look(future: asyncio.Future[None]) -> None:
    """An error that nobody waits for any more is no news."""
    if not future.cancelled():
        future.exception()
