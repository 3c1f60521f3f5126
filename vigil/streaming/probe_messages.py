"""One valid message of each type that workers read, for probes; none is ever stored.

A handler that fails on these fails on everyone (:meth:`vigil.streaming.handler.Handler.probe`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from vigil.contracts import wire
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert, Provenance, Text
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import NO_CONTEXT, Context, Measurement, Upload, Withdrawal
from vigil.domain.status import Status
from vigil.kafka.records import Record
from vigil.streaming.handler import Received

PATIENT = "vigil-probe"
MINUTES = 40
SIGNATURE = "en/patient/heart_rate_high.above/opened/-/-/heart_rate"


def build_upload(now: datetime) -> Upload:
    """40 minutes of every signal, one reading a minute, ending at ``now``. The heart rate is about
    70 /min in the first half and 150 /min in the second."""
    rows = []
    for minute in range(MINUTES):
        time = now - timedelta(minutes=MINUTES - minute)
        rate = 70.0 + minute % 3 if minute < MINUTES // 2 else 150.0 + minute % 3
        values = {
            "heart_rate": rate,
            "systolic": 120.0 + minute % 5,
            "diastolic": 75.0 + minute % 4,
            "spo2": 97.0 + minute % 2,
            "respiratory_rate": 15.0 + minute % 3,
            "temperature": 36.8 + minute % 2 / 10,
        }
        reading_id = ids.reading_id(PATIENT, PATIENT, time=time, content="")
        rows.append(Measurement(reading_id, time, values, context=Context(activity="rest")))
    return Upload(
        patient_id=PATIENT,
        device_id=PATIENT,
        received_at=now,
        measurements=tuple(rows),
        synthetic=True,
    )


def build_withdrawal(now: datetime) -> Withdrawal:
    """The newest reading of :func:`build_upload` does not count."""
    *remaining, newest = build_upload(now).measurements
    return Withdrawal(
        withdrawal_id=ids.derive("withdrawal", PATIENT, ids.timestamp(now)),
        patient_id=PATIENT,
        readings=(newest,),
        reason="entered_in_error",
        actor=PATIENT,
        time=now,
        since=remaining[0].time,
        remaining=tuple(remaining),
    )


def build_event(now: datetime) -> Event:
    """The first step of an episode."""
    return Event(
        episode_id=ids.episode_id(PATIENT, "heart_rate_high", now),
        patient_id=PATIENT,
        kind="heart_rate_high",
        category="clinical",
        phase="opened",
        sequence=0,
        priority="high",
        onset=now - timedelta(minutes=10),
        detected_at=now,
        ended_at=None,
        retrospective=False,
        signals=("heart_rate",),
        evidence={
            "signal": "heart_rate",
            "value": 150.0,
            "limit": 120.0,
            "values": {"heart_rate": 150.0},
            "samples": 10,
            "readings_beyond": 10,
            "longest_gap_seconds": 60.0,
            "duration_observed": True,
        },
        context=NO_CONTEXT,
        detector_version="",
        config_hash="",
        synthetic=True,
    )


def build_alert(now: datetime) -> Alert:
    """The alert of :func:`build_event`."""
    text = Text("Heart rate high", "The heart rate has been high.", "Look at the patient.")
    step = build_event(now)
    return Alert(
        alert_id=ids.alert_id(step.episode_id),
        episode_id=step.episode_id,
        patient_id=PATIENT,
        revision=0,
        sequence=0,
        kind=step.kind,
        category=step.category,
        phase=step.phase,
        priority=step.priority,
        retrospective=False,
        time=step.detected_at,
        onset=step.onset,
        texts={"care_team": {"en": text}, "patient": {"en": text}},
        slots={},
        provenance={"patient": Provenance("template", PATIENT)},
        synthetic=True,
    )


def build_action(now: datetime) -> Action:
    """An acknowledgement of :func:`build_event`."""
    return Action(
        action_id=ids.derive("action", PATIENT, ids.timestamp(now)),
        episode_id=build_event(now).episode_id,
        patient_id=PATIENT,
        actor=PATIENT,
        verb="acknowledge",
        time=now,
    )


def build_phrase(now: datetime) -> Phrase:
    """A sentence of the phrasebook."""
    text = "Your heart rate is {heart_rate}."
    return Phrase(
        phrase_id=ids.phrase_id(SIGNATURE, text),
        signature=SIGNATURE,
        text=text,
        status="draft",
        author="model",
        revision=0,
        time=now,
    )


def build_status(now: datetime) -> Status:
    """A process without troubles."""
    return Status(
        service=PATIENT,
        instance=PATIENT,
        version="0",
        started=now,
        time=now,
        trouble={},
        counters={},
        gauges={},
    )


def as_received(*messages: wire.Carried) -> list[Received]:
    """Messages as the loop hands them to a handler."""
    found = []
    for offset, message in enumerate(messages):
        sent = wire.to_message(message, PATIENT)
        time = dict(sent.headers)["ce_time"].decode()
        raw = Record(
            offset=offset,
            timestamp=int(datetime.fromisoformat(time).timestamp() * 1000),
            key=sent.key,
            value=sent.value,
            packed_headers=b"\0",
        )
        found.append(
            Received(topic=sent.topic, partition=0, offset=offset, message=message, raw=raw)
        )
    return found
