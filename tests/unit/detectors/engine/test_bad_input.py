"""What Vigil does with input that nobody would wish for; ``docs/detection.md`` says the same."""

from __future__ import annotations

from datetime import timedelta
from math import nan

import pytest
from msgspec.structs import replace

from detectors.configuration.loading import from_tables
from tests.support.vitals import DAY, announced, detect, engine, heart, measured, upload
from vigil.service.errors import SettingsError

YEAR = 365 * DAY


def test_a_patient_with_no_baseline_has_limits_and_nothing_is_unusual() -> None:
    assert detect(heart([100.0 + i % 3 for i in range(120)])) == []
    assert announced(detect(heart([130.0 + i % 3 for i in range(30)]))) == [
        ("heart_rate_high", "opened", "medium")
    ]


def test_one_reading_a_day_is_never_a_run_of_minutes_and_is_missed_when_it_stops() -> None:
    daily = heart([130.0 + i % 3 for i in range(30)], every=DAY)
    assert [e for e in detect(daily) if e.kind == "heart_rate_high"] == []
    cuffs = [
        upload(measured(i * DAY, {"systolic": 165.0, "diastolic": 90.0 + i % 2}))
        for i in range(3)
    ]  # fmt: skip
    assert announced(detect(cuffs))[0] == ("blood_pressure_high", "opened", "medium")


def test_a_clock_a_year_ahead_is_not_judged_and_spoils_nothing_after_it() -> None:
    runs = engine()
    calm = heart([70.0 + i % 3 for i in range(30)])
    for item in calm:
        runs.process(item)
    ahead = measured(YEAR, {"heart_rate": 170.0}, "rest")
    events = runs.process(replace(upload(ahead), received_at=calm[-1].received_at))
    assert announced(events) == [("device_clock", "opened", "low")]
    later = heart([130.0 + i % 3 for i in range(30)], start=1800)
    announced_later = [kind for item in later for kind, _, _ in announced(runs.process(item))]
    assert announced_later.count("heart_rate_high") == 1


def test_a_clock_a_year_back_is_judged_once_its_offset_is_known() -> None:
    runs = engine()
    for item in heart([70.0 + i % 3 for i in range(30)]):
        runs.process(item)
    for i, item in enumerate(heart([170.0 + i % 3 for i in range(30)], start=1800)):
        back = tuple(replace(m, time=m.time - timedelta(days=365)) for m in item.measurements)
        events = runs.process(replace(item, measurements=back))
        assert i > 15 or {event.category for event in events} <= {"technical"}
    assert runs._monitors["p1"].state.episodes.by_kind["heart_rate_high"].open


def test_rows_of_nan_are_a_technical_event_at_most_and_teach_nothing() -> None:
    rows = [
        upload(measured(i * 60.0, {"heart_rate": nan, "systolic": nan, "diastolic": nan}))
        for i in range(60)
    ]
    events = detect(rows)
    assert {event.kind for event in events} <= {"sensor_fault"}
    assert len(events) <= 2
    runs = engine()
    for item in rows:
        runs.process(item)
    calm = [e for item in heart([70.0 + i % 3 for i in range(30)], start=3600)
            for e in runs.process(item)]  # fmt: skip
    assert {event.category for event in calm} <= {"technical"}


@pytest.mark.slow
def test_a_hundred_thousand_readings_in_one_upload_are_judged_in_bounded_state() -> None:
    items = [
        measured(i * 20.0, {"heart_rate": 60.0 + (i * 7) % 11}, "rest") for i in range(100_000)
    ]
    fast = [
        measured(2_000_000.0 + i * 60.0, {"heart_rate": 140.0 + i % 3}, "rest") for i in range(20)
    ]
    runs = engine()
    assert announced(runs.process(upload(*items, *fast))) == [
        ("heart_rate_high", "opened", "medium")
    ]
    assert len(runs.state_of("p1")) < 8_000


@pytest.mark.parametrize(
    "tables",
    [
        {"limts": {}},
        {"limits": {"heart_rate_high": {"abov": 120}}},
        {"wards": {"icu": {"patients": ["a"], "lmits": {}}}},
        {"patients": {"p1": {"contxt": {}}}},
        {"plugins": {"x": {"detector": "river.drift.ADWIN"}}},
    ],
)
def test_a_key_that_is_not_known_or_missing_is_refused_with_its_table(
    tables: dict[str, object],
) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        from_tables(tables)
