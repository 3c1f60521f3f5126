"""A board of a test module's own, on a real database; its broker is away."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from dashboard.service import Dashboard, build
from local.parts import free_port
from store.database.connections import connect
from tests.support.running import serving
from tests.support.seed import Seed
from tests.support.statuses import received_statuses, working
from tests.support.timeouts import TIMEOUT
from vigil.domain.status import Status
from vigil.service.settings import Settings

PASSWORD = "correct horse battery"


@dataclass
class Board:
    """A running board."""

    url: str
    part: Dashboard
    settings: Settings

    def client(self) -> httpx.Client:
        """A browser that follows nothing by itself."""
        return httpx.Client(base_url=self.url, follow_redirects=False, timeout=TIMEOUT)

    @contextmanager
    def sign_in(self, user: str = "kim", password: str = PASSWORD) -> Iterator[httpx.Client]:
        """A browser in which somebody is signed in."""
        with self.client() as client:
            answer = submit_login(client, user, password)
            assert answer.status_code == 303, answer.text
            yield client

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """The board's clock, standing still."""
        clock = self.part.context.clock
        self.part.context.clock = lambda: moment
        try:
            yield
        finally:
            self.part.context.clock = clock

    @contextmanager
    def later(self, by: timedelta) -> Iterator[None]:
        """The board's clock, so much ahead."""
        clock = self.part.context.clock
        self.part.context.clock = lambda: clock() + by
        try:
            yield
        finally:
            self.part.context.clock = clock

    @contextmanager
    def workers(self, *reported: Status) -> Iterator[None]:
        """These statuses were heard just now; none given: all workers are well."""
        with received_statuses(
            self.part.context.monitor, *(reported or working(datetime.now(UTC)))
        ):
            yield

    @contextmanager
    def seed(self) -> Iterator[Seed]:
        """Write to the board's database."""
        with connect(self.settings) as connection:
            seed = Seed(connection, datetime.now(UTC))
            yield seed
            seed.commit()


def form_token(page: str) -> str:
    """The CSRF token of a page's form."""
    return page.split('name="csrf" value="')[1].split('"', maxsplit=1)[0]


def submit_login(
    client: httpx.Client, user: str, password: str, wanted: str = "/board/"
) -> httpx.Response:
    """Fill in the form at ``/login``, as a browser does."""
    csrf = form_token(client.get("/login", params={"next": wanted}).text)
    data = {"user": user, "password": password, "csrf": csrf, "next": wanted}
    return client.post("/login", data=data)


@pytest.fixture(scope="module")
def board(postgres_url: str) -> Iterator[Board]:
    """A board with an administrator ``ada`` and a nurse ``kim``; no broker answers."""
    name = f"b_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    settings = Settings(
        demo=True,
        database_url=postgres_url.replace("/postgres", f"/{name}"),
        kafka_bootstrap=f"127.0.0.1:{free_port()}",
        log_level="ERROR",
    )
    part = build(settings)
    with serving([part], settings) as url:
        made = Board(url, part, settings)
        with made.seed() as seed:
            seed.user("kim", PASSWORD, "care_team", "Kim Berg")
            seed.user("ada", PASSWORD, "admin", "Ada Lund")
        yield made
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
