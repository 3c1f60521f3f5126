"""At a steady 1,000 readings a second: from the door's answer to the event, and to its alert."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterable

import httpx

from benchmarks.pipeline.ward import PEOPLE, UPLOAD, encode
from vigil.contracts import wire
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now

TOPICS = {"event": "vitals.events", "alert": "vitals.alerts"}


class Watch(threading.Thread):
    """Notes when each patient's first event, and first alert, could be read from its topic."""

    def __init__(self, settings: Settings):
        super().__init__(daemon=True)
        self.seen: dict[str, dict[str, float]] = {what: {} for what in TOPICS}
        self._what = {topic: what for what, topic in TOPICS.items()}
        self._consumer = open_consumer(settings, None)
        self._consumer.subscribe(list(TOPICS.values()))
        self._consumer.poll(timeout_ms=1000)
        self.stop = threading.Event()

    def run(self) -> None:
        """Until told to stop."""
        while not self.stop.is_set():
            for place, records in self._consumer.poll(timeout_ms=100).items():
                now = time.perf_counter()
                for record in records:
                    found = wire.decode(place.topic, record.value, record.headers)
                    if isinstance(found, Alert | Event) and found.kind == "blood_pressure_high":
                        self.seen[self._what[place.topic]].setdefault(found.patient_id, now)
        self._consumer.close()

    def missing(self, patients: Iterable[str]) -> set[str]:
        """Of whom not both were seen yet."""
        return {p for p in patients for seen in self.seen.values() if p not in seen}


async def _steady(settings: Settings, key: str, seconds: int) -> dict[str, float]:
    """1,000 readings a second as 50 uploads of 20; one person a request has a severe pressure."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    accepted: dict[str, float] = {}
    people = itertools.cycle(range(PEOPLE))
    ill = iter(range(PEOPLE))

    async def post(client: httpx.AsyncClient, sick: str | None) -> None:
        now = utc_now()
        readings = [
            {"patient_id": f"bench-{next(people)}", "time": now, "values": {"heart_rate": 70}}
            for _ in range(UPLOAD - bool(sick))
        ]
        if sick:
            pressure = {"systolic": 190, "diastolic": 95}
            readings.append({"patient_id": sick, "time": now, "values": pressure})
        answer = await client.post("/v1/readings", content=encode({"readings": readings}))
        answer.raise_for_status()
        if sick:
            accepted[sick] = time.perf_counter()

    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    async with httpx.AsyncClient(
        base_url=settings.public_url, headers=headers, limits=limits, timeout=30
    ) as client:
        begin = time.perf_counter()
        tasks = []
        for tick in range(seconds * 50):
            await asyncio.sleep(max(0.0, begin + tick / 50 - time.perf_counter()))
            sick = f"bench-{next(ill)}" if tick % 5 == 0 and tick // 5 < PEOPLE else None
            tasks.append(asyncio.create_task(post(client, sick)))
        await asyncio.gather(*tasks)
        elapsed = time.perf_counter() - begin
    print(f"offered {seconds * 50 * UPLOAD / elapsed:.0f} readings/s for {elapsed:.0f} s")
    return accepted


def latency(settings: Settings, key: str, seconds: int) -> dict[str, list[float]]:
    """Seconds from the door's answer to the event and to the alert, one a severe reading."""
    watch = Watch(settings)
    watch.start()
    accepted = asyncio.run(_steady(settings, key, seconds))
    deadline = time.monotonic() + 30
    while watch.missing(accepted) and time.monotonic() < deadline:
        time.sleep(0.1)
    watch.stop.set()
    watch.join()
    missing = watch.missing(accepted)
    assert not missing, f"{len(missing)} of {len(accepted)} events or alerts never came"
    return {
        what: sorted(seen[patient] - accepted[patient] for patient in accepted)
        for what, seen in watch.seen.items()
    }
