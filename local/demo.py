"""What the demonstration adds to a running Vigil: simulated people, a user, and their readings.

The people's last two days are published with the times at which they would have been received (the
last two weeks for scenarios that last days); the last two hours are played faster than real time,
so that a visitor sees alerts open; after that readings are sent to the gateway in real time, as
devices send them.
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
from local.demo_remains import HUB, PASSWORD, USER, refuse_real_data
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
"""Of a person whose scenario lasts days: it is compared with earlier nights."""
PLAYED = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is simulated, and how fast the last two hours are played."""

    patients: int
    seed: int
    speed: float
    """How many times faster than real time."""


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
        """Prepare schema, topics, people, their hub and the demonstration's user; repeatable.

        Raises:
            SettingsError: the database has real patients or other users.
        """
        if not self._own_database:  # its own one is in a marked folder
            refuse_real_data(settings)
        command_line.prepare_database_and_topics(settings)
        self._enrol(settings)

    def _enrol(self, settings: Settings) -> None:
        self._people = simulator.patients(self._plan.patients, self._plan.seed, self._now)
        entries = [
            patients.Patient(
                patient_id=p.patient_id,
                ward=p.ward,
                display_name=p.display_name,
                locale=p.locale,
                synthetic=True,
            )
            for p in self._people
        ]
        with connect(settings) as connection:
            patients.enrol_many(connection, entries)
            hub = patients.Device(HUB, label="Simulated devices")
            self._key = patients.add_device(connection, hub, replace=True)
            users.add(
                connection,
                user_id=USER,
                password_hash=hash_password(PASSWORD),
                role="admin",
                display_name="Demo nurse",
            )

    def start(self, settings: Settings, stop: threading.Event) -> None:
        """Start sending readings, until ``stop`` is set."""
        threading.Thread(
            target=self._feed, args=(settings, stop), name="demo-feed", daemon=True
        ).start()

    def _feed(self, settings: Settings, stop: threading.Event) -> None:
        played_from = self._now - PLAYED
        publisher = Publisher(settings, "simulator")
        feed = Feed(publisher, retry_until=stop)
        try:
            feed.publish(self._history(played_from))
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
        """Publish the last hours at ``speed`` times real time, until they reach the present."""
        at = start
        while at < self._clock() and not stop.wait(0.5):
            until = min(at + timedelta(seconds=0.5 * self._plan.speed), self._clock())
            feed.publish(self._between(at, until))
            at = until
        return at

    def _live(self, settings: Settings, start: datetime, stop: threading.Event) -> None:
        """Send readings to the gateway in real time."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        with httpx.Client(base_url=settings.public_url, headers=headers, timeout=10) as gateway:
            at = start
            while not stop.wait(5):
                until = self._clock()
                readings = [
                    reading for upload in self._between(at, until) for reading in _as_posted(upload)
                ]
                try:
                    for first in range(0, len(readings), 1000):
                        body = encode({"readings": readings[first : first + 1000]})
                        gateway.post("/v1/readings", content=body).raise_for_status()
                except httpx.HTTPError as error:  # send the same span again: ids make it harmless
                    log.warning("the gateway refused the readings", error=type(error).__name__)
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
