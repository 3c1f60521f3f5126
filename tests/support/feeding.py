"""Readings for fault tests: restless people, and a feeder that sends until the broker has all."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import attrgetter
from time import sleep

import httpx

from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.reading import Measurement, Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 20
"""Uploads sent at once: small, so that a fault falls between two of one patient."""


def restless(patient_id: str, seed: int, hours: int) -> Iterator[Upload]:
    """A person whose heart rate climbs out of bounds and comes back, again and again.

    Many episodes in few readings: each is opened, sometimes raised, and closed. The rate goes up
    and down in steps that a heart can make, so that no reading waits for a second one to confirm
    it, and the events do not depend on where the log's ticks fall.
    """
    draw = random.Random(f"{patient_id}/{seed}")  # noqa: S311
    rate, target, minute = 70.0, 70.0, 0
    while minute < hours * 60:
        target = draw.choice((125.0, 140.0, 155.0)) if target < 100 else draw.uniform(60, 80)
        for _ in range(draw.randint(25, 45)):
            rate += max(-6.0, min(6.0, target - rate)) + draw.uniform(-2, 2)
            yield _upload(patient_id, minute, round(rate))
            minute += 1


def people(count: int, seed: int, hours: int) -> list[Upload]:
    """So many people's uploads in the order of receipt; other seeds are other people."""
    streams = (restless(f"f{seed}-{number:02}", seed, hours) for number in range(count))
    return list(merge(*streams, key=attrgetter("received_at", "patient_id")))


def _upload(patient_id: str, minute: int, rate: float) -> Upload:
    moment = START + timedelta(minutes=minute)
    device_id = f"{patient_id}-band"
    reading_id = ids.reading_id(patient_id, device_id, moment, f"heart_rate={rate}")
    reading = Measurement(reading_id, moment, {"heart_rate": float(rate)})
    return Upload(patient_id, device_id, moment + timedelta(seconds=3), (reading,))


class Feeder:
    """Sends uploads in order on a thread of its own, spread over a time, whatever happens.

    What the broker has not acknowledged is sent again, the whole batch: a device does so too.
    """

    def __init__(self, settings: Settings, uploads: Sequence[Upload], seconds: float):
        self._settings = settings
        self._uploads = uploads
        self._pause = seconds * BATCH / max(1, len(uploads))
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self.repeats = 0
        """Batches that were sent more than once."""

    def start(self) -> Feeder:
        """Begin to send."""
        self._thread.start()
        return self

    def join(self, seconds: float) -> None:
        """Return once everything is on the topic."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the feeder could not send everything"

    def _run(self) -> None:
        publisher: Publisher | None = None
        for first in range(0, len(self._uploads), BATCH):
            batch = [wire.to_message(u, "test") for u in self._uploads[first : first + BATCH]]
            while True:
                try:
                    publisher = publisher or Publisher(
                        self._settings, "feeder", connect_timeout_seconds=1
                    )
                    publisher.publish(batch, timeout_seconds=10)
                    break
                except UnavailableError:
                    self.repeats += 1
                    sleep(0.2)
            sleep(self._pause)
        if publisher is not None:
            publisher.close()


class DoorFeeder:
    """Posts one person's readings through the door, each until it is taken.

    Args:
        url: the web process.
        key: a device's key.
    """

    def __init__(self, url: str, key: str, patient_id: str, count: int, seconds: float):
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._patient_id = patient_id
        self._count = count
        self._pause = seconds / count
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)
        self._began = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=count)
        self.accepted: dict[tuple[str, datetime, str], dict[str, float]] = {}
        self.refusals = 0
        """Requests that were not answered, or with "send again"."""

    def start(self) -> DoorFeeder:
        """Begin to post."""
        self._thread.start()
        return self

    def join(self, seconds: float) -> None:
        """Return once every reading was taken."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the door did not take everything"

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=10) as door:
            for number in range(self._count):
                time = self._began + timedelta(seconds=number)
                values = {"heart_rate": 66.0 + number % 7}
                reading_id = f"{self._patient_id}-{number}"
                self._post(door, time, values, reading_id)
                self.accepted[self._patient_id, time, reading_id] = values
                sleep(self._pause)

    def _post(
        self, door: httpx.Client, time: datetime, values: dict[str, float], reading_id: str
    ) -> None:
        reading = {"patient_id": self._patient_id, "time": time.isoformat(), "values": values,
                   "reading_id": reading_id}  # fmt: skip
        while True:
            try:
                answer = door.post("/v1/readings", json=reading)
                if answer.status_code == 200:
                    return
            except httpx.TransportError:
                pass
            self.refusals += 1
            sleep(0.1)
