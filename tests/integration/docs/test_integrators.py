"""The consumer in docs/integrators.md is run as it stands there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from queue import Queue
from threading import Thread

import jsonschema
import msgspec
import pytest

from tests.support.documents import code_blocks
from tests.support.timeouts import TIMEOUT
from vigil.contracts import schemas, wire
from vigil.domain import ids
from vigil.domain.alert import Alert, Provenance, Text
from vigil.kafka.clients import Publisher
from vigil.service.settings import Settings

(CONSUMER,) = code_blocks("integrators.md", "python")
ONSET = datetime(2026, 11, 21, 6, 2, tzinfo=UTC)
EVENT = ids.episode_id("p1", "heart_rate_high", ONSET)
ALERT = Alert(
    alert_id=ids.alert_id(EVENT),
    episode_id=EVENT,
    patient_id="p1",
    revision=0,
    sequence=0,
    kind="heart_rate_high",
    category="clinical",
    phase="opened",
    priority="medium",
    retrospective=False,
    time=ONSET,
    onset=ONSET,
    texts={
        "care_team": {"en": Text("Heart rate high", "118 bpm for 10 minutes.", "See the patient.")}
    },
    slots={"heart_rate": "118 bpm"},
    provenance={"care_team": Provenance("template", "heart_rate_high@1")},
)


@contextmanager
def consuming(broker: str) -> Iterator[Queue[str]]:
    """The document's consumer as a process; the lines that it prints."""
    lines: Queue[str] = Queue()
    process = subprocess.Popen(
        [sys.executable, "-c", CONSUMER], env={**os.environ, "KAFKA": broker},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.strip())

    reader = Thread(target=read)
    reader.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        reader.join(TIMEOUT)
        process.stdout.close()


def test_it_is_fifteen_lines_and_needs_nothing_of_ours() -> None:
    assert len([line for line in CONSUMER.splitlines() if line.strip()]) <= 15
    assert "vigil" not in CONSUMER


@pytest.mark.kafka
def test_it_prints_each_alert_and_goes_on_where_it_was(broker: str) -> None:
    settings = Settings(kafka_bootstrap=broker)
    with closing(Publisher(settings, "test")) as publisher, consuming(broker) as lines:
        publisher.publish([wire.to_message(ALERT, "explain")])
        assert lines.get(timeout=TIMEOUT) == f"{ALERT.alert_id} 0 medium Heart rate high"
        again = msgspec.structs.replace(ALERT, revision=2, sequence=1, phase="closed")
        publisher.publish([wire.to_message(again, "explain")])
        assert lines.get(timeout=TIMEOUT) == f"{ALERT.alert_id} 2 medium Heart rate high"


def test_the_action_in_the_document_is_a_valid_one() -> None:
    (example,) = code_blocks("integrators.md", "json")
    schema = schemas.json_schemas()["action.v1"]
    jsonschema.Draft202012Validator(schema).validate(json.loads(example))
    assert wire.decode("vitals.actions", example.encode(), [])
