"""A value in another unit reads what its own unit reads, by exact arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from detectors.configuration.loading import load
from detectors.contract import BEYOND, Finding
from detectors.limits.combination import combine
from detectors.limits.detector import Limits
from ingest.validate import reading
from tests.support.vitals import moment
from vigil.domain.signals import SIGNALS

LIMITS = Limits(load().everyone.limits)
MMHG = Fraction("7.500616827")


def taken(**values: tuple[float, str]) -> dict[str, float]:
    """The values of a reading that the door let through."""
    words = {name: {"value": value, "unit": unit} for name, (value, unit) in values.items()}
    body: dict[str, Any] = {"time": "2026-11-21T06:02:00Z", "values": words}
    latest = datetime(2026, 11, 22, tzinfo=UTC)
    return reading(body, device_id="d", patient_id="p", latest=latest).measurement.values


def beyond(values: dict[str, float]) -> set[str]:
    """The limits that a reading is beyond."""
    found: list[Finding] = list(LIMITS.examine(replace(moment(), values=values), None))
    return {finding.rule.name for finding in found if finding.stance == BEYOND}


def nearest(exact: Fraction, decimals: int) -> float:
    """Half up."""
    step = 10**decimals
    return float(int(exact * step + Fraction(1, 2)) / step)


@pytest.mark.parametrize("tenths", range(40, 401))
def test_each_step_of_a_cuff_in_kpa_reads_and_is_judged_as_its_mmhg(tenths: int) -> None:
    exact = Fraction(tenths, 10) * MMHG
    values = taken(systolic=(tenths / 10, "kPa"), diastolic=(1.5, "kPa"))
    shown = SIGNALS["systolic"].figure(values["systolic"])
    assert shown == nearest(exact, 0)
    assert abs(values["systolic"] - float(exact)) < 0.03  # stored as sent, but for the last step
    native = {"systolic": shown, "diastolic": 11.0}
    assert beyond(values) == beyond(native)
    assert combine(values) == combine(native)


def test_the_limits_that_a_kpa_display_stands_on_are_met() -> None:
    assert "systolic_low" in beyond(taken(systolic=(12.0, "kPa"), diastolic=(8.0, "kPa")))
    high = taken(systolic=(21.3, "kPa"), diastolic=(13.3, "kPa"))
    assert [SIGNALS[name].display(value) for name, value in high.items()] == ["160", "100"]
    assert {"systolic_high", "diastolic_high"} <= beyond(high)
    assert taken(systolic=(40.0, "kPa"), diastolic=(8.0, "kPa"))["systolic"] == 300.0


@pytest.mark.parametrize("tenths", range(680, 1148))
def test_each_tenth_of_a_degree_fahrenheit_reads_as_its_celsius(tenths: int) -> None:
    exact = (Fraction(tenths, 10) - 32) * Fraction(5, 9)
    celsius = taken(temperature=(tenths / 10, "[degF]"))["temperature"]
    assert SIGNALS["temperature"].figure(celsius) == nearest(exact, 1)


@pytest.mark.parametrize("thousandths", range(300, 1001, 5))
def test_each_fraction_of_saturation_reads_as_its_percent(thousandths: int) -> None:
    percent = taken(spo2=(thousandths / 1000, "{fraction}"))["spo2"]
    half_up = Decimal(thousandths).scaleb(-1).quantize(Decimal(1), ROUND_HALF_UP)
    assert SIGNALS["spo2"].figure(percent) == float(half_up)
