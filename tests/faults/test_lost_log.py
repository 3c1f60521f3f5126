"""The broker in memory is killed: what its log held is gone, and what that means is held to.

``vigil up`` on Tansu, with the commands that a person types. What was stored and told stays as it
was. Readings that no worker had taken are gone until they are sent again, and then each is there
once. What detection missed in between it does not make up for: that takes a broker that keeps its
log (``test_short.py`` kills Apache Kafka, and nothing is lost). A service that dies beside it is
another matter: it comes back, and nobody else is stopped.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from ingest.recordings.reader import read_uploads
from ingest.simulator import recorded
from tests.support import oracle
from tests.support.faulty import PROCESSES, assert_same
from tests.support.feeding import START
from tests.support.oracle import Outcome
from tests.support.processes import open_folder
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT
from tests.support.topic_log import reading_log
from tests.support.whole import Whole, whole
from vigil.contracts import topics
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.reading import Upload
from vigil.service.settings import Settings

LOST = "its data in memory are lost"
SCENARIOS = ("tachycardia_at_rest", "bradycardia_asleep", "shock")
Readings = dict[oracle.Moment, dict[str, float]]

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.faults,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("lost log"),
]


@pytest.fixture(scope="module")
def system() -> Iterator[Whole]:
    """``vigil up`` on Tansu. One test leaves nothing in it but services with new pids, the other
    readings and a new log; neither is in the way of the other, whichever comes first."""
    with open_folder() as folder, whole(folder, None) as system:
        yield system


def test_a_lost_log_loses_nothing_that_was_stored_and_takes_readings_again(system: Whole) -> None:
    before, during = _recording(system, 3), _recording(system, 4)
    expected = oracle.without_faults(before, Settings())
    assert expected.events
    assert_same(_reported_offline(system, "3.csv.gz"), expected.events | expected.alerts)
    url = system.environment()["VIGIL_DATABASE_URL"]

    system.command("replay", "3.csv.gz", "--speed", "max")
    oracle.wait_until_stored(url, expected.counts(), 180)
    assert oracle.stored(url) == expected

    replay = system.start("replay", "4.csv.gz", "--speed", "20000")
    oracle.wait_until_stored(url, (len(expected.readings) + 1, 0, 0), TIMEOUT)
    _kill_broker(system)
    replay.wait(180)  # it may have been told, or not
    eventually(partial(_is_announced, system, LOST), 180)
    _send_again(system, "4.csv.gz", url, expected.readings | oracle.readings_of(during))

    found = oracle.stored(url)
    announced = {episode_id for episode_id, _ in expected.events}
    _assert_kept(expected, found, announced)
    settings = Settings(kafka_bootstrap=system.environment()["VIGIL_KAFKA_BOOTSTRAP"])
    with reading_log(settings, topics.DEAD_LETTERS.name) as log:
        assert oracle.dead_letters(log) == {}
    assert not _is_announced(system, " partitions, and ")


def test_a_service_that_dies_comes_back_alone(system: Whole) -> None:
    eventually(partial(_all_started, system), 180)
    for service in ("notify", "explain", "detectors", "store"):
        others = {name: system.pid_of(name) for name in PROCESSES if name != service}
        announced = f"{service} died and was started again"
        assert not _is_announced(system, announced)
        system.kill(service)
        eventually(partial(_is_announced, system, announced), 180)
        assert {name: system.pid_of(name) for name in others} == others


def _all_started(system: Whole) -> bool:
    """Whether the last service has started since the broker's log was lost, where it was: who dies
    before that is still being started, and not started again."""
    newest = (system.folder / "terminal.txt").read_text().rpartition(LOST)[2]
    return re.search(r" s  web$", newest, re.MULTILINE) is not None


def _is_announced(system: Whole, what: str) -> bool:
    return what in (system.folder / "terminal.txt").read_text()


def _recording(system: Whole, seed: int) -> list[Upload]:
    """Three simulated people and a day; what happens to them is told without waiting for ticks."""
    path = system.folder / f"{seed}.csv.gz"
    recorded.write(path, recorded.people(3, seed, SCENARIOS, START, days=1), START, days=1)
    return list(read_uploads(path))


def _reported_offline(system: Whole, name: str) -> dict[tuple[str, int], Event | Alert]:
    """Events and alerts as ``vigil replay --offline`` writes them."""
    system.command("replay", name, "--offline", "--out", "offline.jsonl")
    found: dict[tuple[str, int], Event | Alert] = {}
    for line in Path(system.folder / "offline.jsonl").read_bytes().splitlines():
        kind = msgspec.json.decode(line)["type"]
        if kind == "event":
            event = msgspec.json.decode(line, type=Event)
            found[event.episode_id, event.sequence] = event
        else:
            alert = msgspec.json.decode(line, type=Alert)
            found[alert.alert_id, alert.revision] = alert
    return found


def _kill_broker(system: Whole) -> None:
    """``kill -9`` of Tansu; ``vigil up`` starts another."""
    (broker,) = (p for p in system.processes() if "--cluster-id" in p.cmdline())
    broker.send_signal(signal.SIGKILL)


def _send_again(system: Whole, name: str, url: str, expected: Readings) -> None:
    """Replay until the broker takes it, and wait until all of it is stored."""
    eventually(lambda: system.start("replay", name).wait(120) == 0, 120)
    oracle.wait_until_stored(url, (len(expected), 0, 0), 180)
    assert_same(expected, oracle.stored(url).readings)


def _assert_kept(expected: Outcome, found: Outcome, announced: set[str]) -> None:
    """What had been told of earlier episodes is still there, and nothing was added to it."""
    events = {key: event for key, event in found.events.items() if event.episode_id in announced}
    alerts = {key: alert for key, alert in found.alerts.items() if alert.episode_id in announced}
    assert_same(expected.events, events)
    assert_same(expected.alerts, alerts)
