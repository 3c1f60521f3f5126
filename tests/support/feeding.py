"""Readings for fault tests: restless people, and a feeder that sends until the broker has all."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Sequence
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
NEWEST = datetime.now(UTC).replace(second=0, microsecond=0)
"""About when the newest readings were measured: what is older than some hours pages nobody."""
BATCH = 20
"""Uploads sent at once, at most: small, so that a fault falls between two of one patient."""


def restless(patient_id: str, seed: int, hours: int) -> Iterator[Upload]:
    """A person whose heart rate climbs out of bounds and comes back, again and again.

    Many episodes in few readings: each is opened, sometimes raised, and closed. The rate goes up
    and down in steps that a heart can make, so that no reading waits for a second one to confirm
    it, and the events do not depend on where the log's ticks fall.
    """
    draw = random.Random(f"{patient_id}/{seed}")  # noqa: S311
    rate, target, minute = 70.0, 70.0, -hours * 60
    while minute < 0:
        target = draw.choice((125.0, 140.0, 155.0)) if target < 100 else draw.uniform(60, 80)
        for _ in range(draw.randint(25, 45)):
            rate += max(-6.0, min(6.0, target - rate)) + draw.uniform(-2, 2)
            if minute < 0:
                yield _upload(patient_id, minute, round(rate))
            minute += 1


def people(count: int, seed: int, hours: int) -> list[Upload]:
    """So many people's uploads in the order of receipt; other seeds are other people."""
    streams = (restless(f"f{seed}-{number:02}", seed, hours) for number in range(count))
    return list(merge(*streams, key=attrgetter("received_at", "patient_id")))


def _upload(patient_id: str, minute: int, rate: float) -> Upload:
    moment = NEWEST + timedelta(minutes=minute)
    device_id = f"{patient_id}-band"
    reading_id = ids.reading_id(patient_id, device_id, moment, f"heart_rate={rate}")
    reading = Measurement(reading_id, moment, {"heart_rate": float(rate)})
    return Upload(patient_id, device_id, moment + timedelta(seconds=3), (reading,))


def batches(uploads: Iterable[Upload]) -> Iterator[list[Upload]]:
    """The uploads in order, so many at once that none holds two of one patient.

    The client may send two messages of one partition in two requests, of which the first alone
    fails. Sent again it would lie behind the second: a reading out of order, which detection judges
    as late data. A device sends its next reading when the broker has the one before.
    """
    batch: list[Upload] = []
    for upload in uploads:
        if len(batch) == BATCH or any(one.patient_id == upload.patient_id for one in batch):
            yield batch
            batch = []
        batch.append(upload)
    if batch:
        yield batch


class Feeder:
    """Sends uploads in order on a thread of its own, spread over a time, whatever happens.

    What the broker has not acknowledged is sent again, the whole batch: a device does so too.
    """

    def __init__(self, settings: Settings, uploads: Sequence[Upload], seconds: float):
        self._settings = settings
        self._uploads = uploads
        self._pause = seconds / max(1, len(uploads))
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
        for uploads in batches(self._uploads):
            batch = [wire.to_message(upload, "test") for upload in uploads]
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
            sleep(self._pause * len(uploads))
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
