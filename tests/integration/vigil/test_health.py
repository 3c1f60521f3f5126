"""How a process is doing, as it answers over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from local.parts import HOST, free_port
from tests.support.running import eventually
from vigil.service import health as health_module
from vigil.service.errors import SettingsError
from vigil.service.health import Health, serve

ROOT = Path(__file__).parents[3]


@pytest.fixture
def served() -> Iterator[tuple[Health, httpx.Client]]:
    """A process's health, and a client that asks for it."""
    health = Health("store")
    server = serve(health, HOST, 0)
    with httpx.Client(base_url=f"http://{HOST}:{server.server_address[1]}") as client:
        yield health, client
    server.shutdown()
    server.server_close()


def test_ready_once_nothing_is_in_trouble(served: tuple[Health, httpx.Client]) -> None:
    health, client = served
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["trouble"]) == (503, {"start": "starting"})
    health.trouble("start", None)
    assert client.get("/health/ready").status_code == 200
    health.trouble("unavailable.database", "The database does not answer.")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["trouble"] == {"unavailable.database": "The database does not answer."}


def test_a_loop_that_stands_still_is_not_live(
    served: tuple[Health, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    health, client = served
    monkeypatch.setattr(health_module, "STALLED_SECONDS", 0.05)
    assert client.get("/health/live").status_code == 200  # has no loop yet
    health.beat()
    eventually(lambda: client.get("/health/live").status_code == 503)
    monkeypatch.setattr(health_module, "STALLED_SECONDS", 600)
    health.beat()
    assert client.get("/health/live").json() == {"service": "store", "status": "live"}


def read_metrics(client: httpx.Client) -> dict[str, float]:
    """Metric → value, as Prometheus reads the answer."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels == {"service": "store"} for sample in samples)
    return {sample.name: sample.value for sample in samples}


def test_metrics_are_exact_and_in_the_prometheus_format(
    served: tuple[Health, httpx.Client],
) -> None:
    health, client = served
    health.count("readings_stored", 12_345_678)
    health.count("readings_stored")
    health.gauge("lag_messages", 3)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE vigil_readings_stored_total counter" in answer.text.splitlines()
    found = read_metrics(client)
    assert found["vigil_readings_stored_total"] == 12_345_679
    assert (found["vigil_lag_messages"], found["vigil_ready"]) == (3, 0)
    assert client.get("/elsewhere").status_code == 404


def test_a_counter_is_there_from_the_start_and_a_status_has_those_that_counted(
    served: tuple[Health, httpx.Client],
) -> None:
    health, client = served
    found = read_metrics(client)
    assert found["vigil_dead_letters_total"] == found["vigil_readings_stored_total"] == 0
    assert "vigil_alerts_total" not in found, "another service's"
    assert "vigil_lag_messages" not in found, "not known yet"
    assert (health.snapshot().counters, health.snapshot().gauges) == ({}, {})
    health.count("dead_letters")
    assert health.snapshot().counters == {"dead_letters": 1}


def test_many_threads_may_write(served: tuple[Health, httpx.Client]) -> None:
    health, client = served

    def work() -> None:
        for number in range(500):
            health.count("messages")
            health.trouble(f"part{number % 7}", None if number % 2 else "unavailable")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert client.get("/metrics").status_code == 200
    assert read_metrics(client)["vigil_messages_total"] == 2000


def test_a_port_that_is_taken_is_a_setting_to_mend() -> None:
    with socket.create_server((HOST, 0)) as taken, pytest.raises(SettingsError) as caught:
        serve(Health("store"), HOST, taken.getsockname()[1])
    assert caught.value.field == "VIGIL_HEALTH_PORT"


SERVICE = """
import threading
from vigil.service.health import Health
from vigil.composition.stage import run_worker
from vigil.service.settings import Settings

class Waits:
    name = "waits"
    def run(self, stop, health):
        health.trouble("start", None)
        while not stop.wait(0.05):
            health.beat()

run_worker(Waits(), Settings(demo=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_process_answers_and_ends_when_asked_to(number: signal.Signals) -> None:
    port = free_port()
    environment = {**os.environ, "VIGIL_HEALTH_PORT": str(port), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:

        def ready() -> bool:
            try:
                return httpx.get(f"http://{HOST}:{port}/health/ready").status_code == 200
            except httpx.TransportError:
                return False

        try:
            eventually(ready)
        finally:
            process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert [word for word in ("started", "stopping", "stopped") if word in errors] == [
        "started",
        "stopping",
        "stopped",
    ]
