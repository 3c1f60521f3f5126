"""Local time over changes of clock: hours, days and nights follow the zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.configuration.loading import from_tables
from detectors.context.configuration import ContextConfig
from detectors.context.local_time import LocalClock, hour
from detectors.resting_heart_rate.detector import Resting
from tests.support.vitals import moment
from vigil.service.errors import SettingsError
from vigil.values import time_zones


def context(zone: str = "", offset: float = 0.0) -> ContextConfig:
    tables = {"context": {"time_zone": zone, "utc_offset_hours": offset}}
    return from_tables(tables).everyone.context


def seconds(words: str) -> float:
    return datetime.fromisoformat(words).timestamp()


@pytest.mark.parametrize(
    ("zone", "time", "expected"),
    [
        ("Europe/Berlin", "2026-10-25T00:59:00Z", 2 + 59 / 60),
        ("Europe/Berlin", "2026-10-25T01:00:00Z", 2.0),  # the hour comes twice
        ("Europe/Berlin", "2026-03-29T01:00:00Z", 3.0),  # the hour from two to three is left out
        ("Asia/Kathmandu", "2026-06-01T00:00:00Z", 5.75),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 1.5),  # half an hour back
        ("America/St_Johns", "2010-11-07T02:31:00Z", 23 + 1 / 60),  # at a minute past twelve
        ("America/Vancouver", "2026-07-01T07:00:00Z", 0.0),
    ],
)
def test_the_hour_follows_the_zone(zone: str, time: str, expected: float) -> None:
    assert hour(context(zone), seconds(time)) == pytest.approx(expected)


@given(st.datetimes(datetime(2000, 1, 2), datetime(2029, 1, 1)), st.sampled_from([9.0, 5.5, -3.0]))  # noqa: DTZ001
def test_a_zone_that_never_changes_is_its_offset(time: datetime, offset: float) -> None:
    zone = {9.0: "Asia/Tokyo", 5.5: "Asia/Kolkata", -3.0: "America/Cayenne"}[offset]
    at = time.replace(tzinfo=UTC).timestamp()
    one, other = LocalClock(context(zone)), LocalClock(context(offset=offset))
    assert (one.hours(at), one.seconds(at)) == (other.hours(at), other.seconds(at))
    assert hour(context(zone), at) == hour(context(offset=offset), at)
    assert one.instant(at) == other.instant(at)


@given(st.dates(datetime(2024, 1, 1).date(), datetime(2028, 12, 30).date()))  # noqa: DTZ001
def test_a_day_begins_at_local_midnight(day: object) -> None:
    zone = time_zones.find("Europe/Berlin")
    midnight = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=zone)
    local = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()
    assert LocalClock(context("Europe/Berlin")).instant(local) == midnight.timestamp()


@pytest.mark.parametrize(
    ("night", "ends"),
    [
        ("2026-10-24", "2026-10-24T05:00:00Z"),
        ("2026-10-25", "2026-10-25T06:00:00Z"),  # one hour longer
        ("2026-03-29", "2026-03-29T05:00:00Z"),  # one hour shorter
    ],
)
def test_a_night_ends_at_seven_local_time_whenever_the_clock_changes(night: str, ends: str) -> None:
    config = from_tables({"context": {"time_zone": "Europe/Berlin"}}).everyone
    detector = Resting(config.resting, LocalClock(config.context))
    midnight = datetime.fromisoformat(f"{night}T00:00:00").replace(
        tzinfo=time_zones.find("Europe/Berlin")
    )
    begin, found = midnight.timestamp(), set()
    for minutes in (1, 90, 240):
        memory = detector.fresh()
        detector.learn(moment(begin + 60 * minutes, heart_rate=55.0), memory, frozenset())
        found.add(memory.night.ends)
    assert found == {seconds(ends)}
    late = detector.fresh()
    detector.learn(moment(seconds(ends) + 1, heart_rate=55.0), late, frozenset())
    assert not late.night.counts


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"time_zone": "Europe/Bonn"}, "no IANA zone"),
        ({"time_zone": "../etc/passwd"}, "no IANA zone"),
        ({"time_zone": "Europe/Berlin", "utc_offset_hours": 1.0}, "not both"),
    ],
)
def test_a_zone_that_cannot_be_used_is_named(tables: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        from_tables({"context": tables})


def test_the_same_local_night_is_the_same_night_all_year() -> None:
    config = context("Europe/Berlin")
    winter, summer = seconds("2026-01-10T21:30:00Z"), seconds("2026-07-10T20:30:00Z")
    assert hour(config, winter) == hour(config, summer) == 22.5
    assert timedelta(hours=LocalClock(config).hours(summer)) == timedelta(hours=2)
