"""The worker on a real broker: an alert for each event, at once, the same one each time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from explain import worker
from explain.phrasebook import files as phrase_files
from explain.phrasebook.book import Phrasebook
from explain.templates.compose import AUDIENCES, compose, signatures_of
from explain.worker import ExplainHandler, ExplainWorker
from tests.support import scripted_model
from tests.support.messages import phrase
from tests.support.running import eventually, running
from tests.support.timeouts import TIMEOUT
from tests.support.wording import event
from vigil.contracts import wire
from vigil.contracts.topics import ALERTS, DEAD_LETTERS, EVENTS
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Tick
from vigil.kafka.clients import Publisher, open_consumer
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Received

SCRIPT = str(Path(scripted_model.__file__))


@pytest.fixture
def streaming(broker: str) -> Settings:
    """Settings of a worker that needs no database."""
    return Settings(
        demo=True, kafka_bootstrap=broker, partitions=3, startup_timeout_seconds=TIMEOUT,
        log_level="ERROR", llm_deadline_seconds=30,
    )  # fmt: skip


def send(settings: Settings, *messages: wire.Outgoing) -> None:
    publisher = Publisher(settings, "test")
    try:
        publisher.publish(messages)
    finally:
        publisher.close()


def fresh(**changes: Any) -> Event:
    return event(episode_id=str(uuid4()), **changes)


def alerts_of(settings: Settings, episode_id: str, wanted: int) -> list[Alert]:
    """The alerts of an event, once there are so many."""
    consumer = open_consumer(settings, None)
    consumer.subscribe([ALERTS.name])
    found: list[Alert] = []

    def enough() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                alert = wire.decode(ALERTS.name, record.value, record.headers)
                assert isinstance(alert, Alert)
                if alert.episode_id == episode_id:
                    found.append(alert)
        return len(found) >= wanted

    try:
        eventually(enough)
    finally:
        consumer.close()
    return found


@pytest.mark.kafka
def test_an_event_becomes_an_alert_and_a_repetition_the_same_one(streaming: Settings) -> None:
    announced = fresh()
    with running(ExplainWorker(streaming, shipped=()), streaming) as health:
        send(streaming, wire.to_message(announced, "test"), wire.to_message(announced, "test"))
        assert alerts_of(streaming, announced.episode_id, 2) == [compose(announced)] * 2
        assert health.snapshot().counters["alerts"] == 2


@pytest.mark.kafka
def test_what_is_no_event_goes_to_the_dead_letters_and_the_next_is_worded(
    streaming: Settings,
) -> None:
    announced = fresh()
    tick = wire.to_message(Tick(datetime(2026, 1, 1, tzinfo=UTC)), "test")
    bad = replace(tick, topic=EVENTS.name, key=b"p1")
    with running(ExplainWorker(streaming, shipped=()), streaming) as health:
        send(streaming, bad, replace(bad, value=b"\xff{"), wire.to_message(announced, "test"))
        alerts_of(streaming, announced.episode_id, 1)
        eventually(lambda: health.snapshot().counters["dead_letters"] == 2)
    consumer = open_consumer(streaming, None)
    consumer.subscribe([DEAD_LETTERS.name])
    try:
        dead_letters = eventually(lambda: [r for rs in consumer.poll(200).values() for r in rs])
    finally:
        consumer.close()
    assert b"wire.unknown_type" in {dict(x.headers)["vigil_reason"] for x in dead_letters}


@pytest.mark.kafka
def test_better_words_follow_as_a_revision(streaming: Settings) -> None:
    announced = fresh()
    settings = streaming.model_copy(update={"llm": True, "patient_text": "verified"})
    service = ExplainWorker(settings, (sys.executable, SCRIPT, "good"), shipped=())
    with running(service, settings):
        send(settings, wire.to_message(announced, "test"))
        first, second = alerts_of(settings, announced.episode_id, 2)
    assert first == compose(announced)
    assert (second.alert_id, second.revision) == (first.alert_id, 1)
    assert second.provenance["patient"].author == "model"
    assert second.texts["patient"]["en"].action == first.texts["patient"]["en"].action


@pytest.mark.kafka
@pytest.mark.parametrize("script", ["missing", "crash", "slow"])
def test_alerts_do_not_care_how_the_model_is(streaming: Settings, script: str) -> None:
    announced = fresh()
    settings = streaming.model_copy(update={"llm": True, "llm_deadline_seconds": 0.5})
    service = ExplainWorker(settings, (sys.executable, SCRIPT, script), shipped=())
    with running(service, settings) as health:
        send(settings, wire.to_message(announced, "test"))
        assert alerts_of(settings, announced.episode_id, 1) == [compose(announced)]
        assert health.ready()


@pytest.mark.kafka
def test_alerts_go_out_in_the_phrasebooks_words_until_a_reviewer_bans_them(
    streaming: Settings,
) -> None:
    def low() -> Event:
        known = {"values": {"heart_rate": 41}, "duration_observed": True}
        return fresh(kind="heart_rate_low", evidence=known)

    team, patient = (signatures_of(low())[who] for who in AUDIENCES)
    shipped = [
        phrase("Heart rate low for {duration}, at {heart_rate}.", signature=team.key),
        phrase("Your heart has been slow for {duration}, at {heart_rate}.", signature=patient.key),
    ]
    book = Phrasebook(shipped, "approved")
    with running(ExplainWorker(streaming, shipped=shipped), streaming) as health:
        announced = low()
        send(streaming, wire.to_message(announced, "test"))
        (alert,) = alerts_of(streaming, announced.episode_id, 1)
        assert alert == compose(announced, book)
        assert alert.provenance["care_team"].entry == shipped[0].phrase_id
        assert alert.provenance["patient"].author == "template"  # a draft, and nobody approved it
        approved = replace(shipped[1], status="approved", revision=1, by="kim")
        banned = replace(shipped[0], status="banned", revision=1, by="kim")
        send(streaming, wire.to_message(approved, "test"), wire.to_message(banned, "test"))

        def is_received() -> bool:
            announced = low()
            send(streaming, wire.to_message(announced, "test"))
            (alert,) = alerts_of(streaming, announced.episode_id, 1)
            authors = [alert.provenance[who].author for who in AUDIENCES]
            return authors == ["template", "phrasebook"]

        eventually(is_received)
        counters = health.report()["counters"]
        assert isinstance(counters, dict)
        assert counters["phrases_hit"] >= 2
        assert counters["phrases_missed"] >= 2


def test_a_damaged_file_of_phrases_costs_no_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "en.jsonl"
    damaged.write_text("{")
    monkeypatch.setattr(phrase_files, "shipped_path", lambda: damaged)
    health = Health("explain")
    assert worker._load_shipped_phrases(health) == ()
    damaged.write_bytes(encode(phrase(signature="en/patient/x.above/opened/-/-/-")) + b"\n")
    assert worker._load_shipped_phrases(health) == ()
    assert "vigil_phrasebook_damaged_total" in health.metrics()


class Offers:
    """Notes what is offered."""

    def __init__(self) -> None:
        self.offered: list[str] = []

    def offer(self, event: Event) -> None:
        self.offered.append(event.episode_id)


def received(*events: Event) -> Sequence[Received]:
    return [Received(EVENTS.name, 0, i, event, None) for i, event in enumerate(events)]


def test_the_model_is_offered_only_what_is_already_out() -> None:
    offers = Offers()
    handled = ExplainHandler(Health("explain"), offers).handle(received(fresh(), fresh()))
    assert len(handled.outgoing) == 2
    assert offers.offered == []
    handled.after()
    assert len(offers.offered) == 2
