"""A steady rate for minutes: does the lag of the store and the detectors grow?"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import psycopg

from benchmarks.pipeline.throughput import places, wait
from benchmarks.pipeline.ward import CONNECTIONS, UPLOAD, encode
from vigil.kafka.clients import open_admin, open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now

REQUEST = 25
"""Uploads in a request."""
GROUPS = ("vigil-store", "vigil-detectors")
SAMPLE_SECONDS = 3.0


@dataclass
class Lags:
    """Readings that a consumer group has still to commit, sampled through the run."""

    group: str
    readings: list[int] = field(default_factory=list)

    def grew(self, rate: int) -> bool:
        """Whether the last third is behind the first by more than a second's readings."""
        third = max(1, len(self.readings) // 3)
        first = statistics.mean(self.readings[:third])
        return statistics.mean(self.readings[-third:]) > first + rate


class Sampler(threading.Thread):
    """Asks the broker every few seconds how far each group is behind."""

    def __init__(self, settings: Settings):
        super().__init__(daemon=True)
        self._settings = settings
        self.lags = [Lags(group) for group in GROUPS]
        self.stop = threading.Event()

    def run(self) -> None:
        """Until told to stop."""
        reader = open_consumer(self._settings, None)
        of = places(reader)
        with open_admin(self._settings) as admin:
            while not self.stop.wait(SAMPLE_SECONDS):
                for lags in self.lags:
                    committed = admin.list_group_offsets(lags.group)[lags.group]
                    ends = reader.end_offsets(of)
                    behind = sum(ends[p] - max(0, _offset(committed.get(p))) for p in of)
                    lags.readings.append(behind * UPLOAD)
        reader.close()


def _offset(committed: object) -> int:
    return int(getattr(committed, "offset", 0))


def _bodies(people: int, start: datetime) -> Iterator[bytes]:
    """Requests of 25 people's uploads: each the last 20 seconds, a reading a second."""
    groups = [range(n, min(n + REQUEST, people)) for n in range(0, people, REQUEST)]
    for turn in itertools.count():
        for group in groups:
            yield encode(
                {
                    "readings": [
                        {
                            "patient_id": f"bench-{person}",
                            "time": start + timedelta(seconds=turn * UPLOAD + second),
                            "values": {"heart_rate": 62 + (person + second + turn) % 9},
                            "context": {"activity": "rest"},
                        }
                        for person in group
                        for second in range(UPLOAD)
                    ]
                }
            )


async def _offer(settings: Settings, key: str, rate: int, seconds: float) -> tuple[int, float]:
    """Send at the rate, or as fast as the door takes it; readings sent, and seconds taken."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    bodies = _bodies(rate, utc_now() - timedelta(seconds=UPLOAD))
    begin = time.perf_counter()
    due = itertools.count()
    each = REQUEST * UPLOAD / rate
    sent = 0

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal sent
        while (at := next(due) * each) < seconds:
            await asyncio.sleep(max(0.0, begin + at - time.perf_counter()))
            answer = await client.post("/v1/readings", content=next(bodies))
            answer.raise_for_status()
            sent += len(answer.json()["results"])

    async with httpx.AsyncClient(
        base_url=settings.public_url, headers=headers, timeout=60
    ) as client:
        await asyncio.gather(*(work(client) for _ in range(CONNECTIONS)))
    return sent, time.perf_counter() - begin


def steady(settings: Settings, key: str, rate: int, minutes: float) -> bool:
    """Run and print; True where no lag grew and the door took the rate."""
    with psycopg.connect(settings.database(), autocommit=True) as connection:

        def rows() -> int:
            row = connection.execute("SELECT count(*) FROM readings").fetchone()
            return int(row[0]) if row else 0

        before = rows()
        sampler = Sampler(settings)
        sampler.start()
        sent, seconds = asyncio.run(_offer(settings, key, rate, minutes * 60))
        sampler.stop.set()
        sampler.join()
        ended = time.perf_counter()
        stored = wait(lambda: rows() - before >= sent) - ended
    taken = sent / seconds
    print(f"offered {rate:,} readings/s: {taken:,.0f}/s taken for {seconds:.0f} s, all stored"
          f" {stored:.1f} s after the last")  # fmt: skip
    for lags in sampler.lags:
        some = lags.readings
        assert some, "no lag was sampled: the run was shorter than a sample"
        print(
            f"  {lags.group:<16} lag in readings: first {some[0]:,}, last {some[-1]:,},"
            f" largest {max(some):,}: {'it grew' if lags.grew(rate) else 'it did not grow'}"
        )
    return taken > 0.98 * rate and not any(lags.grew(rate) for lags in sampler.lags)
