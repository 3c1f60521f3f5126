"""``docs/ingest.md`` is held to the code."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ingest import validate
from ingest.http import openapi
from ingest.http.answers import problem
from ingest.simulator import SCENARIOS
from tests.support.documents import DOCS
from vigil.service.errors import InputError

text = (DOCS / "ingest.md").read_text()


def test_the_problem_that_is_shown_is_one() -> None:
    shown = json.loads(text.split("```json\n")[1].split("```")[0])
    words = {"time": "2026-11-20T08:00:00", "values": {"heart_rate": 72}}
    with pytest.raises(InputError) as caught:
        validate.reading(words, device_id="d", patient_id="p1", latest=datetime.now(UTC))
    answered = json.loads(bytes(problem(caught.value).body))
    assert answered.pop("error")
    assert shown == answered


def test_the_document_for_people_names_each_status_and_scenario() -> None:
    for status in openapi.RESPONSES:
        assert f"| {status} |" in text
    for name, scenario in SCENARIOS.items():
        assert f"| `{name}` | {f'`{scenario.kind}`' if scenario.kind else 'nothing'}" in text
