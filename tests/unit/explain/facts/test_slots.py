"""Slots: unit, rounding, words; nothing impossible, nothing invented, nothing scanned twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from explain.facts.slots import fill_slots, render_slots
from explain.templates.compose import compose
from tests.support.wording import ONSET, event


def rendered(**evidence: Any) -> dict[str, str]:
    """Of a finding whose readings stand close together, unless the evidence says otherwise."""
    return render_slots(event(evidence={"duration_observed": True} | evidence), "en")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("heart_rate", {"heart_rate": 117.6}, "118 beats a minute"),
        ("blood_pressure", {"systolic": 182, "diastolic": 121.4}, "182 over 121"),
        ("blood_pressure_mmhg", {"systolic": 182, "diastolic": 121}, "182 over 121 mmHg"),
        ("spo2", {"spo2": 91}, "91 percent"),
        ("respiratory_rate", {"respiratory_rate": 24}, "24 breaths a minute"),
        ("temperature", {"temperature": 38.36}, "38.4 °C"),
    ],
)
def test_values_carry_their_unit(name: str, values: dict[str, float], words: str) -> None:
    assert rendered(values=values)[name] == words


@pytest.mark.parametrize(
    "values",
    [
        {"heart_rate": None}, {"heart_rate": "118"}, {"heart_rate": True}, {"heart_rate": 1180},
        {"heart_rate": float("nan")}, {"heart_rate": 10**400}, {"heart_rate": [118]}, "118", None,
    ],
)  # fmt: skip
def test_what_is_no_possible_number_is_no_slot(values: Any) -> None:
    assert "heart_rate" not in rendered(values=values)


@pytest.mark.parametrize(
    "values",
    [{"diastolic": 70}, {"systolic": 90, "diastolic": 90}, {"systolic": 90, "diastolic": 900}, {}],
)
def test_half_a_blood_pressure_is_none(values: dict[str, float]) -> None:
    assert "blood_pressure" not in rendered(values=values)


@pytest.mark.parametrize("values", [{"systolic": 74}, {"systolic": 74, "diastolic": None}])
def test_a_systolic_pressure_alone_is_shown_as_such(values: dict[str, float | None]) -> None:
    """Palpation gives no diastolic pressure."""
    slots = rendered(values=values, average={"systolic": 76})
    assert slots["blood_pressure"] == "74 (top number)"
    assert slots["blood_pressure_mmhg"] == "systolic 74 mmHg"
    assert slots["average_blood_pressure"] == "76 (top number)"


@pytest.mark.parametrize(
    ("signal", "limit", "words"),
    [
        ("heart_rate", 110, "110 beats a minute"),
        ("systolic", 180, "systolic 180 mmHg"),
        ("diastolic", 120, "diastolic 120 mmHg"),
        ("shock_index", 1.001, "1.00"),
        ("mean_arterial_pressure", 64.999, "65 mmHg"),
    ],
)
def test_a_limit_is_shown_in_the_unit_of_what_is_judged(
    signal: str, limit: float, words: str
) -> None:
    assert rendered(signal=signal, limit=limit)["limit"] == words


def test_without_a_signal_the_kind_says_what_is_judged() -> None:
    assert rendered(limit=110)["limit"] == "110 beats a minute"
    assert rendered(signal=["heart_rate"], limit=110)["limit"] == "110 beats a minute"


def test_a_derived_value_is_worded_by_name() -> None:
    shock = event(kind="shock_index_high", evidence={"signal": "shock_index", "value": 1.123})
    assert render_slots(shock, "en")["shock_index"] == "1.12"
    assert "heart_rate" not in render_slots(shock, "en")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (60, "about 1 minute"), (540, "about 9 minutes"), (2400, "about 40 minutes"),
        (2460, "about 40 minutes"), (5000, "about 80 minutes"), (7000, "about 2 hours"),
        (36 * 3600 - 60, "about 36 hours"), (36 * 3600 + 60, "about 2 days"),
        (86400 * 30, "about 30 days"),
    ],
)  # fmt: skip
def test_durations_are_rounded_as_people_say_them(seconds: float, words: str) -> None:
    assert rendered(duration_seconds=seconds)["duration"] == words


@pytest.mark.parametrize("seconds", [59, 0, -5, 1e12])
def test_a_duration_that_says_nothing_is_no_slot(seconds: float) -> None:
    assert "duration" not in rendered(duration_seconds=seconds)


def test_without_a_duration_the_event_s_own_times_give_it() -> None:
    assert rendered()["duration"] == "about 40 minutes"


def test_times_are_utc_and_name_the_day_where_it_is_another() -> None:
    assert rendered()["since"] == "06:02 UTC"
    days = event(onset=ONSET - timedelta(days=2))
    assert render_slots(days, "en")["since"] == "06:02 UTC on 19 November"
    elsewhere = datetime.fromisoformat("2026-11-21T08:02:00+02:00")
    assert render_slots(event(onset=elsewhere), "en")["since"] == "06:02 UTC"
    over = event(phase="closed", ended_at=datetime(2026, 11, 21, 6, 30, tzinfo=UTC))
    assert render_slots(over, "en")["until"] == "06:30 UTC"
    assert "until" not in render_slots(event(ended_at=over.ended_at), "en")


def test_late_data_names_the_day_it_was_measured_on_where_it_came_on_another() -> None:
    came_later = {"retrospective": True, "phase": "closed", "ended_at": ONSET}
    for delay, seen, since in (
        (600.0, "at 06:02 UTC", "06:02 UTC"),
        (20 * 86_400.0, "on 21 November", "06:02 UTC on 21 November"),
    ):
        evidence = {"signal_delay_seconds": delay}
        late = event(evidence=evidence, **came_later)
        assert render_slots(late, "en")["first_seen"] == seen
        late = event(evidence=evidence | {"duration_observed": True}, **came_later)
        assert render_slots(late, "en")["since"] == since


def test_where_late_readings_end_nobody_saw_an_end() -> None:
    evidence = {"reason": "late_end", "duration_observed": True, "duration_seconds": 1800.0}
    over = event(phase="closed", ended_at=ONSET, retrospective=True, evidence=evidence)
    assert "until" not in render_slots(over, "en")
    assert render_slots(over, "en")["duration"] == "about 30 minutes"


def test_a_usual_range_is_shown_once_it_is_the_person_s_own() -> None:
    band = {"low": 58.2, "high": 75.4}
    assert rendered(baseline=band)["usual_range"] == "58 to 75 beats a minute"
    assert "usual_range" not in rendered(baseline={**band, "confidence": 0.99})
    assert "usual_range" not in rendered(baseline={"low": 80, "high": 75})
    assert "usual_range" not in rendered(baseline={"low": 80})
    assert rendered(baseline={"low": 60.1, "high": 60.2})["usual_range"] == "60 beats a minute"


def test_counts_have_a_singular() -> None:
    assert rendered(samples=1)["samples"] == "1 reading"
    assert rendered(samples=41)["samples"] == "41 readings"


def test_a_trend_rests_on_its_nights_or_days_not_on_the_reading_that_made_it_known() -> None:
    assert rendered(samples=1, nights_used=1)["samples"] == "1 earlier night"
    assert rendered(samples=1, nights_used=56)["samples"] == "56 earlier nights"
    assert rendered(samples=1, days=[{"readings": 4}, {"readings": 3}])["samples"] == "7 readings"
    assert "samples" not in rendered(samples=1, days=[{"readings": None}, "4"])


def test_what_a_trend_over_days_was_judged_by_is_no_reading() -> None:
    """Its end that nobody measured states no days: averages are counted, and not named readings."""
    for kind in ("blood_pressure_raised_over_days", "resting_heart_rate_raised"):
        stated = {"samples": 9, "readings_beyond": 9, "duration_observed": False}
        slots = render_slots(event(kind=kind, evidence=stated), "en")
        assert slots.keys().isdisjoint({"samples", "readings_beyond"})


@pytest.mark.parametrize("value", ["{x.__class__}", "{limit}", "<b>", "\u202e", r"\1 \g<0>"])
def test_a_slot_s_value_is_never_read_again(value: str) -> None:
    assert fill_slots("Now {heart_rate}.", {"heart_rate": value, "limit": "no"}) == f"Now {value}."


def test_a_slot_that_is_not_there_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        fill_slots("Now {heart_rate}.", {})


def test_what_else_holds_is_listed_with_its_values() -> None:
    known = {"kind": "shock_index_high", "signal": "shock_index", "value": 1.2}
    bare = {"kind": "pattern_unusual", "signal": None}
    hostile = [{"kind": "<b>"}, "shock", {"kind": ["x"]}, {"kind": "heart_rate_high",
                "signal": "heart_rate", "value": 9000}]  # fmt: skip
    rendered = render_slots(event(evidence={"parts": [known, bare, *hostile]}), "en")["parts"]
    assert rendered == "shock index high, 1.20; pattern unusual; heart rate high"
    assert "parts" not in render_slots(event(evidence={"parts": hostile[:3]}), "en")
    assert "parts" not in render_slots(event(evidence={"parts": {"heart_rate": 3}}), "en")


def test_a_scores_signals_are_named_by_their_share() -> None:
    shares = {"heart_rate": 1, "respiratory_rate": 3, "spo2": 0, "temperature": -1, "<b>": 9}
    rendered = render_slots(event(evidence={"contributions": shares}), "en")
    assert rendered["contributors"] == "breathing, heart rate"
    assert "contributors" not in render_slots(event(evidence={"contributions": {"spo2": 0}}), "en")
    assert "contributors" not in render_slots(event(evidence={"contributions": [1]}), "en")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (18_001.0, "about 5 hours behind"),
        (-18_000.0, "about 5 hours ahead"),
        (960.0, "about 16 minutes behind"),
        (-60.0, "about 1 minute ahead"),
        (3_719.0, "about 1 hour behind"),
        (19_800.0, "about 5 h 30 min behind"),
        (-20_790.0, "about 5 h 45 min ahead"),
        (7_000.0, "about 1 h 57 min behind"),
        (5_700.0, "about 1 h 35 min behind"),
        (3_570.0, "about 1 hour behind"),
        (3_450.0, "about 58 minutes behind"),
        (-365 * 86_400.0, "about 365 days ahead"),
        (59.0, None),
        (1e12, None),
        (float("nan"), None),
        ("18000", None),
        (True, None),
    ],
)
def test_a_clock_that_is_off_says_by_how_much(seconds: Any, text: str | None) -> None:
    known = {"reason": "constant_offset", "offset_seconds": seconds}
    off = event(kind="device_clock", category="technical", priority="low", evidence=known)
    assert render_slots(off, "en").get("clock_offset") == text
    texts = compose(off).texts
    for who, locales in texts.items():
        for locale, shown in locales.items():
            own = render_slots(off, locale).get("clock_offset")
            assert (own is not None and own in shown.body) == (text is not None), (who, locale)
    for over in (
        replace(off, phase="closed", ended_at=off.detected_at),
        replace(off, retrospective=True),
        event(evidence={**event().evidence, **known}),
    ):
        assert "clock_offset" not in render_slots(over, "en")
