"""Parts beside the loop: one that died or hangs is no secret."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.parts import HOST, free_port
from notify.sending.sender import ChannelThreads, Sender, WakeSignal
from store.readings.retention import Retention
from tests.support.running import eventually
from vigil.composition.status_reporter import StatusReporter
from vigil.contracts.topics import DIRECTORY
from vigil.kafka import compacted_topic
from vigil.kafka.compacted_topic import CompactedTopicReader
from vigil.service.background import Pulse
from vigil.service.health import Health
from vigil.service.settings import Settings

ROOT = Path(__file__).parents[3]
PARTS = ("vigil", "ingest", "explain", "store", "notify", "dashboard", "history", "local", "cli")
SEEN_OTHERWISE = {
    "local/demo.py": "a demonstration's simulator; the command ends with it",
    "vigil/service/health.py": "answers the question itself: without it there is no answer",
    "dashboard/worker_state/monitor.py": "counts partitions; the last count stands, it is watched",
    "vigil/liveness/group_watch.py": "catches everything; what it says last stands",
    "local/supervisor.py": "passes on what supervisord says; ends with its output",
    "dashboard/auth/session_lookup.py": "one look at a session, awaited or done without",
    "explain/language_model/process.py": "ends with the child; each answer has a deadline",
}


@pytest.fixture
def health() -> Health:
    health = Health("store")
    health.trouble("start", None)
    return health


def test_a_thread_that_ended_or_hangs_is_in_trouble_and_one_that_was_asked_to_end_is_not(
    health: Health,
) -> None:
    seconds, go_on = [0.0], threading.Event()
    thread = threading.Thread(target=go_on.wait)
    pulse = Pulse("part", thread, 10, lambda: seconds[0])
    health.watch("part", pulse.look)
    assert health.ready(), "not started yet"
    thread.start()
    seconds[0] = 9
    assert health.ready()
    seconds[0] = 11
    assert "hangs" in health.snapshot().troubles["beside.part"]
    pulse.beat()
    assert health.ready()
    go_on.set()
    thread.join()
    assert "has ended" in health.snapshot().troubles["beside.part"]
    pulse.done()
    assert health.ready()


def test_since_when_is_kept_until_it_is_over() -> None:
    moments = iter([datetime(2026, 11, 21, 12, n, tzinfo=UTC) for n in range(9)])
    thread = threading.Thread(target=lambda: None)
    health = Health("store", lambda: next(moments))
    health.trouble("start", None)
    health.watch("part", Pulse("part", thread, 10).look)
    thread.start()
    thread.join()
    first, again = health.snapshot().since, health.snapshot().since
    assert first == again == {"beside.part": datetime(2026, 11, 21, 12, 1, tzinfo=UTC)}


@pytest.fixture
def unreachable() -> Settings:
    return Settings(kafka_bootstrap=f"{HOST}:{free_port()}", demo=True, log_level="ERROR")


def test_a_topic_that_cannot_be_followed_is_said(
    unreachable: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacted_topic, "UNREAD_SECONDS", 0.1)
    monkeypatch.setattr(compacted_topic, "CONNECT_TIMEOUT_SECONDS", 0.1)
    reader = CompactedTopicReader(unreachable, DIRECTORY, lambda: None, name="directory")  # type: ignore[arg-type, return-value]
    assert reader.trouble() is None
    reader.start()
    try:
        reported = eventually(reader.trouble)
        assert reported is not None
        assert reported.startswith("vitals.directory cannot be read: UnavailableError")
    finally:
        monkeypatch.undo()
        reader.stop()


def test_retention_that_died_is_seen(
    health: Health, unreachable: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retention, "_run", lambda _self: None)
    retention = Retention(unreachable, health)
    retention.start()
    eventually(lambda: "beside.retention" in health.snapshot().troubles)
    retention.stop()
    assert health.ready()


def test_a_reporter_outlives_what_it_meets(
    health: Health, unreachable: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def broken(*_: Any) -> Any:
        tried.append(1)
        raise LookupError

    monkeypatch.setattr("vigil.composition.status_reporter.Publisher", broken)
    reporter = StatusReporter(unreachable, health, every_seconds=0.01)
    reporter.start()
    eventually(lambda: len(tried) > 3)
    reporter.close()


class Channel:
    """One that never comes back, until it is let."""

    name = "on_call"
    threads = 1

    def __init__(self) -> None:
        self.let = threading.Event()

    def send(self, _delivery: Any) -> Any:
        self.let.wait()
        raise SystemExit


class Delivery:
    """The part of a delivery that is asked for."""

    delivery_id = "d1"


@pytest.fixture
def channel() -> Iterator[Channel]:
    made = Channel()
    yield made
    made.let.set()


def test_a_channel_that_does_not_come_back_is_seen(
    health: Health, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notify.sending.sender.HANGS_SECONDS", 0.1)
    sender = Sender(
        None,  # type: ignore[arg-type]
        [channel],  # type: ignore[list-item]
        wake_signal=WakeSignal(),
        clock=lambda: datetime.now(UTC),
        health=health,
    )
    health.watch("channels", sender.look)
    threads: ChannelThreads = sender._channels[0]
    assert threads.acquire()
    threads.submit(sender, Delivery())  # type: ignore[arg-type]
    eventually(lambda: "channel.on_call" in health.snapshot().troubles)
    channel.let.set()
    eventually(health.ready)


def test_every_thread_and_task_of_the_code_is_watched() -> None:
    """Whoever starts another one watches it, or says here where it is seen."""
    lacking = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            name, text = str(path.relative_to(ROOT)), path.read_text()
            starts = "threading.Thread(" in text or "asyncio.create_task(" in text
            watched = "Pulse(" in text or ".done()" in text or "except Exception" in text
            if starts and not watched and name not in SEEN_OTHERWISE:
                lacking.append(name)
    assert lacking == []
