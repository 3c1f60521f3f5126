"""Facts hold no number and no name, and say which way a finding points."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from explain.evaluation.texts import facts_of
from explain.facts.extraction import bears_duration
from explain.facts.rows import direction_of
from tests.support.wording import HOSTILE, event, events
from vigil.domain.episode import Event


def pointing(kind: str, **evidence: Any) -> str:
    return direction_of(event(kind=kind, evidence=evidence))


def test_a_kind_s_own_direction_needs_no_numbers() -> None:
    assert pointing("heart_rate_high") == "above"
    assert pointing("blood_pressure_low") == "below"
    assert pointing("no_data") == "none"
    assert pointing("heart_rate_high", direction="below") == "above"


@pytest.mark.parametrize(
    ("evidence", "direction"),
    [
        ({"direction": "below"}, "below"),
        ({"direction": ["below"]}, "none"),
        ({"extreme": 131, "value": 60, "baseline": {"median": 70}}, "above"),
        ({"value": 40, "baseline": {"median": 70}}, "below"),
        ({"value": 120, "limit": 110}, "above"),
        ({"value": 70, "baseline": {"median": 70}}, "none"),
        ({"value": 70}, "none"),
        ({}, "none"),
    ],
)
def test_a_measured_direction_comes_from_the_numbers(
    evidence: dict[str, Any], direction: str
) -> None:
    assert pointing("heart_rate_unusual", **evidence) == direction


@pytest.mark.parametrize(
    ("changes", "announcement", "situation"),
    [
        ({}, "opened", "now"),
        ({"phase": "updated"}, "updated", "now"),
        ({"retrospective": True}, "late", "late"),
        ({"phase": "closed"}, "closed", "ended"),
        ({"phase": "closed", "retrospective": True}, "closed", "ended"),
        ({"phase": "closed", "evidence": {"reason": "rule_withdrawn"}}, "withdrawn", "ended"),
        ({"phase": "closed", "evidence": {"reason": "late_end"}}, "late", "ended"),
        ({"phase": "closed", "evidence": {"reason": {}}}, "closed", "ended"),
    ],
)
def test_how_it_is_announced(changes: dict[str, Any], announcement: str, situation: str) -> None:
    found = facts_of(event(**changes), "patient")
    assert (found.announcement, found.situation) == (announcement, situation)


def test_an_unknown_kind_is_worded_by_its_category() -> None:
    assert facts_of(event(kind="of_tomorrow"), "patient").kind == "other_clinical"
    fault = event(kind="of_tomorrow", category="technical")
    assert facts_of(fault, "patient").kind == "other_technical"


@settings(max_examples=100, deadline=None)
@given(events())
def test_facts_are_delexicalised(any_event: Event) -> None:
    """No digit in them, and no text that the event brought."""
    plain = json.loads(msgspec.json.encode(facts_of(any_event, "care_team")))
    sentence = json.dumps(plain)
    assert not re.search(r"\d", sentence.replace("spo2", ""))
    assert not any(hostile in json.dumps(plain, ensure_ascii=False) for hostile in HOSTILE)


@pytest.mark.parametrize(
    ("rule", "samples", "hours", "bears"),
    [
        ("poor_contact", 2, 5.0, False),
        ("poor_contact", 4, 24.0, False),
        ("poor_contact", 11, 10.0, True),
        ("poor_contact", 2, 0.02, True),
        ("poor_contact.motion", 1, 6.0, False),
        ("sensor_fault.heart_rate", 3, 9.0, False),
        ("sensor_fault.heart_rate", 30, 0.5, True),
        ("no_data", 1, 9.0, True),
        ("device_clock.offset", 1, 14.0, True),
    ],
)
def test_a_fault_of_readings_hours_apart_has_no_duration(
    rule: str, samples: int, hours: float, bears: bool
) -> None:
    evidence = {"rule": rule, "samples": samples, "duration_seconds": hours * 3600}
    assert bears_duration("technical", evidence) is bears
    assert bears_duration("technical", evidence | {"rule": "sensor_fault", "reason": "stuck"})
    assert not bears_duration("clinical", evidence)
