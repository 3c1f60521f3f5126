"""Absolute limits: inclusive, with hysteresis, muted by activity where they hold at rest."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.configuration.loading import load
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding
from detectors.limits.combination import Combination, combine
from detectors.limits.detector import Limits
from tests.support.vitals import config, moment

LIMITS = Limits(load().everyone.limits)
COMBINATION = Combination(load().everyone.limits)


def stances(findings: list[Finding]) -> dict[str, int]:
    return {finding.rule.name: finding.stance for finding in findings}


def judged(**values: Any) -> dict[str, int]:
    return stances(list(LIMITS.examine(moment(watched={"heart_rate_high"}, **values), None)))


@pytest.mark.parametrize(
    ("value", "high", "very_high"),
    [
        (109, CLEAR, CLEAR),
        (110, CLEAR, CLEAR),
        (110.5, BETWEEN, BETWEEN),
        (119.4, BETWEEN, BETWEEN),
        (119.5, BEYOND, BETWEEN),
        (120, BEYOND, BETWEEN),
        (150, BEYOND, BEYOND),
    ],
)
def test_the_stance_on_a_high_limit(value: float, high: int, very_high: int) -> None:
    found = judged(heart_rate=value)
    assert (found["heart_rate_high"], found["heart_rate_very_high"]) == (high, very_high)


@pytest.mark.parametrize(
    ("value", "low"), [(40, BEYOND), (40.4, BEYOND), (40.5, BETWEEN), (45, CLEAR)]
)
def test_the_stance_on_a_low_limit(value: float, low: int) -> None:
    assert judged(heart_rate=value)["heart_rate_low"] == low


def test_a_calm_value_makes_no_finding_unless_its_kind_is_watched() -> None:
    assert list(LIMITS.examine(moment(heart_rate=72), None)) == []
    assert list(LIMITS.examine(moment(heart_rate=72, watched={"blood_pressure_low"}), None)) == []
    assert set(judged(heart_rate=72).values()) == {CLEAR}


def test_exercise_is_not_tachycardia() -> None:
    running = moment(activity="active", heart_rate=165)
    found = stances(list(LIMITS.examine(running, None)))
    assert found["heart_rate_high"] == found["heart_rate_very_high"] == MUTED


def test_a_slow_heart_is_judged_whatever_the_person_does() -> None:
    found = stances(list(LIMITS.examine(moment(activity="active", heart_rate=34), None)))
    assert found["heart_rate_low"] == found["heart_rate_very_low"] == BEYOND


def test_a_finding_carries_the_limit_in_force() -> None:
    finding = next(iter(LIMITS.examine(moment(systolic=185), None)))
    assert (finding.value, finding.rule.direction, finding.rule.detector) == (
        185,
        "above",
        "limits",
    )
    assert {f.limit for f in LIMITS.examine(moment(systolic=185), None)} >= {160, 180, 90}


def test_a_limit_that_is_switched_off_is_not_judged() -> None:
    off = config(limits={"heart_rate_high": {"enabled": False}}).everyone
    found = stances(list(Limits(off.limits).examine(moment(heart_rate=165), None)))
    assert "heart_rate_high" not in found
    assert found["heart_rate_very_high"] == BEYOND


def test_figures_are_combined_from_one_reading_only() -> None:
    assert combine({"systolic": 90.0, "diastolic": 60.0}) == {
        "mean_arterial_pressure": 70.0,
        "pulse_pressure": 30.0,
    }
    assert combine({"diastolic": 60.0, "heart_rate": 99.0}) == {}


@pytest.mark.parametrize(
    ("values", "rule", "stance"),
    [
        ({"systolic": 85, "diastolic": 55}, "mean_arterial_pressure_low", BEYOND),
        ({"systolic": 92, "diastolic": 52}, "mean_arterial_pressure_low", BEYOND),
        ({"systolic": 94, "diastolic": 53}, "mean_arterial_pressure_low", BETWEEN),
        ({"systolic": 100, "heart_rate": 101}, "shock_index_high", BEYOND),
        ({"systolic": 200, "heart_rate": 199}, "shock_index_high", BEYOND),
        ({"systolic": 100, "heart_rate": 99}, "shock_index_high", BETWEEN),
        ({"systolic": 90, "diastolic": 66}, "pulse_pressure_low", BEYOND),
        ({"systolic": 190, "diastolic": 80}, "pulse_pressure_high", BEYOND),
    ],
)
def test_the_stance_on_a_combined_figure(values: dict[str, Any], rule: str, stance: int) -> None:
    assert stances(list(COMBINATION.examine(moment(**values), None)))[rule] == stance


def test_a_lone_heart_rate_makes_no_combination() -> None:
    assert list(COMBINATION.examine(moment(heart_rate=180), None)) == []
