"""Dead letters sent twice: the second time changes nothing."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import psycopg
import pytest

from cli.services import build
from tests.support.running import eventually, running
from tests.support.streaming import committed, read_all
from tests.support.vitals import at, heart, upload
from vigil.contracts import topics, wire
from vigil.dead_letters.redrive import read_dead_letters, send_again
from vigil.domain.reading import Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import WireError
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka

FAST, HOUR = 165.0, 3600.0
READS = {
    "detectors": (topics.READINGS,),
    "explain": (topics.EVENTS,),
    "store": (topics.READINGS, topics.EVENTS, topics.ALERTS),
}
TABLES = ("readings", "latest", "events", "episodes", "alerts", "detector_states", "actions",
          "deliveries", "paged_episodes")  # fmt: skip


def dead_letter(uploads: list[Upload], offset: int) -> wire.Outgoing:
    """Readings that came in time, in one message that was refused when it came."""
    items = [measurement for one in uploads for measurement in one.measurements]
    message = wire.to_message(upload(*items), "ingest")
    reason = WireError("refused by an older Vigil", code="wire.rejected")
    original = wire.DeadOriginal(message.key, message.value, message.headers, "store", reason)
    return wire.build_dead_letter(message.topic, 0, offset, original)


def send(settings: Settings, messages: list[wire.Outgoing]) -> None:
    publisher = Publisher(settings, "test")
    try:
        publisher.publish(messages)
    finally:
        publisher.close()


def caught_up(settings: Settings) -> bool:
    """Whether every worker has handled and committed all messages of its topics."""
    for name, read in READS.items():
        for topic in read:
            handler = SimpleNamespace(name=name, topics=(topic.name,))
            if sum(committed(settings, handler).values()) != len(read_all(settings, topic.name)):
                return False
    return True


def settle(settings: Settings) -> None:
    """Wait until what came has gone all the way, twice: the first look may fall in between."""
    for _ in range(2):
        eventually(lambda: caught_up(settings))


def state(settings: Settings) -> dict[str, list[str]]:
    """Every row of what is known of patients, as text."""
    with psycopg.connect(settings.database()) as connection:
        return {
            table: [
                row[0] for row in connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            ]
            for table in TABLES
        }


def announced(settings: Settings, topic: topics.Topic) -> set[tuple[bytes, ...]]:
    """The messages of a topic, each content once."""
    return {(raw.key, raw.value, *dict(raw.headers).values())
            for raw in read_all(settings, topic.name)}  # fmt: skip


def test_redriven_twice_changes_nothing_of_readings_events_and_alerts(settings: Settings) -> None:
    resting = heart([70.0 + n % 3 for n in range(60)])
    refused_in_between = heart([FAST + n % 2 for n in range(40)], start=HOUR)
    afterwards = heart([70.0 + n % 3 for n in range(60)], start=1.8 * HOUR)
    refused_at_the_end = heart([FAST + n % 2 for n in range(40)], start=3 * HOUR, every=20)
    with ExitStack() as stack:
        for name in READS:
            stack.enter_context(running(build(name, settings), settings))
        send(settings, [wire.to_message(one, "ingest") for one in (*resting, *afterwards)])
        send(settings, [dead_letter(refused_in_between, 7), dead_letter(refused_at_the_end, 8)])
        settle(settings)
        before = state(settings)
        assert (len(before["readings"]), before["events"], before["alerts"]) == (120, [], [])
        refused_messages = list(read_dead_letters(settings))
        states, messages = [], []
        for _ in range(3):
            assert send_again(settings, refused_messages) == 2
            settle(settings)
            states.append(state(settings))
            messages.append(
                (announced(settings, topics.EVENTS), announced(settings, topics.ALERTS))
            )
    assert len(states[0]["readings"]) == 200
    assert states[0]["events"]
    assert states[0]["alerts"]
    assert states[1] == states[0]
    assert states[2] == states[0]
    assert messages[1] == messages[0] == messages[2]
    assert_what_came_late_pages_nobody(settings)


def assert_what_came_late_pages_nobody(settings: Settings) -> None:
    """A redriven reading that is older than stored ones gives a retrospective event."""
    with psycopg.connect(settings.database()) as connection:
        rows = connection.execute("SELECT onset, retrospective FROM events").fetchall()
    overtaken = [late for onset, late in rows if onset < at(1.8 * HOUR)]
    assert overtaken
    assert all(overtaken)
    assert any(not late for onset, late in rows if onset > at(2.5 * HOUR))
