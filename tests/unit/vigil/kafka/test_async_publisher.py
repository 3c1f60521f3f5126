"""What an event loop's publisher does while its client is slow, refused or abandoned."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from kafka.errors import TopicAuthorizationFailedError

from tests.support.timeouts import TIMEOUT
from vigil.contracts.wire import Outgoing
from vigil.kafka import async_publisher
from vigil.kafka.async_publisher import AsyncPublisher
from vigil.kafka.clients import broker_unavailable
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

MESSAGES = [Outgoing("vitals.actions", b"p1", value, []) for value in (b"first", b"second")]
SETTINGS = Settings(demo=True, log_level="ERROR")


class Future:
    """Of a message that the broker acknowledges, at once or never."""

    def __init__(self, acknowledged: bool):
        self._acknowledged = acknowledged

    def add_callback(self, call: Callable[[object], None]) -> None:
        if self._acknowledged:
            call(None)

    def add_errback(self, call: Callable[[BaseException], None]) -> None:
        del call


class Client:
    """The blocking publisher's place: it may wait for metadata, and acknowledge nothing."""

    def __init__(self) -> None:
        self.metadata = threading.Event()
        self.metadata.set()
        self.acknowledges = True
        self.sent: list[bytes | None] = []
        self.abandoned = self.closed = 0

    def send(self, message: Outgoing) -> Future:
        self.metadata.wait(TIMEOUT)
        self.sent.append(message.value)
        return Future(self.acknowledges)

    def partitions(self, topic: str) -> list[int]:
        del topic
        raise broker_unavailable(SETTINGS, TopicAuthorizationFailedError.__name__)

    def abandon(self) -> None:
        self.abandoned += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """The clients that were opened, in order."""
    opened: list[Client] = []

    def connect(*_: object) -> Client:
        opened.append(Client())
        return opened[-1]

    monkeypatch.setattr(async_publisher, "Publisher", connect)
    monkeypatch.setattr(async_publisher, "ACK_SECONDS", 0.2)
    monkeypatch.setattr(async_publisher, "RETRY_SECONDS", 0.01)
    return opened


async def connected(publisher: AsyncPublisher) -> None:
    async with asyncio.timeout(TIMEOUT):
        while publisher.trouble is not None:
            await asyncio.sleep(0.01)


def run(check: Callable[[AsyncPublisher], Coroutine[Any, Any, None]]) -> None:
    async def go() -> None:
        publisher = AsyncPublisher(SETTINGS, "test")
        async with publisher.opened():
            await connected(publisher)
            await check(publisher)

    asyncio.run(go())


@pytest.mark.parametrize("withdraw", [False, True])
def test_what_is_not_acknowledged_is_withdrawn_where_that_is_asked_for(
    clients: list[Client], withdraw: bool
) -> None:
    async def check(publisher: AsyncPublisher) -> None:
        clients[0].acknowledges = False
        with pytest.raises(UnavailableError):
            await publisher.publish(MESSAGES, withdraw=withdraw)
        assert clients[0].abandoned == withdraw  # before the answer, not some time after it
        await connected(publisher)
        await publisher.publish(MESSAGES, withdraw=withdraw)
        assert clients[1].sent == [b"first", b"second"]
        assert clients[1].abandoned == 0

    run(check)
    assert [client.closed for client in clients] == [1, 1]


def test_what_was_cancelled_is_withdrawn_too(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server cancels the requests that it does not finish before its end."""
    monkeypatch.setattr(async_publisher, "ACK_SECONDS", TIMEOUT)

    async def check(publisher: AsyncPublisher) -> None:
        clients[0].acknowledges = False
        request = asyncio.create_task(publisher.publish(MESSAGES, withdraw=True))
        async with asyncio.timeout(TIMEOUT):
            while len(clients[0].sent) < len(MESSAGES):
                await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert clients[0].abandoned == 1
        await connected(publisher)
        await publisher.publish(MESSAGES, withdraw=True)
        assert clients[1].sent == [b"first", b"second"]

    run(check)


def test_a_request_refused_while_its_client_waits_for_metadata_sends_nothing_more(
    clients: list[Client],
) -> None:
    async def check(publisher: AsyncPublisher) -> None:
        clients[0].metadata.clear()
        with pytest.raises(UnavailableError):
            await publisher.publish(MESSAGES, withdraw=True)
        assert clients[0].abandoned == 1  # so the message that waits is refused by the client
        clients[0].metadata.set()
        await connected(publisher)  # the thread has come to the end of the refused call
        assert b"second" not in clients[0].sent

    run(check)


def test_a_question_that_is_not_permitted_disturbs_no_message(clients: list[Client]) -> None:
    async def check(publisher: AsyncPublisher) -> None:
        with pytest.raises(UnavailableError) as caught:
            await publisher.partitions("vitals.readings", reconnect=False)
        assert caught.value.code == "unavailable.broker_access"
        assert publisher.trouble is None
        await publisher.publish(MESSAGES)

    run(check)
    assert len(clients) == 1
