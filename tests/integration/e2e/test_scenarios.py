"""The scenarios of a day at most, all at once through the running system: its events are those of
the same log offline, each has its alert, and the pages planned are those that the rules require."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tomlkit
from msgspec.structs import replace

from detectors import service as detectors_service
from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from explain import service as explain_service
from notify import service as notify_service
from store.database.connections import connect
from tests.support import endpoint
from tests.support.notify_examples import log_of
from tests.support.running import eventually, running
from tests.support.scenarios.form import Scenario, duration, library
from tests.support.scenarios.playing import MINUTE, Pager, play
from tests.support.scenarios.sending import moved, send
from tests.support.streaming import read_all
from vigil.contracts import topics, wire
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Tick, Upload
from vigil.kafka.clients import Publisher
from vigil.service.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

LONGEST = timedelta(days=1)
AT_LEAST = 80
"""Scenarios that take part: a good part of the library."""
A_WHILE = timedelta(minutes=10)
"""No page whose usefulness ends within so long is compared."""
Message = Upload | Tick


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario, moved so that it ends now, with a patient of its own."""

    scenario: Scenario
    patient: str
    uploads: list[Upload]


def cast(now: datetime) -> list[Played]:
    """The scenarios that take part."""
    found = []
    for number, scenario in enumerate(library()):
        uploads = send(scenario).uploads
        if not uploads or scenario.withdrawn or scenario.published or scenario.acknowledged:
            continue
        end = uploads[-1].received_at + duration(scenario.watched)
        if end - uploads[0].received_at > LONGEST:
            continue
        by = (now - end) // MINUTE * MINUTE
        patient = f"s{number}-{secrets.token_hex(3)}"
        own = [replace(moved(one, by), patient_id=patient) for one in uploads]
        found.append(Played(scenario, patient, own))
    return found


def merged(played: Sequence[Played], now: datetime) -> list[Message]:
    """One log of all of them, with a tick a minute, as a partition holds it."""
    uploads = [one for each in played for one in each.uploads]
    ticks = [Tick(now - count * MINUTE) for count in range(LONGEST // MINUTE + 1)]
    log: list[Message] = [*ticks, *uploads]
    return sorted(log, key=lambda one: one.time if isinstance(one, Tick) else one.received_at)


def configured(folder: Path, played: Sequence[Played]) -> Path:
    """A file with each patient's own detection configuration."""
    path = folder / "detection.toml"
    tables = {each.patient: each.scenario.tables() for each in played}
    path.write_text(tomlkit.dumps({"patients": {k: v for k, v in tables.items() if v}}))
    return path


def offline(log: Sequence[Message], path: Path) -> dict[str, list[Event]]:
    """Patient → the events of the log."""
    engine = Engine(load(path))
    found: dict[str, list[Event]] = {}
    for message in log:
        for event in engine.take(message):
            found.setdefault(event.patient_id, []).append(event)
    return found


def required(events: Sequence[Event], now: datetime) -> set[tuple[str, int, str]]:
    """Episode, step and reason of each page, where all of it is published at a time."""
    pager = Pager([])
    steps = [pager.step(event, now) for event in events]
    return {(one.event.episode_id, one.event.sequence, one.page) for one in steps if one.page}


def publish(settings: Settings, log: Sequence[Message]) -> None:
    """Put a log on the topic: each tick into every partition."""
    with closing(Publisher(settings, "scenarios")) as publisher:
        places = publisher.partitions(topics.READINGS.name)
        outgoing = [
            wire.to_message(one, "scenarios", partition=place)
            for one in log
            for place in (places if isinstance(one, Tick) else [None])
        ]
        for start in range(0, len(outgoing), 1000):
            publisher.publish(outgoing[start : start + 1000])


def on_topic(settings: Settings, topic: str) -> list[object]:
    """Every message of a topic."""
    return [wire.decode(r.topic, r.value, r.headers) for r in read_all(settings, topic)]


def announced(events: Sequence[Event]) -> list[tuple[object, ...]]:
    """What of events does not depend on who else is watched."""
    return [(e.episode_id, e.sequence, e.phase, e.priority, e.detected_at) for e in events]


@pytest.mark.timeout(420)
def test_scenarios_through_the_running_system(settings: Settings, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    played = cast(now)
    assert len(played) >= AT_LEAST
    path, log = configured(tmp_path, played), merged(played, now)
    expected = offline(log, path)
    for each in played:  # together they give what each gives alone
        alone = [step.event for step in play(each.scenario, each.uploads, now)]
        together = expected.get(each.patient, [])
        assert announced(together) == announced(alone), each.scenario.name
    with endpoint.serving("") as pager:
        url = f"json://127.0.0.1:{pager.server_port}/"
        settings = settings.model_copy(
            update={"oncall_urls": (url,), "detection_config": path, "demo": True}
        )
        with (
            running(detectors_service.build(settings), settings),
            running(explain_service.build(settings), settings),
            running(notify_service.build(settings), settings),
        ):
            publish(settings, log)
            _check_events(settings, expected)
            _check_alerts(settings, expected)
            _check_pages(settings, expected, now)


def _check_events(settings: Settings, expected: dict[str, list[Event]]) -> None:
    count = sum(map(len, expected.values()))

    def all_there() -> bool:
        return len(read_all(settings, topics.EVENTS.name)) >= count

    eventually(all_there, 240)
    found: dict[str, list[bytes]] = {}
    for event in on_topic(settings, topics.EVENTS.name):
        assert isinstance(event, Event)
        found.setdefault(event.patient_id, []).append(encode(event))
    assert found == {who: [*map(encode, events)] for who, events in expected.items()}


def _check_alerts(settings: Settings, expected: dict[str, list[Event]]) -> None:
    """Each step has its words."""
    steps = {(e.episode_id, e.sequence) for events in expected.values() for e in events}

    def worded() -> bool:
        alerts = on_topic(settings, topics.ALERTS.name)
        return steps == {(a.episode_id, a.sequence) for a in alerts if isinstance(a, Alert)}

    eventually(worded, 120)


def _check_pages(settings: Settings, expected: dict[str, list[Event]], now: datetime) -> None:
    """What is past its useful time pages nobody, what is not pages as the rules have it."""
    events = [event for own in expected.values() for event in own]
    sure = required(events, now) & required(events, now + A_WHILE)
    unsure = required(events, now) ^ required(events, now + A_WHILE)

    def planned() -> set[tuple[str, int, str]]:
        with connect(settings) as connection:
            rows = log_of(connection)
        return {(r["event_id"], r["sequence"], r["reason"]) for r in rows}

    assert len(sure) >= AT_LEAST // 2
    eventually(lambda: planned() >= sure)
    assert planned() - unsure == sure
