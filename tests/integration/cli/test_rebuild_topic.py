"""What a topic that has lost its beginning can still tell."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from kafka import TopicPartition

from detectors.configuration.loading import from_tables
from history.rebuild import Window, _ComparedRange
from history.rebuild_sources import FromTopic, Played
from store.database.connections import connect
from store.episodes.shadow import Span, Step
from tests.integration.cli.test_rebuild import send
from tests.support.messages import NOON, event, measurement, upload
from vigil.contracts import topics, wire
from vigil.kafka.clients import open_admin
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka
PLACE = TopicPartition(topics.READINGS.name, 1)


def test_it_says_how_much_is_gone_and_tells_the_rest(
    settings: Settings, request: pytest.FixtureRequest
) -> None:
    uploads = [upload(measurement(60.0 * minute)) for minute in range(8)]
    send(settings, [wire.to_message(one, "test", PLACE.partition) for one in uploads])
    send(settings, [wire.Outgoing(PLACE.topic, b"p1", b"{", [], PLACE.partition)])
    with connect(settings) as connection:
        source = FromTopic(settings, connection, from_tables({}), None)
        assert source.units() == ["partition 0", "partition 1", "partition 2"]
        played: Played = {}
        list(source.play("partition 1", NOON, played))
        assert played == {"p1": Span(uploads[0].received_at, uploads[-1].received_at, 8)}
        assert "1 messages cannot be read: they are dead letters" in source.notes
        if request.node.callspec.params["broker"] == "tansu":
            return  # it does not delete records
        with open_admin(settings) as admin:
            admin.delete_records({PLACE: 3})
        played.clear()
        list(source.play("partition 1", NOON, played))
    assert played == {"p1": Span(uploads[3].received_at, uploads[-1].received_at, 5)}
    assert any("3 messages are older than the topic's retention" in note for note in source.notes)


def test_what_the_topic_cannot_know_is_not_compared(settings: Settings) -> None:
    with connect(settings) as connection:
        source = FromTopic(settings, connection, from_tables({}), None)
    span = Span(NOON + timedelta(minutes=11), NOON + timedelta(minutes=13), 1)
    steps = [
        Step(
            each.episode_id, each.sequence, "p1", each.kind, "medium", NOON, each.detected_at,
            None, {}, "abc",
        )
        for each in (event(sequence=sequence) for sequence in range(5))
    ]  # fmt: skip
    left_out: Counter[str] = Counter()
    kept = list(_ComparedRange(source, Window(), span).within(steps, left_out))
    assert [step.sequence for step in kept] == [1, 2, 3]
    assert left_out == {"known before the topic begins": 1, "known after what was played": 1}
    assert not list(_ComparedRange(source, Window(), None).within(steps, left_out))
    assert left_out["of patients who are not in the topic"] == 5
