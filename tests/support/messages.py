"""Small, valid messages for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert, Provenance, Text
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import NO_CONTEXT, Measurement, Upload, Withdrawal
from vigil.streaming.handler import Received

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Raw(NamedTuple):
    """What a worker needs of a Kafka record."""

    key: bytes | None
    value: bytes
    headers: wire.Headers
    offset: int
    timestamp: int = -1
    """In milliseconds since 1970; -1: the broker keeps none."""


def received(message: wire.Carried, offset: int = 0, published: datetime | None = None) -> Received:
    """A message as the stream's loop hands it to a worker; None: the broker keeps no times."""
    sent = wire.to_message(message, "test")
    timestamp = -1 if published is None else int(published.timestamp() * 1000)
    raw = Raw(sent.key, sent.value, sent.headers, offset=offset, timestamp=timestamp)
    return Received(sent.topic, 0, offset, message, raw)


def measurement(second: float = 0, reading_id: str = "", **values: float) -> Measurement:
    """One moment, so many seconds after noon; its id comes from its content."""
    time = NOON + timedelta(seconds=second)
    content = ids.derive(ids.timestamp(time), repr(sorted(values.items())))
    return Measurement(reading_id or content, time, values or {"heart_rate": 70.0})


def upload(*measurements: Measurement, patient: str = "p1", late: float = 1, **rest: Any) -> Upload:
    """An upload that arrived so many seconds after its last measurement."""
    arrived = measurements[-1].time + timedelta(seconds=late)
    return Upload(patient, "d1", arrived, measurements, **rest)


def withdrawal(*readings: Measurement, patient: str = "p1", **rest: Any) -> Withdrawal:
    """That somebody else's readings were this patient's, found out two hours after noon."""
    fields: dict[str, Any] = {
        "withdrawal_id": ids.derive("withdrawal", patient, *(one.reading_id for one in readings)),
        "patient_id": patient,
        "readings": readings,
        "reason": "wrong_patient",
        "actor": "kim",
        "time": NOON + timedelta(hours=2),
        "since": NOON,
    }
    return Withdrawal(**{**fields, **rest})


def event(patient: str = "p1", sequence: int = 0, **rest: Any) -> Event:
    """A step of an episode of a high heart rate."""
    fields: dict[str, Any] = {
        "episode_id": ids.episode_id(patient, "heart_rate_high", NOON),
        "patient_id": patient,
        "kind": "heart_rate_high",
        "category": "clinical",
        "phase": "opened" if sequence == 0 else "updated",
        "sequence": sequence,
        "priority": "medium",
        "onset": NOON,
        "detected_at": NOON + timedelta(minutes=10 + sequence),
        "ended_at": None,
        "retrospective": False,
        "signals": ("heart_rate",),
        "evidence": {"value": 130.0, "limit": 120.0},
        "context": NO_CONTEXT,
        "detector_version": "1",
        "config_hash": "abc",
    }
    return Event(**{**fields, **rest})


def alert(of: Event | None = None, **rest: Any) -> Alert:
    """The words of an event's step."""
    of = of or event()
    text = Text("Heart rate high", "Your heart rate is {heart_rate}.", "Sit down and rest.")
    fields: dict[str, Any] = {
        "alert_id": ids.alert_id(of.episode_id),
        "episode_id": of.episode_id,
        "patient_id": of.patient_id,
        "revision": 2 * of.sequence,
        "sequence": of.sequence,
        "kind": of.kind,
        "category": of.category,
        "phase": of.phase,
        "priority": of.priority,
        "retrospective": of.retrospective,
        "time": of.detected_at,
        "onset": of.onset,
        "texts": {"patient": {"en": text}, "care_team": {"en": text}},
        "slots": {"heart_rate": "130 beats a minute"},
        "provenance": {"patient": Provenance("template", "heart_rate_high.1")},
    }
    return Alert(**{**fields, **rest})


def action(of: Event | None = None, verb: str = "acknowledge", **rest: Any) -> Action:
    """What a nurse did."""
    of = of or event()
    fields: dict[str, Any] = {
        "action_id": ids.derive("action", of.episode_id, verb),
        "episode_id": of.episode_id,
        "patient_id": of.patient_id,
        "actor": "nurse",
        "verb": verb,
        "time": NOON + timedelta(minutes=12),
    }
    return Action(**{**fields, **rest})


SIGNATURE = "en/patient/heart_rate_high.above/opened/-/-/heart_rate"


def phrase(text: str = "Your heart rate is high, now {heart_rate}.", **rest: Any) -> Phrase:
    """A sentence as a model wrote it; another wording is another phrase."""
    signature = rest.get("signature", SIGNATURE)
    fields: dict[str, Any] = {
        "phrase_id": ids.phrase_id(signature, text),
        "signature": signature,
        "text": text,
        "status": "draft",
        "author": "model",
        "revision": 0,
        "time": NOON,
        "model": "scripted@test",
        "adapter": "",
        "prompt_hash": "c0ffee12",
    }
    return Phrase(**{**fields, **rest})
