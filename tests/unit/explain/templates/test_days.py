"""A day is named as the patient counts it, whatever the day is in UTC then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.facts.moments import zone_of
from explain.facts.slots import render_slots
from explain.languages import LOCALES
from explain.templates.compose import compose
from tests.support.vitals import DAY, HOUR, detect, measured, upload
from tests.support.wording import event
from vigil.domain.episode import Event

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Kiritimati")


def over_days(onset: datetime, **evidence: Any) -> Event:
    known = {"signal": "systolic", "value": 158.0, "limit": 135.0, "duration_observed": False}
    return event(
        kind="blood_pressure_raised_over_days",
        priority="low",
        onset=onset,
        detected_at=onset + timedelta(days=15),
        evidence={**known, **evidence},
    )


@given(st.integers(0, 10 * 366 * 1440), st.sampled_from(ZONES))
def test_a_date_is_the_day_in_the_patients_zone(minutes: int, zone: str) -> None:
    made = over_days(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes), time_zone=zone)
    day = made.onset.astimezone(ZoneInfo(zone))
    assert render_slots(made, "en")["first_seen"] == f"on {day.day} {day:%B}"


@pytest.mark.parametrize("zone", ZONES)
def test_the_day_of_an_average_is_its_first_days(zone: str) -> None:
    """From a recording to the words: the onset is a local midnight."""
    log = [
        upload(measured(d * DAY + 8 * HOUR, {"systolic": 158.0, "diastolic": 98.0}, "rest"))
        for d in range(40)
    ]
    (made,) = [
        one
        for one in detect(log, context={"time_zone": zone})
        if one.kind == "blood_pressure_raised_over_days"
    ]
    first = datetime.fromisoformat(made.evidence["days"][0]["day"])
    assert made.onset.astimezone(ZoneInfo(zone)).date() == first.date()
    alert = compose(made)
    assert f"on {first.day} {first:%B}" in alert.texts["patient"]["en"].body
    assert f"on {first.day} {first:%B}" in alert.texts["care_team"]["en"].body
    assert "UTC" not in alert.texts["patient"]["en"].body
    for locale in LOCALES:
        assert "UTC" not in alert.texts["patient"][locale].body


def test_what_is_judged_by_days_names_no_day_of_utc() -> None:
    onset = datetime(2026, 7, 31, 22, tzinfo=UTC)
    watched = over_days(onset, duration_observed=True, time_zone="Europe/Berlin", readings_beyond=9)
    shown = render_slots(watched, "en")
    assert "since" not in shown
    assert "since" in render_slots(over_days(onset, duration_observed=True), "en")
    assert "31 July" not in str(compose(watched).texts)


@pytest.mark.parametrize(
    ("known", "hours"),
    [
        ({"utc_offset_hours": 9.0}, 9.0),
        ({"utc_offset_hours": -3.5}, -3.5),
        ({"utc_offset_hours": 90.0}, 0.0),
        ({"utc_offset_hours": "9"}, 0.0),
        ({"time_zone": "No/Where"}, 0.0),
        ({"time_zone": "../etc/passwd"}, 0.0),
        ({"time_zone": 3}, 0.0),
        ({"time_zone": "Asia/Tokyo"}, 9.0),
        ({}, 0.0),
    ],
)
def test_anything_else_is_utc(known: dict[str, Any], hours: float) -> None:
    moment = datetime(2026, 8, 5, tzinfo=UTC)
    assert moment.astimezone(zone_of(known)).utcoffset() == timedelta(hours=hours)


def test_a_zone_at_the_ends_of_the_calendar_breaks_nothing() -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    made = over_days(first, time_zone="America/New_York")
    assert render_slots(made, "en")["first_seen"] == "on 1 January"


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "Europe/Berlin"])
def test_a_night_ends_on_the_patients_date(zone: str) -> None:
    """Of nights as well, over a change of clocks: what UTC calls the day is not what they do."""
    clock = ZoneInfo(zone)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    log, mornings = [], []
    for day in range(32):
        midnight = datetime(2026, 3, 2, tzinfo=clock) + timedelta(days=day)
        morning = midnight.replace(hour=7, minute=30)
        rate = 60.0 + day % 3 + 12.0 * (day >= 30)
        times = [midnight.astimezone(UTC) + timedelta(minutes=m) for m in range(0, 420, 10)]
        log.append(
            upload(
                *[
                    measured((time - start).total_seconds(), {"heart_rate": rate + n % 2}, "asleep")
                    for n, time in enumerate(times)
                ]
            )
        )
        after = (morning.astimezone(UTC) - start).total_seconds()
        log.append(upload(measured(after, {"heart_rate": 75.0}, "rest")))
        mornings.append(morning.date().isoformat())
    opened = next(
        one
        for one in detect(log, context={"time_zone": zone})
        if one.kind == "resting_heart_rate_raised"
    )
    ended = [night["ended"] for night in opened.evidence["nights"]]
    assert ended == mornings[-len(ended) :]
    assert opened.detected_at.astimezone(clock).date().isoformat() == ended[-1]
