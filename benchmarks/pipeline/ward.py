"""People and the hub that sends for them, and how requests get to the door."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import msgspec

from store.database.connections import connect
from store.people import patients
from tests.support.whole import Whole
from vigil.service.settings import Settings

PEOPLE = 1000
UPLOAD = 20
CONNECTIONS = 4
encode = msgspec.json.encode


def settings_of(system: Whole) -> Settings:
    """How to reach the running system."""
    found = system.environment()
    return Settings(
        demo=True,
        kafka_bootstrap=found["VIGIL_KAFKA_BOOTSTRAP"],
        database_url=found["VIGIL_DATABASE_URL"],
        public_url=found["VIGIL_PUBLIC_URL"],
    )


def enrol(settings: Settings, count: int = PEOPLE) -> str:
    """People and one hub that sends for all of them; its key, once the door knows it."""
    people = [patients.Patient(f"bench-{n}", "bench", synthetic=True) for n in range(count)]
    with connect(settings) as connection:
        patients.enrol_many(connection, people)
        key = patients.add_device(connection, patients.Device("bench-hub"), replace=True)
    headers = {"Authorization": f"Bearer {key}"}
    probe = {"patient_id": f"bench-{count - 1}", "time": "1999-01-01T00:00:00Z", "values": {}}
    while True:
        answer = httpx.post(f"{settings.public_url}/v1/readings", json=probe, headers=headers)
        if answer.status_code == 422 and "unknown_patient" not in answer.text:
            return key
        time.sleep(0.1)


def bulk(start: datetime, readings: int) -> Iterator[bytes]:
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


async def post_all(settings: Settings, key: str, bodies: Iterator[bytes]) -> None:
    """Send them all, as fast as the door takes them."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def work(client: httpx.AsyncClient) -> None:
        for body in bodies:
            answer = await client.post("/v1/readings", content=body)
            answer.raise_for_status()

    async with httpx.AsyncClient(base_url=settings.public_url, headers=headers) as client:
        await asyncio.gather(*(work(client) for _ in range(CONNECTIONS)))
