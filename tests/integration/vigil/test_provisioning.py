"""Topics that are there are judged and never changed."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from typer.testing import CliRunner

from cli.main import app
from vigil.contracts import topics
from vigil.kafka import provisioning
from vigil.kafka.clients import open_admin
from vigil.kafka.provisioning import create_topics, find_differences, find_producer_timestamps
from vigil.service.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("provisioning")]
PLAIN = topics.Topic("t.plain", (), "By age.", 24)
KEPT = topics.Topic("t.kept", (), "By key.", 0, compacted=True, partitions=1)


@pytest.fixture
def ours(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> dict[str, topics.Topic]:
    """Topics of this test alone."""
    name = request.node.originalname
    made = {
        f"{name}.{topic.name}": topics.Topic(
            f"{name}.{topic.name}", (), "", topic.retention_hours,
            compacted=topic.compacted, partitions=topic.partitions,
        )
        for topic in (PLAIN, KEPT)
    }  # fmt: skip
    monkeypatch.setattr(topics, "TOPICS", made)
    return made


def reported(settings: Settings) -> dict[str, list[tuple[str, bool]]]:
    """Topic → what is off, and whether it is grave; each has its mend."""
    found = find_differences(settings)
    assert all(difference.how_to_fix for difference in found)
    return {
        name: [(d.what, d.grave) for d in found if d.topic == name]
        for name in {d.topic for d in found}
    }


def test_what_vigil_makes_is_right(broker: str, ours: dict[str, topics.Topic]) -> None:
    settings = Settings(kafka_bootstrap=broker, partitions=2)
    assert {d.what for d in find_differences(settings)} == {"is missing"}
    assert create_topics(settings) == list(ours)
    assert find_differences(settings) == []


@pytest.mark.parametrize("asked", [2, 5])
def test_other_partitions_than_configured_are_told_and_left(
    broker: str, ours: dict[str, topics.Topic], asked: int
) -> None:
    create_topics(Settings(kafka_bootstrap=broker, partitions=3))
    settings = Settings(kafka_bootstrap=broker, partitions=asked)
    assert create_topics(settings) == []
    plain, _ = ours
    assert reported(settings) == {
        plain: [(f"has 3 partitions, and VIGIL_PARTITIONS asks for {asked}", False)]
    }
    with open_admin(settings) as admin:
        assert len(admin.describe_topics([plain])[0]["partitions"]) == 3


def test_settings_that_lose_messages_are_told_and_left(
    broker: str, ours: dict[str, topics.Topic], request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu tells no settings of a topic")
    settings = Settings(kafka_bootstrap=broker, partitions=1)
    plain, kept = ours
    with open_admin(settings) as admin:
        admin.create_topics([
            NewTopic(plain, 1, 1, topic_configs={
                "cleanup.policy": "compact", "max.message.bytes": "1000", "retention.ms": "9",
            }),
            NewTopic(kept, 1, 1),
        ])  # fmt: skip
        assert create_topics(settings) == []
        found = reported(settings)
        assert [(what.split(" ")[1], grave) for what, grave in found[plain]] == [
            ("cleanup.policy=compact", True),
            ("max.message.bytes=1000", True),
            ("retention.ms=9", False),
        ]
        assert [(what.split(" ")[1], grave) for what, grave in found[kept]] == [
            ("cleanup.policy=delete", True),
            ("max.message.bytes=1048588", True),
        ]
        changes = {"retention.ms": "-1", "cleanup.policy": "delete", "max.message.bytes": "9999999"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, plain, changes)])
    assert plain not in reported(settings), "more than Vigil asks for will do"
    stamped = find_producer_timestamps(settings)
    assert [(row.topic, row.grave) for row in stamped] == [(plain, False)]
    assert "message.timestamp.type=CreateTime" in stamped[0].what
    assert stamped[0].how_to_fix.endswith(
        f"--entity-name {plain} --add-config message.timestamp.type=LogAppendTime"
    )


def test_the_command_makes_what_lacks_and_tells_the_rest(
    broker: str, ours: dict[str, topics.Topic], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", broker)
    plain, kept = ours
    monkeypatch.setenv("VIGIL_PARTITIONS", "2")
    made = CliRunner().invoke(app, ["topics", "--create"])
    assert (made.exit_code, made.stderr) == (0, "")
    assert f"created {plain}" in made.stdout
    assert f"created {kept}" in made.stdout
    monkeypatch.setenv("VIGIL_PARTITIONS", "3")
    again = CliRunner().invoke(app, ["topics", "--create"])
    assert again.exit_code == 0, "it works, and may be meant"
    assert f"{plain} has 2 partitions" in again.stderr


def test_statuses_go_after_a_day_and_not_after_a_file_is_full() -> None:
    config = topics.STATUS.config()
    assert int(config["segment.ms"]) < int(config["retention.ms"]) == 24 * topics.HOUR_MS
    assert "segment.ms" not in topics.READINGS.config()
    config = {"segment.ms": "604800000"}
    found = list(provisioning._compare_settings(topics.STATUS, config, Settings()))
    assert [(d.grave, d.starts) for d in found] == [(False, True)]


@pytest.mark.parametrize("named", [False, True])
def test_settings_that_may_not_be_asked_for_are_told(*, named: bool) -> None:
    user: dict[str, Any] = {
        "kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN",
        "kafka_username": "u", "kafka_password": "own",
    }  # fmt: skip
    settings = Settings(**user) if named else Settings()
    found = list(provisioning._compare_settings(PLAIN, {}, settings))
    assert [(d.topic, d.grave) for d in found] == [(PLAIN.name, False)] * named
