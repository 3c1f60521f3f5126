"""Fixtures on real parts: an embedded PostgreSQL, a broker, and Chromium."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest

from local import parts
from store.database.migrate import migrate
from tests.support import kafka_sockets
from tests.support.processes import open_folder, started
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
hypothesis.settings.register_profile("vigil", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("vigil")


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
    if kind == "kafka":
        assert KAFKA_HOME
        return parts.kafka(Path(KAFKA_HOME), folder / "kafka")
    return parts.tansu()


@pytest.fixture(scope="module", params=BROKERS)
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A fresh broker with Vigil's topics; its bootstrap address."""
    part = broker_part(request.param, tmp_path_factory.mktemp("broker"))
    with started(part):
        create_topics(Settings(kafka_bootstrap=part.address, partitions=3))
        yield part.address


@pytest.fixture
def settings(broker: str, database_url: str) -> Settings:
    """Settings of a demonstration on a fresh broker and a fresh database."""
    return Settings(
        demo=True,
        kafka_bootstrap=broker,
        database_url=database_url,
        partitions=3,
        startup_timeout_seconds=20,
        log_level="ERROR",
    )


@pytest.fixture
def chromium_page() -> Iterator[Page]:
    """A page in headless Chromium; any error on its console fails the test."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no Chromium at {CHROMIUM}: .ci/run installs it")
        pytest.skip(f"no Chromium at {CHROMIUM} (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(15_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        browser.close()
        assert not problems, problems
