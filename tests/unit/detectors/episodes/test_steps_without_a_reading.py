"""What a step says of the reading that it came with: none of its signals, or one within limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from detectors.episodes.evidence import judged
from tests.support.patient_logs import Log, logs, run
from tests.support.vitals import at, detect, engine, measured, upload
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS

LOW = {"systolic": 84.0, "diastolic": 48.0}
CALM_RATE = {"heart_rate": 80.0}


def stepped(rows: list[tuple[float, dict[str, float]]], ticks: tuple[float, ...] = (),
            **own: Any) -> list[Event]:  # fmt: skip
    """The events of readings at rest, and of the clock, at these minutes."""
    runs, events = engine(**own), list[Event]()
    log: list[tuple[float, dict[str, float] | None]] = [*rows, *((t, None) for t in ticks)]
    for minute, values in sorted(log, key=lambda row: row[0]):
        if values is None:
            events += runs.tick(at(60 * minute))
        else:
            events += runs.process(upload(measured(60 * minute, values, "rest")))
    return events


def the_step(events: list[Event], change: str) -> Event:
    (found,) = [event for event in events if event.evidence.get("change") == change]
    return found


def low_then_fast(rates: tuple[float, ...], then: dict[str, float]) -> list[Event]:
    """A low pressure, a heart that turns fast with it, and what the cuff shows in between."""
    rows: list[tuple[float, dict[str, float]]] = [
        (0, LOW),
        (2, {"systolic": 83.0, "diastolic": 47.0}),
    ]
    rows += [(3 + n, {"heart_rate": rate}) for n, rate in enumerate(rates)]
    return stepped([*rows, (3 + len(rates), then)])


FAST = tuple(124.0 + n % 3 for n in range(16))


def test_a_step_by_a_reading_of_another_signal_says_when_its_own_came_last() -> None:
    step = the_step(low_then_fast((*FAST, 126.0, 125.0), CALM_RATE), "parts")
    assert step.kind == "blood_pressure_low"
    assert step.evidence["last_reading"] == "2026-03-02T00:02:00Z"
    assert "value" not in step.evidence
    assert step.evidence["duration_seconds"] == 120, "as far as it was observed"


def test_a_step_whose_value_is_not_beyond_its_limit_says_so() -> None:
    rows: list[tuple[float, dict[str, float]]] = [
        (0, LOW),
        (2, {"systolic": 83.0, "diastolic": 47.0}),
    ]
    rows += [(3 + n, {"heart_rate": rate}) for n, rate in enumerate(FAST[:13])]
    rows += [(18, {"systolic": 93.0, "diastolic": 58.0, "heart_rate": 125.0})]
    step = the_step(stepped(rows), "parts")
    assert (step.evidence["value"], step.evidence["within_limits"]) == (93.0, True)
    assert "last_reading" not in step.evidence


def test_where_another_limit_of_the_kind_is_passed_it_goes_on_by_that() -> None:
    """The systolic value that it was announced by is within; the diastolic one is not."""
    rows = [
        (0.0, {"systolic": 165.0, "diastolic": 80.0}),
        (2.0, {"systolic": 166.0, "diastolic": 82.0}),
    ]
    rows += [(60.0 * n, {"systolic": 152.0, "diastolic": 104.0 + n % 2}) for n in range(1, 14)]
    step = the_step(stepped(rows), "continues")
    assert step.evidence["rule"] == "diastolic_high"
    assert step.evidence["value"] == 105.0 >= step.evidence["limit"]
    assert step.evidence["extreme"] == 105.0, "the furthest of what it is announced by now"
    assert "within_limits" not in step.evidence


def test_a_step_at_a_tick_has_no_reading() -> None:
    rows: list[tuple[float, dict[str, float]]] = [
        (0, LOW),
        (2, {"systolic": 83.0, "diastolic": 47.0}),
    ]
    rows += [(3 + n, {"heart_rate": rate}) for n, rate in enumerate(FAST[:12])]
    events = stepped(rows, tuple(float(t) for t in range(1, 90)))
    silent = [event for event in events if event.kind == "no_data"]
    step = the_step(events, "parts")
    assert step.detected_at == silent[0].detected_at, "the tick that showed the silence"
    assert step.evidence["last_reading"] == "2026-03-02T00:02:00Z"
    assert not step.evidence["values"]
    assert step.evidence["duration_seconds"] == 120


@settings(max_examples=60)
@given(logs())
def test_no_step_that_lasts_claims_a_reading_that_it_has_not(log: Log) -> None:
    for event in run(log, engine()):
        evidence, kind = event.evidence, KINDS[event.kind]
        if event.phase == "closed" or kind.category != "clinical":
            assert "within_limits" not in evidence
            assert "last_reading" not in evidence
            continue
        own = set(evidence["values"]) & set(kind.signals)
        assert own or "last_reading" in evidence
        value, limit = evidence.get("value"), evidence.get("limit")
        if value is None or limit is None or "direction" not in evidence:
            continue
        beyond = value >= limit if evidence["direction"] == "above" else value <= limit
        assert beyond != ("within_limits" in evidence)


@pytest.mark.parametrize("first", [(0.0, 2.0), (0.0, 5.0)])
def test_a_step_with_a_reading_beyond_its_limit_states_neither(first: tuple[float, float]) -> None:
    (opened,) = detect(
        [upload(measured(60 * t, {**LOW, "systolic": 84.0 - t}, "rest")) for t in first]
    )[:1]
    assert {"within_limits", "last_reading"}.isdisjoint(opened.evidence)
    assert judged("systolic", opened.evidence["value"]) == opened.evidence["value"]
    assert isinstance(opened.onset, datetime)
