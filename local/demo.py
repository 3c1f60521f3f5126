"""What the demonstration adds to a running Vigil: simulated people, a user, and their readings.

The people's last two days are published as they would have come, and the last two weeks of whom
something happens to over days; the last two hours are played faster than time, so that a visitor
sees alerts open; from then on they live in real time and send through the door, as devices do.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import httpx

from dashboard.auth.passwords import hash_password
from history.publishing import Feed
from ingest import simulator
from local import command_line
from local.demo_remains import HUB, PASSWORD, USER, refuse_real
from store.database.connections import connect
from store.people import patients, users
from vigil.domain.encoding import encode
from vigil.domain.reading import Upload
from vigil.kafka.clients import Publisher
from vigil.service import logs
from vigil.service.settings import Settings
from vigil.values.clock import Clock, utc_now

log = logs.get("demo")

HISTORY = timedelta(days=2)
LONG_HISTORY = timedelta(days=14)
"""Of a person to whom something happens over days: it is judged against earlier nights."""
PLAYED = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is simulated, and how fast the last two hours go by."""

    patients: int
    seed: int
    speed: float


class Demo:
    """Enrols the simulated patients and feeds their readings, on a thread of its own."""

    def __init__(self, plan: Plan, clock: Clock = utc_now, *, own_database: bool = True):
        self._plan = plan
        self._own_database = own_database
        self._clock = clock
        self._now = clock()
        self._key = ""
        self._people: Sequence[Any] = ()

    def prepare(self, settings: Settings) -> None:
        """Schema, topics, people, their hub and the demonstration's user. Safe to repeat."""

        if not self._own_database:  # its own stands in a folder that is marked
            refuse_real(settings)
        command_line.prepare(settings)
        self._enrol(settings)

    def _enrol(self, settings: Settings) -> None:

        self._people = simulator.patients(self._plan.patients, self._plan.seed, self._now)
        entries = [
            patients.Patient(p.patient_id, p.ward, p.display_name, p.locale, synthetic=True)
            for p in self._people
        ]
        with connect(settings) as connection:
            patients.enrol_many(connection, entries)
            hub = patients.Device(HUB, label="Simulated devices")
            self._key = patients.add_device(connection, hub, replace=True)
            users.add(connection, USER, hash_password(PASSWORD), "admin", "Demo nurse")

    def start(self, settings: Settings, stop: threading.Event) -> None:
        """Begin to feed."""
        threading.Thread(
            target=self._feed, args=(settings, stop), name="demo-feed", daemon=True
        ).start()

    def _feed(self, settings: Settings, stop: threading.Event) -> None:
        played_from = self._now - PLAYED
        publisher = Publisher(settings, "simulator")
        feed = Feed(publisher, insist=stop)
        try:
            feed.take(self._history(played_from))
            moment = self._play(feed, played_from, stop)
        finally:
            publisher.close()
        self._live(settings, moment, stop)

    def _history(self, end: datetime) -> Iterator[Upload]:
        streams = []
        for person in self._people:
            episode = person.episode()
            long = episode is not None and episode.scenario.length > HISTORY
            begin = self._now - (LONG_HISTORY if long else HISTORY)
            streams.append(person.uploads(begin, end))
        return heapq.merge(*streams, key=attrgetter("received_at"))

    def _between(self, start: datetime, end: datetime) -> Iterator[Upload]:
        streams = (person.uploads(start, end) for person in self._people)
        return heapq.merge(*streams, key=attrgetter("received_at"))

    def _play(self, feed: Feed, start: datetime, stop: threading.Event) -> datetime:
        """The last hours at ``speed`` times real time, until they have caught up with now."""
        at = start
        while at < self._clock() and not stop.wait(0.5):
            until = min(at + timedelta(seconds=0.5 * self._plan.speed), self._clock())
            feed.take(self._between(at, until))
            at = until
        return at

    def _live(self, settings: Settings, start: datetime, stop: threading.Event) -> None:
        """Real time, through the door."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        with httpx.Client(base_url=settings.public_url, headers=headers, timeout=10) as door:
            at = start
            while not stop.wait(5):
                until = self._clock()
                readings = [
                    reading for upload in self._between(at, until) for reading in _as_posted(upload)
                ]
                try:
                    for first in range(0, len(readings), 1000):
                        body = encode({"readings": readings[first : first + 1000]})
                        door.post("/v1/readings", content=body).raise_for_status()
                except httpx.HTTPError as error:  # the same span again: ids make it harmless
                    log.warning("the door did not take the readings", error=type(error).__name__)
                    continue
                at = until


def _as_posted(upload: Upload) -> Iterator[dict[str, Any]]:
    """An upload's measurements as a device posts them."""
    for item in upload.measurements:
        yield {
            "patient_id": upload.patient_id,
            "reading_id": item.reading_id,
            "time": item.time,
            "values": item.values,
            "context": item.context,
        }
