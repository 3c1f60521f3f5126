"""Fixtures on real parts: an embedded PostgreSQL, a broker, and Chromium."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest

from local import parts
from store.database.migrate import migrate
from tests.support import jvm, kafka_sockets
from tests.support.processes import open_folder, started
from tests.support.shared_kafka import SharedKafka
from tests.support.timeouts import TIMEOUT
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

KAFKA_HOME = os.environ.get("KAFKA_HOME")
BROKERS = ["tansu", "kafka"] if KAFKA_HOME else ["tansu"]
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic",
    "--no-first-run", "--disable-component-update", "--disable-sync",
]  # fmt: skip

if "VIGIL_DATABASE_URL" in os.environ:  # where the store's tests are to run too
    os.environ.setdefault("VIGIL_TEST_DATABASE_URL", os.environ["VIGIL_DATABASE_URL"])
for _name in [name for name in os.environ if name.startswith("VIGIL_") and "TEST" not in name]:
    del os.environ[_name]  # a test sees the settings it makes, and no others
os.environ["HF_HUB_OFFLINE"] = "1"
kafka_sockets.name_them()
hypothesis.settings.register_profile(  # the machine may be busy
    "vigil", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("vigil")


@pytest.fixture(scope="session", autouse=True)
def quick_java(request: pytest.FixtureRequest) -> None:
    """Java starts quickly, where tests are run that start any."""
    marks = {mark.name for item in request.session.items for mark in item.iter_markers()}
    if KAFKA_HOME and marks & {"kafka", "faults"}:
        jvm.start_faster(Path(KAFKA_HOME))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this test process, with a migrated database ``template``."""
    with open_folder() as folder, started(parts.postgres(folder / "data", durable=False)) as part:
        with psycopg.connect(part.address, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template")
        migrate(part.address.replace("/postgres", "/template"))
        yield part.address


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A fresh, migrated database."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
        yield postgres_url.replace("/postgres", f"/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def broker_part(kind: str, folder: Path) -> parts.Part:
    """The named broker, not started yet."""
    return kafka_part(folder / "kafka") if kind == "kafka" else parts.tansu()


def kafka_part(folder: Path) -> parts.Part:
    """Apache Kafka with its log in this folder, not started yet."""
    assert KAFKA_HOME
    return parts.kafka(Path(KAFKA_HOME), folder)


@pytest.fixture(scope="session")
def shared_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedKafka]:
    """The Apache Kafka of this test process."""
    shared = SharedKafka(kafka_part, tmp_path_factory.mktemp("kafka"))
    yield shared
    shared.end()


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """A broker with Vigil's topics, empty, and without groups; its bootstrap address.

    Tansu starts within a moment: each module has its own. Apache Kafka is shared. A test that
    stops its broker, fills it or changes its settings starts one of its own (:func:`broker_part`).
    """
    with ExitStack() as stack:
        if request.param == "kafka":
            address = request.getfixturevalue("shared_kafka").address_of_empty()
        else:
            address = stack.enter_context(started(parts.tansu())).address
        create_topics(Settings(kafka_bootstrap=address, partitions=3))
        yield address


@pytest.fixture
def settings(broker: str, database_url: str) -> Settings:
    """Settings of a demonstration on a fresh broker and a fresh database."""
    return Settings(
        demo=True,
        kafka_bootstrap=broker,
        database_url=database_url,
        partitions=3,
        startup_timeout_seconds=TIMEOUT,
        log_level="ERROR",
    )


class Chromium:
    """The browser of this test process, started once, and again where it has died.

    Playwright's loop counts as running in its thread from its start on; it is unset between the
    uses, so that a test without a browser can run a loop of its own.
    """

    def __init__(self, playwright: Playwright):
        self._playwright = playwright
        self._loop = asyncio.get_running_loop()
        self._launched: Browser | None = None
        asyncio._set_running_loop(None)

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A page in a context of its own; any error on its console fails the test.

        Cookies, caches, service and shared workers, permissions and push subscriptions belong to
        the context and end with it.
        """
        asyncio._set_running_loop(self._loop)
        try:
            browser = self._browser()
            context = browser.new_context(locale="en-US", timezone_id="UTC")
            page = context.new_page()
            page.set_default_timeout(1000 * TIMEOUT)
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            yield page
            for context in browser.contexts:  # the test's own too
                context.close()
            assert not problems, problems
        finally:
            asyncio._set_running_loop(None)

    def close(self) -> None:
        """At the end of the session."""
        asyncio._set_running_loop(self._loop)
        if self._launched is not None:
            self._launched.close()

    def _browser(self) -> Browser:
        if self._launched is None or not self._launched.is_connected():
            launch = self._playwright.chromium.launch
            self._launched = launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        return self._launched


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Chromium, where it is installed."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no Chromium at {CHROMIUM}: .ci/run installs it")
        pytest.skip(f"no Chromium at {CHROMIUM} (Debian: apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * TIMEOUT)
    with sync_playwright() as playwright:
        opened = Chromium(playwright)
        yield opened
        opened.close()


@pytest.fixture
def chromium_page(chromium: Chromium) -> Iterator[Page]:
    """A page in headless Chromium."""
    with chromium.page() as page:
        yield page
