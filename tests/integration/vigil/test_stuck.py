"""A worker whose messages do not move is not ready and says where, on both brokers."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from tests.support.running import eventually
from tests.support.streaming import Recorder, looping, uploads
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics
from vigil.kafka.clients import Publisher, open_admin
from vigil.kafka.group_description import GroupDescription, Member, describe_group
from vigil.liveness import group_watch
from vigil.liveness.group_watch import find_foreign_members
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Received

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("stuck")]
OURS = Member("vigil-store", "/10.0.0.1", (("vitals.readings", 0),))
THEIRS = Member("rdkafka", "/10.0.0.9", (("vitals.readings", 1), ("vitals.readings", 2)))


@pytest.fixture
def stream(broker: str) -> Settings:
    return Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, session_timeout_ms=4000, log_level="ERROR"
    )


@pytest.fixture
def publisher(stream: Settings) -> Iterator[Publisher]:
    made = Publisher(stream, "test")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigil.liveness.progress.STUCK_SECONDS", 2.0)
    monkeypatch.setattr(group_watch, "CHECK_SECONDS", 0.5)


def test_a_handler_that_hangs_is_reported_while_it_hangs(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=4)
    hanging, go_on = threading.Event(), threading.Event()

    def before(batch: Sequence[Received]) -> None:
        if batch:
            hanging.set()
            assert go_on.wait(TIMEOUT)

    recorder = Recorder(prefix, before)
    with looping(recorder, stream) as (health, _), ExitStack() as end:
        end.callback(go_on.set)
        publisher.publish(messages)
        assert hanging.wait(TIMEOUT)
        trouble = eventually(lambda: health.snapshot().troubles.get("stuck"))
        assert "vitals.readings/" in str(trouble)
        assert "the handler has not come back from" in str(trouble)
        assert 1 <= health.snapshot().gauges["lag_messages"] <= 4
        assert health.snapshot().gauges["lag_seconds"] >= 2
        assert 'vigil_stuck_partitions{service="' in health.metrics()
        go_on.set()
        eventually(health.ready)
        eventually(lambda: len(recorder.seen) == 4)
        assert health.snapshot().gauges["lag_messages"] == 0


def test_what_is_waited_for_is_the_reason_and_the_lag_grows_meanwhile(
    stream: Settings, publisher: Publisher
) -> None:
    prefix, messages = uploads(patients=1, each=30)
    back = threading.Event()

    def before(batch: Sequence[Received]) -> None:
        if batch and not back.is_set():
            raise UnavailableError("The database is not there.", code="unavailable.database")

    recorder = Recorder(prefix, before)
    with looping(recorder, stream) as (health, _):
        publisher.publish(messages[:1])
        trouble = eventually(lambda: health.snapshot().troubles.get("stuck"))
        assert "The database is not there" in str(trouble)
        assert set(health.snapshot().troubles) == {"stuck", "unavailable.database"}
        publisher.publish(messages[1:])
        # Tansu counts them as one
        eventually(lambda: health.snapshot().gauges["lag_messages"] >= 2)
        back.set()
        eventually(health.ready)
        eventually(lambda: health.snapshot().gauges["lag_messages"] == 0)
    assert len(set(recorder.seen)) == 30


def _consume(
    stream: Settings, group: str, stop: threading.Event, owned: set[int], **config: Any
) -> None:
    consumer = KafkaConsumer(
        topics.READINGS.name, bootstrap_servers=stream.kafka_bootstrap, group_id=group,
        session_timeout_ms=6000, enable_auto_commit=False,
        partition_assignment_strategy=[StickyPartitionAssignor, RangePartitionAssignor], **config,
    )  # fmt: skip
    with closing(consumer):
        while not stop.is_set():
            consumer.poll(200)
            owned |= {place.partition for place in consumer.assignment()}


def test_a_foreign_group_member_is_reported_until_it_leaves(
    stream: Settings, request: pytest.FixtureRequest
) -> None:
    recorder, stop, owned = Recorder("none"), threading.Event(), set[int]()
    recorder.name = f"recorder-{secrets.token_hex(4)}"
    with looping(recorder, stream) as (health, _):
        client = {"client_id": "their-own"}
        theirs = threading.Thread(
            target=_consume, args=(stream, f"vigil-{recorder.name}", stop, owned), kwargs=client
        )
        theirs.start()
        try:
            trouble = eventually(lambda: health.snapshot().troubles.get("stranger"))
            eventually(lambda: owned)
            assert "none of Vigil's" in str(trouble)
            assert "client id 'their-own'" in str(trouble)
            if request.node.callspec.params["broker"] == "kafka":
                eventually(
                    lambda: "owns vitals.readings/" in health.snapshot().troubles["stranger"]
                )
            assert not health.ready()
        finally:
            stop.set()
            theirs.join(TIMEOUT)
        eventually(health.ready)


def test_workers_of_one_group_are_not_foreign_to_each_other(stream: Settings) -> None:
    first, second = Recorder("none"), Recorder("none")
    second.name = first.name
    with looping(first, stream) as (one, _), looping(second, stream) as (other, _):
        with open_admin(stream) as admin:
            group = eventually(
                lambda: (g := describe_group(admin, f"vigil-{first.name}")) and g.settled and g
            )
        time.sleep(1.5)  # three checks
        assert len(group.members) == 2 or group.members == ()  # type: ignore[union-attr]
        assert "stranger" not in one.snapshot().troubles | other.snapshot().troubles


def test_a_consumer_of_the_newer_protocol_is_reported(
    stream: Settings, request: pytest.FixtureRequest
) -> None:
    confluent = pytest.importorskip("confluent_kafka")
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu does not speak it")
    recorder = Recorder("none")
    with looping(recorder, stream) as (health, _):
        theirs = confluent.Consumer({
            "bootstrap.servers": stream.kafka_bootstrap, "group.id": f"vigil-{recorder.name}",
            "group.protocol": "consumer",
        })  # fmt: skip
        theirs.subscribe([topics.READINGS.name])
        deadline = time.monotonic() + 60
        try:
            while "stranger" not in health.snapshot().troubles and time.monotonic() < deadline:
                theirs.poll(0.2)
            assert "newer protocol" in health.snapshot().troubles["stranger"]
        finally:
            theirs.close()
        eventually(lambda: "stranger" not in health.snapshot().troubles)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (GroupDescription("classic", True, ()), None),
        (GroupDescription("classic", True, (OURS, OURS)), None),
        (
            GroupDescription("classic", True, (OURS, THEIRS)),
            "owns vitals.readings/1, vitals.readings/2",
        ),
        (GroupDescription("classic", True, (OURS, Member("", "", ()))), "client id ''"),
        (GroupDescription("consumer", True, ()), "type 'consumer'"),
    ],
)  # fmt: skip
def test_how_foreign_members_are_described(group: GroupDescription, expected: str | None) -> None:
    trouble = find_foreign_members("store", group, ["vitals.readings"])
    assert (trouble is None) == (expected is None)
    assert expected is None or (expected in str(trouble) and "docs/integrators.md" in str(trouble))


def test_a_group_in_a_rebalance_changes_nothing(
    stream: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = Health("store")
    watch = group_watch.GroupWatch(stream, "store", topics=["vitals.readings"], health=health)
    seen = iter([
        GroupDescription("classic", True, (OURS, THEIRS)),
        GroupDescription("classic", False, ()), None,
        GroupDescription("classic", True, (OURS,)),
    ])  # fmt: skip
    monkeypatch.setattr(group_watch, "describe_group", lambda _admin, _name: next(seen))
    found = []
    for _ in range(4):
        watch._check(None)
        found.append("stranger" in health.snapshot().troubles)
    assert found == [True, True, True, False]


def test_the_documents_state_how_a_group_is_named() -> None:
    docs = Path(__file__).parents[3] / "docs"
    assert "never `vigil-`" in (docs / "integrators.md").read_text()
    forbidden = "--deny-principal User:integrator --operation All \\\n  --group vigil- "
    assert forbidden in (docs / "security.md").read_text()
