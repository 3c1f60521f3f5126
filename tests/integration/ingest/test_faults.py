"""The gateway while the broker dies, is away, and comes back."""

from __future__ import annotations

import threading

import httpx
import pytest

from ingest.service import build
from tests.integration.ingest.conftest import Broker, Door, opened, uploads
from tests.support.running import eventually, serving

pytestmark = [pytest.mark.kafka, pytest.mark.faults]


def batch(number: int) -> dict[str, object]:
    """Some readings with ids of their own."""
    return {
        "readings": [
            {"patient_id": f"p{1 + n % 2}", "time": "2026-11-20T06:02:00Z",
             "values": {"heart_rate": 70 + n}, "reading_id": f"{number}-{n}"}
            for n in range(20)
        ]
    }  # fmt: skip


def test_nothing_is_lost_when_the_broker_dies_under_requests(
    fragile: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.start()
    with opened(fragile.settings) as door:
        statuses: dict[int, int] = {}
        killed = threading.Event()

        def send() -> None:
            for number in range(10_000):
                statuses[number] = door.post(batch(number)).status_code
                if killed.is_set() and statuses[number] != 200:
                    return

        sender = threading.Thread(target=send)
        sender.start()
        eventually(lambda: len(statuses) > 20)
        fragile.kill()
        killed.set()
        sender.join(60)
        assert set(statuses.values()) == {200, 503}
        with monkeypatch.context() as patched:
            patched.setattr(
                "vigil.kafka.async_publisher.ACK_SECONDS", 3600.0
            )  # who waits for one is late
            _stays_awake_and_reports_it(door)
        fragile.start()
        eventually(lambda: door.client.get("/health/ready").status_code == 200)
        for number, status in statuses.items():
            if status != 200:
                eventually(lambda n=number: door.post(batch(n)).status_code == 200)  # type: ignore[misc]
        found = {m.reading_id for u in uploads(fragile.settings) for m in u.measurements}
        durable = fragile.part.keeps_data
        for number, status in statuses.items():
            if durable or status != 200:
                assert {f"{number}-{n}" for n in range(20)} <= found


def _stays_awake_and_reports_it(door: Door) -> None:
    refused = door.post(batch(99_999))
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"]["code"] == "unavailable.broker"
    assert str(door.settings.kafka_bootstrap) not in refused.text
    assert door.client.get("/v1/signals").status_code == 200
    ready = door.client.get("/health/ready")
    assert ready.status_code == 503
    assert "broker" in ready.json()["trouble"]


@pytest.mark.parametrize("fragile", ["tansu"], indirect=True)
def test_the_door_opens_when_the_broker_comes(fragile: Broker) -> None:
    settings = fragile.settings
    with serving([build(settings)], settings) as url, httpx.Client(base_url=url) as client:
        door = Door(url, settings, client)
        assert set(client.get("/health/ready").json()["trouble"]) == {"broker", "directory"}
        response = door.post(batch(0))
        assert (response.status_code, response.json()["error"]["code"]) == (
            503, "unavailable.broker",
        )  # fmt: skip
        assert client.post("/v1/readings").status_code == 401  # no key is no key
        fragile.start()
        eventually(lambda: client.get("/health/ready").status_code == 200)
        assert door.post(batch(0)).status_code == 200
