"""What a run without faults gives, what a run with faults gave, and where the two differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.rows import dict_row

from detectors.configuration import loading as config
from detectors.engine import missing_data
from detectors.engine.engine import Engine
from explain.phrasebook.book import Phrasebook
from explain.templates.compose import compose
from history import offline_replay
from notify.planning import policy
from store.readings import keys as reading_keys
from store.service import Store
from tests.support.streaming import ends, read_all
from vigil.contracts import topics, wire
from vigil.contracts.clock_check import ClockCheck
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.kinds import Priority
from vigil.domain.reading import Tick, Upload
from vigil.domain.signals import NAMES
from vigil.kafka.clients import open_consumer
from vigil.service.errors import WireError
from vigil.service.settings import Settings

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


def of_log(settings: Settings) -> Outcome:
    """What follows from the log of readings as it stands: its repetitions, its ticks and all.

    One engine a partition, in this process, in order of offset and never interrupted. What cannot
    be read is left out, as the workers do.
    """
    engines: dict[int, Engine] = {}
    uploads: list[Upload] = []
    events: list[Event] = []
    clocks = ClockCheck()
    detection = config.load(settings.detection_config)
    for record in sorted(read_all(settings, topics.READINGS.name), key=lambda r: r.offset):
        try:
            message = wire.decode(record.topic, record.value, record.headers)
        except WireError:
            continue
        message = clocks.correct_time(message, record)
        engine = engines.setdefault(record.partition, Engine(detection))
        if isinstance(message, Tick):
            events += engine.tick(message.time)
        elif isinstance(message, Upload):
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


def on_topic(settings: Settings, topic: str) -> dict[Step, Any]:
    """The events or alerts of a topic. One that comes again must come the same; poison is left."""
    found: dict[Step, Any] = {}
    for key, message in steps_on(settings, topic):
        assert found.setdefault(key, message) == message, f"{topic}: {key} with two contents"
    return found


def steps_on(settings: Settings, topic: str) -> Iterator[tuple[Step, Any]]:
    """Each event or alert of a topic that can be read, in order, and what it is known by."""
    for record in read_all(settings, topic):
        try:
            message: Any = wire.decode(topic, record.value, record.headers)
        except WireError:
            continue
        is_event = isinstance(message, Event)
        key = (
            (message.episode_id, message.sequence) if is_event
            else (message.alert_id, message.revision)
        )  # fmt: skip
        yield key, message


def differences(expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> dict[str, list[Any]]:
    """What is missing, too much, or not the same; empty where nothing is."""
    announced = {
        "missing": [key for key in expected if key not in found],
        "too much": [key for key in found if key not in expected],
        "not the same": [key for key in expected if key in found and expected[key] != found[key]],
    }
    return {what: keys for what, keys in announced.items() if keys}


def lag(settings: Settings, until: Mapping[str, Mapping[Any, int]]) -> dict[str, int]:
    """Messages before ``until`` that a service has not committed yet, where there are any."""
    behind: dict[str, int] = {}
    for service, names in READERS.items():
        consumer = open_consumer(settings, f"vigil-{service}")
        try:
            for place, end in (pair for name in names for pair in until[name].items()):
                done = consumer.committed(place, timeout_ms=5000) or 0
                if done < end:
                    behind[f"{service} on {place.topic}/{place.partition}"] = end - done
        finally:
            consumer.close(autocommit=False)
    return behind


def ends_of_all(settings: Settings) -> dict[str, dict[Any, int]]:
    """Where each topic that anybody reads as a group ends now."""
    return {name: ends(settings, name) for name in {n for names in READERS.values() for n in names}}


def pages(alerts: Iterable[Alert]) -> set[tuple[str, int]]:
    """Whom on-call staff are told of: alert and sequence, by the rules of ``docs/notification``."""
    announced: dict[str, Priority] = {}
    paged = set()
    for alert in sorted(alerts, key=lambda a: (a.episode_id, a.revision)):
        page = policy.page_for_alert(alert, announced.get(alert.episode_id), demo=True)
        if page is not None:
            announced[alert.episode_id] = page.priority
            paged.add((alert.alert_id, alert.sequence))
    return paged


def dead_letters(settings: Settings) -> dict[tuple[str, str], Any]:
    """Dead letters by the service that wrote them and the place that each came from."""
    found: dict[tuple[str, str], Any] = {}
    for record in read_all(settings, topics.DEAD_LETTERS.name):
        origin = wire.header(record.headers, "vigil_origin")
        service = wire.header(record.headers, "ce_source").rpartition("/")[2]
        found[service, origin] = record.value
    return found


def expected_dead_letters(settings: Settings, names: Sequence[str]) -> dict[tuple[str, str], Any]:
    """The letters that follow from what on these topics cannot be read, one a reading service."""
    expected: dict[tuple[str, str], Any] = {}
    for name in names:
        for record in read_all(settings, name):
            try:
                wire.decode(name, record.value, record.headers)
            except WireError:
                origin = f"{name}/{record.partition}/{record.offset}"
                for service in (s for s, read in READERS.items() if name in read):
                    expected[service, origin] = (record.value or b"")[: wire.LARGEST_DEAD_LETTER]
    return expected
