"""What the doctor says of workers, topics and states: with ages, and advice that ends."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from kafka.admin import NewPartitions
from typer.testing import CliRunner

from cli.doctor.workers import judged
from cli.main import app
from tests.support.running import eventually
from tests.support.statuses import status
from tests.support.timeouts import TIMEOUT
from vigil.composition import status_reader
from vigil.composition.status_reader import LastStatus
from vigil.contracts import topics, wire
from vigil.domain.status import Status
from vigil.kafka import provisioning
from vigil.kafka.clients import Publisher, open_admin
from vigil.kafka.provisioning import HOW_TO_RECREATE, create_topics, find_differences
from vigil.service.settings import Settings

pytestmark = pytest.mark.xdist_group("doctor")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ALL = ("detectors", "explain", "notify", "store")


def last_status(service: str, ago: float = 1, instance: str = "", **rest: Any) -> LastStatus:
    """A status that was heard so many seconds ago."""
    name = instance or f"{service}-0123456789"
    received = NOW - timedelta(seconds=ago)
    return LastStatus(status(service, instance=name, **({"time": received} | rest)), received)


def found(
    *received: LastStatus, before: dict[str, datetime] | None = None
) -> list[tuple[str, str, str]]:
    """Part, state and words of each finding."""
    newest_first = sorted(received, key=lambda each: each.received_at, reverse=True)
    return [(f.part, f.state, f.what) for f in judged(newest_first, before or {}, NOW)]


def others(*but: str) -> list[LastStatus]:
    return [last_status(service) for service in ALL if service not in but]


def test_workers_that_work_are_named_with_their_instance_and_how_far_behind_they_are() -> None:
    reported = found(*others("store"), last_status("store", gauges={"lag_messages": 12.0}))
    assert [state for _, state, _ in reported] == ["ok"] * 4
    assert reported[-1] == (
        "store", "ok",
        "working; 12 messages wait (instance store-01, last seen 2026-11-21T11:59:59Z (1 s ago))",
    )  # fmt: skip


def test_a_trouble_has_its_age_and_a_worker_that_is_stuck_its_way_out() -> None:
    stuck = last_status(
        "store", trouble={"stuck": "It stands.", "clock": "It is wrong."},
        since={"stuck": NOW - timedelta(minutes=5), "clock": NOW},
    )  # fmt: skip
    *_, finding = judged([stuck, *others("store")], {}, NOW)
    assert (finding.part, finding.state) == ("store", "wrong")
    assert finding.what.startswith("stuck: It stands, since 2026-11-21T11:55:00Z (5 min ago);")
    assert "Where messages stand still" in finding.how_to_fix
    advised = last_status("store", trouble={"clock": "It is wrong."})
    assert found(*others("store"), advised)[-1][1] == "note"


@pytest.mark.parametrize(
    ("dead", "words"),
    [
        (last_status("notify", 45), "was last seen 2026-11-21T11:59:15Z (45 s ago)"),
        (last_status("notify", 2400), "was last seen 2026-11-21T11:20:00Z (40 min ago)"),
        (last_status("notify", 45, ended=True), "stopped 2026-11-21T11:59:15Z (45 s ago)"),
        (None, "none was seen within a week"),
    ],
)
def test_a_service_of_which_no_process_runs_is_wrong(dead: LastStatus | None, words: str) -> None:
    reported = found(*others("notify"), *([dead] if dead else []))
    ((state, what),) = [each[1:] for each in reported if each[0] == "notify"]
    assert state == "wrong"
    assert what.startswith("no process runs; ")
    assert words in what


def test_the_database_remembers_what_the_topic_no_longer_tells() -> None:
    reported = found(*others("notify"), before={"notify": NOW - timedelta(days=3)})
    what = "no process runs; none was seen since 2026-11-18T12:00:00Z (3 days ago)"
    assert ("notify", "wrong", what) in reported


def test_a_process_that_died_beside_others_is_named_for_a_while_and_never_as_working() -> None:
    lately, long_ago = last_status("store", 60, "gone-1"), last_status("store", 1200, "gone-2")
    stopped = last_status("store", 60, "gone-3", ended=True)
    reported = [each for each in found(*others(), lately, long_ago, stopped) if each[0] == "store"]
    assert [state for _, state, _ in reported] == ["ok", "note"]
    assert "instance gone-1 was last seen" in reported[1][2]


def test_where_everything_was_stopped_nothing_is_wrong() -> None:
    reported = found(*(last_status(service, 600, ended=True) for service in ALL))
    what = "none runs; one was last seen 2026-11-21T11:50:00Z (10 min ago)"
    assert reported == [("workers", "note", what)]
    assert found() == [("workers", "note", "none runs; none was seen within a week")]


@pytest.mark.kafka
def test_the_newest_status_of_each_process_is_read_from_the_topic(broker: str) -> None:
    settings = Settings(demo=True, kafka_bootstrap=broker, log_level="ERROR")
    mine = secrets.token_hex(4)

    def counted() -> dict[str, dict[str, int]]:
        newest = [each.status for each in status_reader.read_statuses(settings)]
        return {each.instance: each.counters for each in newest if each.instance.startswith(mine)}

    assert counted() == {}
    publisher = Publisher(settings, "test")
    try:
        for number in range(5):
            both: Sequence[Status] = [
                status("store", number, f"{mine}-{name}", counters={"n": number}) for name in "ab"
            ]
            publisher.publish([wire.to_message(each, "test") for each in both])
    finally:
        publisher.close()
    assert eventually(counted) == {f"{mine}-a": {"n": 4}, f"{mine}-b": {"n": 4}}


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two topics of this test's own, of as many partitions as are asked for."""
    names = [f"shared-{secrets.token_hex(4)}.{n}" for n in range(2)]
    monkeypatch.setattr(topics, "TOPICS", {name: topics.Topic(name, (), "", 24) for name in names})
    return names


@pytest.mark.kafka
def test_advice_on_partitions_that_were_added_converges(
    broker: str, shared: list[str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu adds no partitions")
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", broker)

    def reported(partitions: int) -> Any:
        return find_differences(Settings(kafka_bootstrap=broker, partitions=partitions))

    create_topics(Settings(kafka_bootstrap=broker, partitions=6))
    with open_admin(Settings(kafka_bootstrap=broker)) as admin:
        admin.create_partitions({shared[0]: NewPartitions(8)})
        eventually(lambda: len(admin.describe_topics([shared[0]])[0]["partitions"]) == 8)
        for asked in (6, 8, 3):
            (one,) = reported(asked)
            assert (one.topic, one.grave, one.how_to_fix) == (shared[0], True, HOW_TO_RECREATE)
            assert f"has 8 partitions, and {shared[1]} has 6" in one.what
            assert "Set VIGIL_PARTITIONS" not in one.how_to_fix
        started = CliRunner().invoke(app, ["topics", "--create"])
        assert started.exit_code == 0, "it must run to be drained, the first step of the way out"
        admin.delete_topics(shared)  # the way out
        eventually(lambda: not set(shared) & set(admin.list_topics()))
    create_topics(Settings(kafka_bootstrap=broker, partitions=8))
    assert reported(8) == []


def test_all_topics_of_one_number_are_none_that_was_raised() -> None:
    assert provisioning._find_raised({}) == {}
    assert provisioning._find_raised({"a": 3, "b": 3}) == {}
    assert list(provisioning._find_raised({"a": 3, "b": 4, "c": 3, "d": 5})) == ["b", "d"]


@pytest.mark.kafka
def test_states_that_their_patients_left_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings.database_url.get_secret_value()
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("VIGIL_DATABASE_URL", url)
    monkeypatch.setenv("VIGIL_DEMO", "1")

    def states() -> list[dict[str, str]]:
        result = CliRunner().invoke(app, ["doctor", "--json"])
        return [each for each in json.loads(result.output) if each["part"] == "states"]

    with psycopg.connect(url, autocommit=True) as connection:
        publisher = Publisher(settings, "test")
        for number in range(4):
            key = f"p{number}".encode()
            place = publisher._producer.send(topics.READINGS.name, b"{}", key=key).get(TIMEOUT)
            connection.execute(
                "INSERT INTO detector_states (worker_group, partition, patient_id, state)"
                " VALUES ('detectors', %s, %s, '')", (place.partition, f"p{number}"),
            )  # fmt: skip
        publisher.close()
        assert states() == []
        connection.execute(
            "UPDATE detector_states SET partition = (partition + 1) %% 3 WHERE patient_id = %s",
            ("p2",),
        )
    (reported,) = states()
    assert reported["state"] == "wrong"
    assert reported["what"].startswith("1 of 4 states belong to another of the 3 partitions")
    assert reported["how_to_fix"] == HOW_TO_RECREATE
