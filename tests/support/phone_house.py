"""The patient's pages in a web process of their own, and patients and alerts in its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from fastapi import FastAPI
from fastapi.testclient import TestClient
from psycopg.rows import dict_row

from dashboard import phone
from dashboard.shell.context import WebContext
from store.database.connections import Connection, async_pool
from store.episodes.feed import BoardFeed
from store.people import phones
from store.writing.writer import write
from tests.support.messages import received
from tests.support.timeouts import TIMEOUT
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.service.settings import Settings
from vigil.values.clock import utc_now


class PhonePart:
    """The patient's pages as a part of a web process."""

    name = "phone"

    def __init__(self, settings: Settings, *, broker: bool = False):
        self._broker = broker
        self.now: datetime | None = None
        self.context = WebContext(
            settings,
            async_pool(settings, 4),
            BoardFeed(settings),
            clock=lambda: self.now or utc_now(),
        )
        self.context.feed.listening = True  # nobody takes the database for unavailable

    def install(self, api: FastAPI) -> None:
        phone.install(api, self.context)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        await self.context.pool.open()
        try:
            if not self._broker:
                yield
                return
            async with self.context.publisher.opened():
                async with asyncio.timeout(TIMEOUT):
                    while self.context.publisher.trouble is not None:
                        await asyncio.sleep(0.05)
                yield
        finally:
            await self.context.pool.close()

    def trouble(self) -> Mapping[str, str]:
        return {}


@contextmanager
def client(part: PhonePart) -> Iterator[TestClient]:
    """A browser without a script, whose forms are of this site."""

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with part.lifespan():
            yield

    api = FastAPI(lifespan=lifespan)
    part.install(api)
    with TestClient(api, headers={"Origin": "http://testserver", "Accept": "text/html"}) as opened:
        yield opened


def link_for(settings: Settings, patient_id: str = "p1", hours: float = 1) -> str:
    """A one-time link's code."""

    async def make() -> str:
        async with await psycopg.AsyncConnection.connect(
            settings.database(), row_factory=dict_row
        ) as connection:
            return await phones.create_enrolment(
                connection, patient_id, "nurse", utc_now() + timedelta(hours=hours)
            )

    with ThreadPoolExecutor(1) as thread:  # Playwright keeps a loop running on this one
        return thread.submit(lambda: asyncio.run(make())).result()


def patient(connection: Connection, patient_id: str = "p1", **values: Any) -> None:
    """Enrol a patient."""
    row = {"ward": "A", "locale": "en", "active": True, "synthetic": False, **values}
    connection.execute(
        "INSERT INTO patients (patient_id, ward, locale, active, synthetic)"
        " VALUES (%s, %s, %s, %s, %s)",
        (patient_id, row["ward"], row["locale"], row["active"], row["synthetic"]),
    )


def stored(
    connection: Connection, *messages: Alert | Action | Event, published: datetime | None = None
) -> None:
    """What the store worker does with alerts, actions and events."""
    write(connection, [received(message, n, published) for n, message in enumerate(messages)])
