"""As fast as the door takes it: accepted, stored, judged."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import psycopg
from kafka import TopicPartition

from benchmarks.pipeline.ward import bulk, post_all
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now


def throughput(settings: Settings, key: str, readings: int) -> dict[str, float]:
    """Readings a second: accepted, stored, judged; each from the first request on."""
    start = utc_now() - timedelta(days=300)
    reader = open_consumer(settings, None)
    url = settings.database()
    begin = time.perf_counter()
    asyncio.run(post_all(settings, key, bulk(start, readings)))
    accepted = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:

        def stored() -> bool:
            row = connection.execute("SELECT count(*) FROM readings").fetchone()
            return bool(row and row[0] >= readings)

        def judged() -> bool:
            rows = connection.execute("SELECT partition, next_offset FROM checkpoints").fetchall()
            done: dict[int, int] = dict(rows)
            return all(done.get(p, 0) >= end for p, end in ends.items())

        after_store = wait(stored)
        ends = {p.partition: e for p, e in reader.end_offsets(places(reader)).items()}
        after_detect = wait(judged)
    reader.close()
    return {
        "accepted": readings / (accepted - begin),
        "stored": readings / (after_store - begin),
        "judged": readings / (after_detect - begin),
    }


def wait(check: Any) -> float:
    """Ask until it is so; when that was."""
    while not check():
        time.sleep(0.05)
    return time.perf_counter()


def places(reader: Any) -> list[Any]:
    """The partitions of the readings' topic."""
    partitions = reader.partitions_for_topic("vitals.readings")
    return [TopicPartition("vitals.readings", p) for p in sorted(partitions)]
