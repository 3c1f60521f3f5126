"""Each worker can tell its own fault from a message's, and its probe leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from detectors.worker import Detectors
from explain.worker import ExplainHandler
from notify.channels import on_call
from notify.planning.planner import Planner
from notify.sending.sender import WakeSignal
from store.database.connections import open_pool
from store.service import Store
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming import probe_messages
from vigil.values.clock import utc_now

TABLES = (
    *("readings", "latest", "events", "episodes", "alerts", "actions", "phrases"),
    *("service_status", "deliveries", "paged_episodes", "detector_states", "checkpoints"),
)


@pytest.fixture
def database(database_url: str) -> Settings:
    return Settings(demo=True, database_url=database_url)


@contextmanager
def store(settings: Settings) -> Iterator[Any]:
    with closing(Store(settings, Health("store"))) as made:
        yield made


@contextmanager
def detectors(settings: Settings) -> Iterator[Any]:
    with closing(Detectors(settings, load(), Health("detectors"))) as made:
        yield made


@contextmanager
def notify(settings: Settings) -> Iterator[Any]:
    with open_pool(settings) as pool:
        oncall = settings.model_copy(update={"oncall_urls": ("json://127.0.0.1:9/",)})
        channels = [on_call.OnCall(oncall)]
        made = Planner(
            pool,
            channels,
            wake_signal=WakeSignal(),
            clock=utc_now,
            health=Health("notify"),
            demo=False,
        )
        yield made


def rows(settings: Settings) -> dict[str, int]:
    with psycopg.connect(settings.database()) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]
            for table in TABLES
        }


@pytest.mark.parametrize(
    ("make", "needed"),
    [(store, "events"), (detectors, "detector_states"), (notify, "deliveries")],
)
def test_a_missing_table_is_no_messages_fault_and_a_probe_leaves_nothing(
    database: Settings, make: Callable[[Settings], Any], needed: str
) -> None:
    with make(database) as handler:
        handler.probe()
        handler.probe()
        assert set(rows(database).values()) == {0}
        with psycopg.connect(database.database(), autocommit=True) as connection:
            connection.execute(f"ALTER TABLE {needed} RENAME TO mislaid")
        with pytest.raises(UnavailableError):
            handler.probe()


def test_code_that_fails_on_everyone_fails_on_the_samples(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ExplainHandler(Health("explain")).probe()

    def broken(*_: object) -> None:
        raise LookupError("a slip of ours")

    monkeypatch.setattr(Engine, "process", broken)
    monkeypatch.setattr("explain.worker.compose", broken)
    with detectors(database) as handler, pytest.raises(LookupError):
        handler.probe()
    with pytest.raises(LookupError):
        ExplainHandler(Health("explain")).probe()


def test_the_sample_makes_detection_say_something() -> None:
    events = Engine(load()).process(
        probe_messages.build_upload(datetime(2026, 11, 21, 12, tzinfo=UTC))
    )
    assert "heart_rate_high" in {event.kind for event in events}
