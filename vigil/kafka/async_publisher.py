"""Publishes from an event loop, and waits for acknowledgements without blocking it.

Kafka's client blocks while it needs metadata, so all calls of it are made on one thread of its own,
in order. An acknowledgement arrives on the client's thread and is handed to the loop. When a send
fails or times out, the client is closed and opened anew; until that succeeds every message is
refused at once, so that a sender knows within seconds that it must retry.
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
log = logs.get("publisher")

ACK_SECONDS = 8.0
"""A message not acknowledged by then counts as not sent. It may still arrive, with the same id."""
MAX_WAITING = 20_000
"""Messages that may wait for an acknowledgement at once; more means that the broker is too slow."""
CONNECT_SECONDS = 2.0
"""Timeout of one attempt to connect."""
RETRY_SECONDS = 0.3
"""Between two checks whether to connect again."""


class AsyncPublisher:
    """One Kafka producer for one event loop. Use it within :meth:`opened`.

    Args:
        source: the service that publishes; part of the client id.
    """

    def __init__(self, settings: Settings, source: str):
        self._settings = settings
        self._source = source
        self._publisher: Publisher | None = None
        self._waiting = 0
        self.trouble: str | None = "not connected yet"
        """Why nothing can be sent now; None: it can."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connects in the background; at the end sends what is queued and closes the client.

        The end does not wait for an attempt to connect, whose result the client's thread closes;
        what that attempt's former client still has queued was refused.
        """
        self._pool = ThreadPoolExecutor(1, f"publisher-{self._source}")
        connecting = asyncio.create_task(self._keep_connected())
        try:
            yield
        finally:
            connecting.cancel()
            with suppress(asyncio.CancelledError):
                await connecting
            self.trouble = "stopped"
            connected = self._publisher is not None
            closing = self._pool.submit(self._close)
            if connected:
                await asyncio.wrap_future(closing)
            self._pool.shutdown(wait=False)

    async def publish(self, messages: Sequence[Outgoing], *, withdraw: bool = False) -> None:
        """Return when the broker has all of them.

        Args:
            withdraw: after a failure send none of them later, for a person who is shown that
                nothing was recorded. What else waits on this client is refused too. Without it,
                the client still sends what is queued, for 5 seconds at most: a device repeats it.

        Raises:
            UnavailableError: not all were acknowledged. Send all again: their ids are the same.
            WireError: the client cannot send one of them; others may have arrived.
        """
        if self._waiting + len(messages) > MAX_WAITING:
            raise broker_unavailable(self._settings, "too many messages wait for it")
        request = _Request(messages)
        self._waiting += len(messages)
        try:
            await self._using(request.send, request.acks.all)
        except UnavailableError:
            if withdraw:
                request.withdraw()
            raise
        except asyncio.CancelledError:  # the server stops
            if withdraw:
                request.withdraw()
                self.trouble = self.trouble or "a request was cancelled"
            raise
        finally:
            self._waiting -= len(messages)

    async def partitions(self, topic: str, *, reconnect: bool = True) -> list[int]:
        """The partitions of a topic.

        Args:
            reconnect: whether the client is opened anew on a failure. False for a question whose
                failure must not disturb messages, such as one about a topic that is not permitted.

        Raises:
            UnavailableError: the broker cannot be asked.
        """
        return await self._using(lambda publisher: publisher.partitions(topic), reconnect=reconnect)

    async def _using(
        self,
        call: Callable[[Publisher], T],
        then: asyncio.Future[None] | None = None,
        *,
        reconnect: bool = True,
    ) -> T:
        """Call with the client, then wait for a future; on a failure the client is opened anew."""
        if self.trouble is not None:
            raise broker_unavailable(self._settings, self.trouble)
        try:
            async with asyncio.timeout(ACK_SECONDS):
                answer = await self._on_thread(lambda: call(self._connected()))
                if then is not None:
                    await then
        except (KafkaError, UnavailableError, TimeoutError) as error:
            if self.trouble is None and reconnect:
                log.warning("broker unavailable", error=type(error).__name__)
                self.trouble = type(error).__name__
            if isinstance(error, UnavailableError):  # it has the driver's reason
                raise
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
                except Exception as error:  # whatever it is: a task that ends would go unnoticed
                    self.trouble = str(error)
            await asyncio.sleep(RETRY_SECONDS)

    def _reopen(self) -> None:
        self._close()
        self._publisher = Publisher(self._settings, self._source, CONNECT_SECONDS)
        log.info("connected")

    def _close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()

    async def _on_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


class _Request:
    """The messages of one call, on their way to the broker."""

    def __init__(self, messages: Sequence[Outgoing]):
        self._messages = messages
        self._publisher: Publisher | None = None
        self._withdrawn = False
        self.acks = _Acks(len(messages))

    def send(self, publisher: Publisher) -> None:
        """Queue the messages; runs on the client's thread."""
        self._publisher = publisher
        for message in self._messages:
            if self._withdrawn:  # timed out while this thread waited for the broker's metadata
                return
            future = publisher.send(message)
            future.add_errback(self.acks.failed)
            future.add_callback(self.acks.one)

    def withdraw(self) -> None:
        """Send none of the messages from now on; what is on its way cannot be called back."""
        self._withdrawn = True
        if self._publisher is not None:
            self._publisher.abandon()


class _Acks:
    """Counts acknowledgements on the client's thread, and resolves ``all`` in the loop."""

    def __init__(self, expected: int):
        self._loop = asyncio.get_running_loop()
        self._missing = expected
        self._lock = threading.Lock()
        self.all: asyncio.Future[None] = self._loop.create_future()
        self.all.add_done_callback(_retrieve_error)

    def one(self, _metadata: object) -> None:
        """One more was acknowledged."""
        with self._lock:
            self._missing -= 1
            complete = self._missing == 0
        if complete:
            self._resolve(None)

    def failed(self, error: BaseException) -> None:
        """One of them failed."""
        self._resolve(error)

    def _resolve(self, error: BaseException | None) -> None:
        def settle() -> None:
            if self.all.done():  # timed out, or an earlier one failed
                return
            if error is None:
                self.all.set_result(None)
            else:
                self.all.set_exception(error)

        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle)


def _retrieve_error(future: asyncio.Future[None]) -> None:
    """Mark an error as retrieved: asyncio would log one that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
