"""``kill -9`` of any process during a replay: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import psycopg
import pytest

from tests.conftest import BROKERS, KAFKA_HOME
from tests.support.processes import open_folder
from tests.support.running import eventually
from tests.support.streaming import read_all
from tests.support.whole import Whole, whole
from vigil import wire
from vigil.model import Alert
from vigil.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(400)]

Step = tuple[str, int]
"""An event's or alert's id, and its sequence or revision."""


def _recording(system: Whole) -> int:
    """Two simulated days of six people, some of them ill; returns the number of rows."""
    system.command("simulate", "--patients", "6", "--days", "2", "--seed", "3",
                   "--out", "recording.csv.gz", "--truth", "truth.csv")  # fmt: skip
    with gzip.open(system.folder / "recording.csv.gz", "rt") as lines:
        return sum(1 for _ in lines) - 1


def _expected(system: Whole) -> tuple[set[Step], set[Step]]:
    """Events and alerts of the same recording without brokers, databases or faults."""
    system.command("replay", "recording.csv.gz", "--offline", "--out", "expected.jsonl")
    text = (system.folder / "expected.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    events = {(x["event_id"], x["sequence"]) for x in lines if x["type"] == "event"}
    alerts = {(x["alert_id"], x["revision"]) for x in lines if x["type"] == "alert"}
    return events, alerts


def _stored(url: str, query: str) -> Counter[Step]:
    with psycopg.connect(url) as connection:
        return Counter(connection.execute(query).fetchall())


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row
    return int(row[0])


def _alerts_on_topic(bootstrap: str) -> dict[Step, set[bytes]]:
    """Every wording of every alert revision that the topic holds."""
    found: dict[Step, set[bytes]] = {}
    for record in read_all(Settings(kafka_bootstrap=bootstrap), "vitals.alerts"):
        alert = wire.decode(record.topic, record.value, record.headers)
        assert isinstance(alert, Alert)
        found.setdefault((alert.alert_id, alert.revision), set()).add(record.value)
    return found


@pytest.mark.parametrize("kind", BROKERS)
def test_any_process_may_be_killed_during_a_replay(kind: str) -> None:
    home = KAFKA_HOME if kind == "kafka" else None
    with open_folder() as folder, whole(folder, home) as system:
        rows = _recording(system)
        events, alerts = _expected(system)
        assert events
        found = system.environment()
        url = found["VIGIL_DATABASE_URL"]

        replay = system.start("replay", "recording.csv.gz", "--speed", "max")
        for service in ("detectors", "store", "explain", "notify"):
            system.kill(service)
        assert replay.wait(120) == 0

        eventually(lambda: _count(url, "readings") == rows, 60)
        eventually(lambda: set(_stored(url, "SELECT event_id, sequence FROM events")) == events, 60)
        eventually(lambda: set(_stored(url, "SELECT alert_id, revision FROM alerts")) == alerts, 60)

        system.command("replay", "recording.csv.gz", "--speed", "max")
        on_topic = _alerts_on_topic(found["VIGIL_KAFKA_BOOTSTRAP"])
        assert set(on_topic) == alerts
        assert all(len(wordings) == 1 for wordings in on_topic.values())
        assert _count(url, "readings") == rows
        assert _count(url, "events") == len(events)
        assert _count(url, "alerts") == len(alerts)
        twice = (
            "SELECT count(*) - count(DISTINCT (alert_id, sequence, channel, recipient))"
            " FROM deliveries"
        )
        with psycopg.connect(url) as connection:
            assert connection.execute(twice).fetchone() == (0,)
