"""One text, one instant, whichever door it comes through."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from history import sources as history
from ingest import validate
from ingest.recordings import rows as recording_rows
from vigil.contracts import topics, wire
from vigil.domain.reading import Tick, Upload
from vigil.service.errors import InputError, WireError
from vigil.values import timestamps

LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def at_the_door(words: str) -> datetime | None:
    try:
        return validate.moment(words, LATEST, "time")
    except InputError:
        return None


def on_the_topic(words: str) -> datetime | None:
    """As a measurement's time and as a tick's; ASCII escapes of JSON change nothing."""
    sent = {
        "patient_id": "p1", "device_id": "d1", "received_at": "2026-11-21T06:02:00Z",
        "measurements": [{"reading_id": "r", "time": words, "values": {"heart_rate": 72.1234567}}],
    }  # fmt: skip
    tick = json.dumps({"time": words})
    escaped = "".join(f"\\u{ord(char):04x}" for char in words)
    found = set[datetime | None]()
    for kind, text in (
        ("upload", json.dumps(sent)), ("tick", tick), ("tick", f'{{"time": "{escaped}"}}'),
    ):  # fmt: skip
        try:
            message = wire.decode_typed(topics.READINGS.name, f"org.vigil.{kind}.v1", text.encode())
        except WireError:
            found.add(None)
        else:
            assert isinstance(message, Upload | Tick)
            found.add(message.time if isinstance(message, Tick) else message.measurements[0].time)
    (only,) = found
    return only


def in_a_recording(words: str) -> datetime | None:
    return recording_rows.time_of(words)


def as_an_option(words: str) -> datetime | None:
    try:
        return history.parse_time(words, "--since")
    except InputError:
        return None


DATES = st.dates(date(2000, 1, 2), date(2199, 12, 30)).map(str) | st.sampled_from(
    ["2026-02-29", "2024-02-29", "2026-13-01", "2016-12-31", "2017-06-30", "2026-1-1"]
)
CLOCKS = st.times().map(lambda time: time.strftime("%H:%M:%S")) | st.sampled_from(
    ["23:59:60", "22:59:60", "00:59:60", "24:00:00", "12:60:00", "06:02", "15:59:60", "23:59:61"]
)
FRACTIONS = (
    st.just("")
    | st.from_regex(r"\.[0-9]{1,12}", fullmatch=True)
    | st.sampled_from([".", ",5", ".1234565", ".1234575", ".9999995", ".0000005", ".999999999999"])
)
OFFSETS = st.sampled_from(
    ["Z", "z", "+00:00", "-00:00", "+01:00", "-08:00", "+05:30", "+0100", "+01", "+24:00",
     "+14:00", "+01:60", "", " Z", "UTC"]
)  # fmt: skip
WORDS = st.builds("{}{}{}{}{}".format, DATES, st.sampled_from("Tt _"), CLOCKS, FRACTIONS, OFFSETS)


@given(WORDS)
@example("2026-11-21T06:02:00.1234565Z")  # half up
@example("2026-11-21T06:02:00.0000005Z")  # half to even
@example("2026-11-21T23:59:59.9999999Z")  # into another minute, and another day
@example("2016-12-31T23:59:60Z")
@example("2026-11-21T06:02Z")
@example("2026-11-21 06:02+0100")
@example("2016-12-31T15:59:60.1234567-08:00")
def test_every_door_takes_the_same_instant_or_none(words: str) -> None:
    taken = at_the_door(words)
    assert on_the_topic(words) == taken
    assert in_a_recording(words) == taken
    assert as_an_option(words) == taken
    if taken is not None:
        assert taken.utcoffset() == timedelta(0)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1)), st.text("0123456789", max_size=9))  # noqa: DTZ001
def test_what_follows_the_sixth_digit_changes_nothing(time: datetime, more: str) -> None:
    words = f"{time.isoformat(timespec='microseconds')}{more}Z"
    assert timestamps.parse(words) == time.replace(tzinfo=UTC) == on_the_topic(words)


@pytest.mark.parametrize(
    ("words", "instant"),
    [
        ("2026-11-21T07:02+01:00", "2026-11-21T06:02:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z"),
        ("2016-12-31t23:59:60.9999999z", "2017-01-01T00:00:00.999999Z"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
        ("2026-11-21T23:59:60Z", "2026-11-22T00:00:00Z"),
        ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9999999-14:00", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_leap_second_is_the_next_minute_and_the_calendar_has_ends(
    words: str, instant: str
) -> None:
    assert timestamps.parse(words) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    "words", ["2016-12-31T22:59:60Z", "2016-12-31T23:58:60Z", "2016-12-31T23:59:60+01:00"]
)
def test_no_other_minute_has_a_second_sixty(words: str) -> None:
    with pytest.raises(timestamps.NotATimeError):
        timestamps.parse(words)


def test_a_text_that_looks_like_a_time_stays_as_it_is() -> None:
    action = {
        "action_id": "a", "episode_id": "e", "patient_id": "p1", "actor": "u", "verb": "comment",
        "time": "2026-11-21T06:02:00.1234567Z", "comment": "2026-11-21T06:02:00.1234567Z",
    }  # fmt: skip
    message = wire.decode(topics.ACTIONS.name, json.dumps(action).encode(), [])
    assert message.comment == action["comment"]  # type: ignore[union-attr]
    assert message.time.microsecond == 123456  # type: ignore[union-attr]


def test_postgresql_makes_the_same_of_a_leap_second_and_takes_what_we_write(
    database_url: str,
) -> None:
    written = ["2017-01-01T00:00:00.123456Z", "2199-12-31T23:59:59.999999Z"]
    with psycopg.connect(database_url) as connection:
        for words in ["2016-12-31T23:59:60Z", *written]:
            row = connection.execute(
                "SELECT time FROM jsonb_to_recordset(%s::jsonb) AS x(time timestamptz)",
                (json.dumps([{"time": words}]),),
            ).fetchone()
            assert row is not None
            assert row[0] == timestamps.parse(words)
