"""How much the whole way carries, and how long a reading takes to become an alert.

    python -m benchmarks.pipeline [--readings N] [--seconds S]

Starts a complete Vigil (``vigil up``: every process, on Apache Kafka where KAFKA_HOME is set), and
measures on the same machine, the load generator included:

1. readings a second from HTTP until all are stored and all are judged by the detectors;
2. at a steady 1,000 readings a second, the time from the moment the door accepts a reading (its
   HTTP answer has come) to the moment its alert can be read from ``vitals.alerts``. It can be
   negative by a hair where the alert overtakes the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
from kafka import TopicPartition

from store import patients
from store.database import connect
from tests.support.whole import Whole, whole
from vigil import wire
from vigil.broker import open_consumer
from vigil.clock import utc_now
from vigil.model import Alert
from vigil.settings import Settings

PEOPLE = 1000
UPLOAD = 20
CONNECTIONS = 4
encode = msgspec.json.encode


def _settings(system: Whole) -> Settings:
    found = system.environment()
    return Settings(
        demo=True,
        kafka_bootstrap=found["VIGIL_KAFKA_BOOTSTRAP"],
        database_url=found["VIGIL_DATABASE_URL"],
        public_url=found["VIGIL_PUBLIC_URL"],
    )


def _enrol(settings: Settings) -> str:
    """People and one hub that sends for all of them; its key, once the door knows it."""
    people = [patients.Patient(f"bench-{n}", "bench", synthetic=True) for n in range(PEOPLE)]
    with connect(settings) as connection:
        patients.enrol_many(connection, people)
        key = patients.add_device(connection, patients.Device("bench-hub"), replace=True)
    headers = {"Authorization": f"Bearer {key}"}
    probe = {"patient_id": f"bench-{PEOPLE - 1}", "time": "1999-01-01T00:00:00Z", "values": {}}
    while True:
        answer = httpx.post(f"{settings.public_url}/v1/readings", json=probe, headers=headers)
        if answer.status_code == 422 and "unknown_patient" not in answer.text:
            return key
        time.sleep(0.1)


def _bulk(start: datetime, readings: int) -> Iterator[bytes]:
    """Request bodies of 500 readings: 25 people's uploads of 20 readings a minute apart."""
    a_round = PEOPLE * UPLOAD
    for first in range(0, readings, 500):
        offset = first // a_round * UPLOAD
        people = [(first // UPLOAD + n) % PEOPLE for n in range(500 // UPLOAD)]
        yield encode(
            {
                "readings": [
                    {
                        "patient_id": f"bench-{person}",
                        "time": start + timedelta(minutes=offset + minute),
                        "values": {"heart_rate": 62 + (person + minute) % 9},
                        "context": {"activity": "rest"},
                    }
                    for person in people
                    for minute in range(UPLOAD)
                ]
            }
        )


async def _post_all(settings: Settings, key: str, bodies: Iterator[bytes]) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def work(client: httpx.AsyncClient) -> None:
        for body in bodies:
            answer = await client.post("/v1/readings", content=body)
            answer.raise_for_status()

    async with httpx.AsyncClient(base_url=settings.public_url, headers=headers) as client:
        await asyncio.gather(*(work(client) for _ in range(CONNECTIONS)))


def _wait(check: Any) -> float:
    while not check():
        time.sleep(0.05)
    return time.perf_counter()


def throughput(settings: Settings, key: str, readings: int) -> dict[str, float]:
    """Readings a second: accepted, stored, judged; each from the first request on."""
    start = utc_now() - timedelta(days=300)
    reader = open_consumer(settings, None)
    url = settings.database()
    begin = time.perf_counter()
    asyncio.run(_post_all(settings, key, _bulk(start, readings)))
    accepted = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:

        def stored() -> bool:
            row = connection.execute("SELECT count(*) FROM readings").fetchone()
            return bool(row and row[0] >= readings)

        def judged() -> bool:
            rows = connection.execute("SELECT partition, next_offset FROM checkpoints").fetchall()
            done: dict[int, int] = dict(rows)
            return all(done.get(p, 0) >= end for p, end in ends.items())

        after_store = _wait(stored)
        ends = {p.partition: e for p, e in reader.end_offsets(_places(reader)).items()}
        after_detect = _wait(judged)
    reader.close()
    return {
        "accepted": readings / (accepted - begin),
        "stored": readings / (after_store - begin),
        "judged": readings / (after_detect - begin),
    }


def _places(reader: Any) -> list[Any]:
    partitions = reader.partitions_for_topic("vitals.readings")
    return [TopicPartition("vitals.readings", p) for p in sorted(partitions)]


class AlertWatch(threading.Thread):
    """Notes when each patient's first alert could be read from the topic."""

    def __init__(self, settings: Settings):
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self._consumer = open_consumer(settings, None)
        self._consumer.subscribe(["vitals.alerts"])
        self._consumer.poll(timeout_ms=1000)
        self.stop = threading.Event()

    def run(self) -> None:
        """Until told to stop."""
        while not self.stop.is_set():
            for place, records in self._consumer.poll(timeout_ms=100).items():
                now = time.perf_counter()
                for record in records:
                    alert = wire.decode(place.topic, record.value, record.headers)
                    if isinstance(alert, Alert) and alert.kind == "blood_pressure_high":
                        self.seen.setdefault(alert.patient_id, now)
        self._consumer.close()


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


def latency(settings: Settings, key: str, seconds: int) -> list[float]:
    """Seconds from the door's answer to the alert on the topic, one a severe reading."""
    watch = AlertWatch(settings)
    watch.start()
    accepted = asyncio.run(_steady(settings, key, seconds))
    deadline = time.monotonic() + 30
    while accepted.keys() - watch.seen.keys() and time.monotonic() < deadline:
        time.sleep(0.1)
    watch.stop.set()
    watch.join()
    missing = accepted.keys() - watch.seen.keys()
    assert not missing, f"{len(missing)} of {len(accepted)} alerts never came"
    return sorted(watch.seen[p] - accepted[p] for p in accepted)


def main() -> None:
    """Run both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    kafka_home = os.environ.get("KAFKA_HOME")
    print("broker:", "Apache Kafka" if kafka_home else "Tansu")
    with tempfile.TemporaryDirectory() as folder, whole(Path(folder), kafka_home) as system:
        settings = _settings(system)
        key = _enrol(settings)
        for name, rate in throughput(settings, key, options.readings).items():
            print(f"{name:>9}: {rate:8.0f} readings/s")
        times = latency(settings, key, options.seconds)
        cuts = statistics.quantiles(times, n=100)
        print(
            f"accept → alert on the topic: n={len(times)}"
            f" p50={cuts[49] * 1000:.0f} ms p99={cuts[98] * 1000:.0f} ms"
            f" max={times[-1] * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main()
