"""What a run without faults gives, what a run with faults gave, and where the two differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from kafka import TopicPartition
from psycopg import sql
from psycopg.rows import dict_row

from detectors.configuration import loading as config
from detectors.engine import missing_data
from detectors.engine.engine import Engine
from explain.phrasebook.book import Phrasebook
from explain.templates.compose import compose
from history import offline_replay
from notify.planning import policy
from store.notifications.notified_episodes import UNKNOWN, PagedEpisode
from store.readings import keys as reading_keys
from store.service import Store
from tests.support.running import eventually
from tests.support.topic_log import TopicLog
from vigil.contracts import topics, wire
from vigil.contracts.clock_check import ClockCheck
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.reading import Tick, Upload
from vigil.domain.signals import NAMES
from vigil.kafka.clients import open_admin
from vigil.service.errors import WireError
from vigil.service.settings import Settings
from vigil.values.clock import from_millis

Moment = tuple[str, datetime, str]
"""A reading's patient, time and id: what it is known by."""
Step = tuple[str, int]
"""An event's or alert's id, and its sequence or revision."""

READERS: Mapping[str, tuple[str, ...]] = {
    "detectors": (topics.READINGS.name,),
    "store": Store.topics,
    "explain": (topics.EVENTS.name,),
    "notify": (topics.ALERTS.name, topics.ACTIONS.name),
}
"""Service → the topics that it reads as a group."""
READ_TOPICS = tuple(sorted({name for names in READERS.values() for name in names}))
"""Every topic that anybody reads as a group."""


def named(patients: Iterable[str], logs: Iterable[Path]) -> dict[str, list[str]]:
    """Log → the patients that it names."""
    wanted = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, patients)) + r")(?![\w])")
    found = {}
    for log in logs:
        if log.exists() and (names := set(wanted.findall(log.read_text(errors="replace")))):
            found[log.name] = sorted(names)[:5]
    return found


class Outcome(NamedTuple):
    """What became of readings: each thing that must be there once, with its content."""

    readings: dict[Moment, dict[str, float]]
    """Also each one's values."""
    events: dict[Step, Event]
    alerts: dict[Step, Alert]

    def counts(self) -> list[int]:
        """How many there are of each."""
        return [len(part) for part in self]


def without_faults(uploads: Iterable[Upload], settings: Settings) -> Outcome:
    """What ``vigil replay --offline`` makes of the same uploads."""
    uploads = list(uploads)
    events = offline_replay.detect(uploads, config.load(settings.detection_config))
    return _outcome(readings_of(uploads), events, settings)


def readings_of(uploads: Iterable[Upload]) -> dict[Moment, dict[str, float]]:
    """The readings in uploads; one that comes twice is one."""
    return {
        (r.patient_id, r.time, r.reading_id): dict(r.values)
        for upload in uploads
        for r in upload.readings()
    }


def of_log(log: TopicLog, settings: Settings, people: Container[str] | None = None) -> Outcome:
    """What follows from the log of readings as it stands: its repetitions, its ticks and all.

    One engine a partition, in this process, in order of offset and never interrupted. What cannot
    be read is left out, as the workers do.

    Args:
        people: whose uploads are handled; None: everybody's.
    """
    engines: dict[int, Engine] = {}
    uploads: list[Upload] = []
    events: list[Event] = []
    clocks = ClockCheck()
    detection = config.load(settings.detection_config)
    for placed, decoded in log.messages(topics.READINGS.name):
        message = clocks.correct_time(decoded, placed.record)
        engine = engines.setdefault(placed.partition, Engine(detection))
        if isinstance(message, Tick):
            events += engine.tick(message.time)
        elif isinstance(message, Upload) and (people is None or message.patient_id in people):
            uploads.append(message)
            events += engine.process(message)
    return _outcome(readings_of(uploads), events, settings)


def _outcome(
    readings: dict[Moment, dict[str, float]], events: Iterable[Event], settings: Settings
) -> Outcome:
    phrases: Phrasebook = offline_replay.shipped_phrasebook(settings)
    announced = {(event.episode_id, event.sequence): event for event in events}
    alerts = [compose(event, phrases) for event in announced.values()]
    return Outcome(readings, announced, {(a.alert_id, a.revision): a for a in alerts})


def with_silence(offline_outcome: Outcome, log: Outcome) -> Outcome:
    """An offline outcome, and what the log's clock alone causes: who sends no more is missed."""
    events = {key: event for key, event in log.events.items() if event.kind == missing_data.KIND}
    ids = {episode_id for episode_id, _ in events}
    alerts = {key: alert for key, alert in log.alerts.items() if alert.episode_id in ids}
    return Outcome(
        offline_outcome.readings, offline_outcome.events | events, offline_outcome.alerts | alerts
    )


def stored(url: str) -> Outcome:
    """What the database holds. A key that is there twice fails."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return Outcome(
            _once(_reading(row) for row in connection.execute("SELECT * FROM readings")),
            _once(
                ((row["event_id"], row["sequence"]), msgspec.convert(row, Event))
                for row in connection.execute("SELECT * FROM events")
            ),
            _once(
                ((row["alert_id"], row["revision"]), msgspec.convert(row, Alert))
                for row in connection.execute("SELECT * FROM alerts")
            ),
        )


def wait_until_stored(
    url: str, wanted: Sequence[int], seconds: float, people: Collection[str] | None = None
) -> None:
    """Return once the database holds so many readings, events and alerts, or more.

    Args:
        people: whose are counted; None: everybody's.
    """
    query = sql.SQL(
        "SELECT count(*) FROM {} WHERE %(people)s::text[] IS NULL OR patient_id = ANY(%(people)s)"
    )
    tables = [query.format(sql.Identifier(name)) for name in ("readings", "events", "alerts")]
    given = {"people": None if people is None else sorted(people)}
    with psycopg.connect(url, autocommit=True) as connection:

        def all_there() -> bool:
            have = [row[0] for table in tables for row in connection.execute(table, given)]
            behind = any(h < w for h, w in zip(have, wanted, strict=True))
            assert not behind, f"readings, events, alerts: {have} of {wanted}"
            return True

        eventually(all_there, seconds)


def _reading(row: Mapping[str, Any]) -> tuple[Moment, dict[str, float]]:
    reading_id = reading_keys.join_id(row["reading_key"], row["reading_id"])
    values = {name: row[name] for name in NAMES if row[name] is not None}
    return (row["patient_id"], row["time"], reading_id), values


def _once(rows: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, content in rows:
        assert key not in found, f"twice: {key}"
        found[key] = content
    return found


def on_topic(log: TopicLog, topic: str) -> dict[Step, Any]:
    """The events or alerts of a topic. One that comes again must come the same; poison is left."""
    found: dict[Step, Any] = {}
    for _, decoded in log.messages(topic):
        message: Any = decoded
        key = step_of(message)
        assert found.setdefault(key, message) == message, f"{topic}: {key} with two contents"
    return found


def step_of(message: Event | Alert) -> Step:
    """What an event or an alert is known by."""
    if isinstance(message, Event):
        return message.episode_id, message.sequence
    return message.alert_id, message.revision


def differences(expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> dict[str, list[Any]]:
    """What is missing, too much, or not the same; empty where nothing is."""
    announced = {
        "missing": [key for key in expected if key not in found],
        "too much": [key for key in found if key not in expected],
        "not the same": [key for key in expected if key in found and expected[key] != found[key]],
    }
    return {what: keys for what, keys in announced.items() if keys}


def wait_for_no_lag(
    settings: Settings, until: Mapping[TopicPartition, int], seconds: float
) -> None:
    """Return once each service has committed everything before ``until`` that it reads."""
    wanted = {
        f"vigil-{service}": [place for place in until if place.topic in names]
        for service, names in READERS.items()
    }

    def nobody_lags() -> bool:
        behind = {
            f"{group} on {place.topic}/{place.partition}": until[place] - done
            for group, offsets in admin.list_group_offsets(wanted).items()
            for place, at in offsets.items()
            if (done := max(at.offset, 0)) < until[place]
        }
        assert not behind, f"messages not committed: {behind}"
        return True

    with open_admin(settings) as admin:
        eventually(nobody_lags, seconds)


def published_alerts(log: TopicLog) -> Iterator[tuple[Alert, datetime]]:
    """The alerts of a log in order, and when each was put there."""
    for placed, message in log.messages(topics.ALERTS.name):
        if isinstance(message, Alert):
            published = from_millis(placed.record.timestamp)
            assert published is not None
            yield message, published


def pages(alerts: Iterable[tuple[Alert, datetime]]) -> set[tuple[str, int]]:
    """Whom on-call staff are told of: alert and sequence, by the rules of ``docs/notification``.

    Args:
        alerts: each with the time of its publication, an episode's in the order of its topic.
    """
    known: dict[str, PagedEpisode] = {}
    paged = set()
    for alert, published in alerts:
        before = known.get(alert.episode_id, UNKNOWN)
        decision = policy.decide(alert, published, before, demo=True)
        known[alert.episode_id] = decision.known
        if decision.page is not None:
            paged.add((alert.alert_id, alert.sequence))
    return paged


def check_pages(planned: set[tuple[str, int]], log: TopicLog, *, clocks_right: bool = True) -> None:
    """Pages are those of the log. By a clock that is days off history is not known as such: then
    what is paged may page, and no episode that had to page is missing."""
    alerts = list(published_alerts(log))
    right = pages(alerts)
    if clocks_right:
        assert planned == right
        return
    loud = (alert for alert, _ in alerts if policy.may_page(alert, None, demo=True))
    assert planned <= {(alert.alert_id, alert.sequence) for alert in loud}
    assert {alert_id for alert_id, _ in right} <= {alert_id for alert_id, _ in planned}


def dead_letters(log: TopicLog) -> dict[tuple[str, str], Any]:
    """Dead letters by the service that wrote them and the place that each came from."""
    found: dict[tuple[str, str], Any] = {}
    for placed in log.records_of(topics.DEAD_LETTERS.name):
        origin = placed.record.header("vigil_origin")
        service = placed.record.header("ce_source").rpartition("/")[2]
        found[service, origin] = placed.record.value
    return found


def expected_dead_letters(log: TopicLog, names: Sequence[str]) -> dict[tuple[str, str], Any]:
    """The letters that follow from what on these topics cannot be read, one a reading service."""
    expected: dict[tuple[str, str], Any] = {}
    for name in names:
        for placed in log.records_of(name):
            if isinstance(placed.decode(), WireError):
                value = (placed.record.value or b"")[: wire.LARGEST_DEAD_LETTER]
                for service in (s for s, read in READERS.items() if name in read):
                    expected[service, placed.origin] = value
    return expected
