"""A sender's own time, and the correction of a device's clock, at the door."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http.batch import Batch, Door, items, sent_at, sort_out
from vigil.contracts.device_clock import with_usable_times
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.service.errors import InputError

NOW = datetime(2026, 11, 20, 8, 1, 4, tzinfo=UTC)
TOLERANCE = timedelta(minutes=5)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def door(correction: int = 0, **more: Any) -> Door:
    return Door(
        device=DeviceEntry("watch-1", "-", "p1", clock_correction_seconds=correction, **more),
        patient=lambda name: PatientEntry(name, "north"),
        known=lambda key: False,
        now=NOW,
        latest=NOW + TOLERANCE,
        sent_at=NOW - timedelta(seconds=correction),
    )


def reading(time: datetime, **more: Any) -> dict[str, Any]:
    return {"time": time.isoformat(), "values": {"heart_rate": 72}, **more}


def sent(time: datetime, correction: int = 0, **more: Any) -> Batch:
    return sort_out(items({"readings": [reading(time)]}), door(correction, **more))


def test_it_stands_beside_the_readings_or_in_the_one_that_is_the_body() -> None:
    words, moment = "2026-11-20T09:01:04.5+01:00", datetime(2026, 11, 20, 8, 1, 4, 500_000, UTC)
    one = reading(NOW) | {"sent_at": words}
    assert sent_at(one) == sent_at({"readings": [], "sent_at": words}) == moment
    assert sent_at(reading(NOW)) is sent_at([]) is None
    assert items(one) == [("", reading(NOW))]
    assert items({"readings": [one], "sent_at": words}) == [("readings[0].", one)]
    refused = sort_out(items({"readings": [one]}), door()).results[0].error
    assert refused is not None
    assert (refused.code, refused.field) == ("input.unknown_field", "readings[0].sent_at")


@pytest.mark.parametrize("words", ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_it_may_be_as_wrong_as_the_clock_is(words: str) -> None:
    assert sent_at({"sent_at": words}) == datetime.fromisoformat(words)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("2026-11-20T08:00:00", "input.naive_time"), ("yesterday", "input.wrong_type"),
        (None, "input.wrong_type"), (1795000000, "input.wrong_type"),
        ("2026-02-30T08:00:00Z", "input.wrong_type"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_by_its_name(words: object, code: str) -> None:
    with pytest.raises(InputError) as refused:
        sent_at({"sent_at": words, "readings": [reading(NOW)]})
    assert (refused.value.code, refused.value.field) == (code, "sent_at")


@given(st.integers(-26 * 3600, 26 * 3600), st.integers(0, 30 * 86_400))
def test_a_correction_makes_the_device_s_time_ours_and_says_so(correction: int, ago: int) -> None:
    true = NOW - timedelta(seconds=ago)
    own = true - timedelta(seconds=correction)
    batch = sent(own, correction)
    [upload] = batch.uploads
    assert upload.measurements[0].time == true
    assert upload.clock_correction_seconds == correction
    assert upload.sent_at == NOW - timedelta(seconds=correction)  # as the device said it
    [plain] = sent(own).uploads if own <= NOW + TOLERANCE else [None]
    if plain is not None:  # the reading is the same one, corrected or not
        assert plain.measurements[0].reading_id == upload.measurements[0].reading_id


def test_a_correction_that_was_left_when_the_clock_was_put_right_is_refused_and_named() -> None:
    [result] = sent(NOW, 18_000).results
    assert result.error is not None
    assert (result.error.code, result.error.field) == ("input.future_time", "readings[0].time")
    assert "+18000 s" in result.error.message
    assert "vigil device clock" in result.error.how_to_fix


def test_a_clock_that_began_at_its_factory_s_date_can_be_corrected() -> None:
    years = 6 * 365 * 86_400
    [upload] = sent(NOW - timedelta(seconds=years), years).uploads
    assert upload.measurements[0].time == NOW


def test_an_assignment_is_held_against_the_corrected_time() -> None:
    given_over = NOW - timedelta(hours=1)
    own = NOW - timedelta(hours=5, minutes=10)  # by a clock 5 h behind: ten minutes ago
    assert sent(own, 5 * 3600, assigned_at=given_over).results[0].status == "accepted"
    assert sent(own, 0, assigned_at=given_over).results[0].status == "rejected"


# ---- a clock whose times cannot be used: the sender states its time of sending


def request(own: datetime, sender: datetime | None, now: datetime = NOW, **more: Any) -> Batch:
    """One reading at ``own`` by the device's clock, which shows ``sender`` when it sends."""
    return sort_out(
        items({"readings": [reading(own)]}),
        replace(door(**more), now=now, latest=now + TOLERANCE, sent_at=sender),
    )


@pytest.mark.parametrize(
    "wrong", [5 * HOUR, HOUR, 16 * MINUTE, DAY, 365 * DAY, -31 * DAY, -365 * DAY, -50 * 365 * DAY]
)
def test_times_that_cannot_be_used_are_shifted_by_what_the_sender_states(wrong: timedelta) -> None:
    true = NOW - 90 * SECOND
    batch = request(true + wrong, NOW + wrong)
    assert [one.status for one in batch.results] == ["accepted"]
    [upload] = batch.uploads
    assert upload.measurements[0].time == true
    assert upload.clock_shift_seconds == -wrong.total_seconds()
    assert upload.sent_at == NOW + wrong  # as the device said it


@pytest.mark.parametrize("wrong", [timedelta(0), 5 * MINUTE, -5 * HOUR, -29 * DAY])
def test_times_that_can_be_used_stay_as_they_were_sent(wrong: timedelta) -> None:
    [upload] = request(NOW + wrong - SECOND, NOW + wrong).uploads
    assert (upload.measurements[0].time, upload.clock_shift_seconds) == (NOW + wrong - SECOND, 0.0)


def test_without_its_time_of_sending_a_reading_of_the_future_is_refused() -> None:
    [result] = request(NOW + HOUR, None).results
    assert result.error is not None
    assert result.error.code == "input.future_time"
    assert "sent_at" in result.error.how_to_fix


def test_a_reading_after_its_own_sending_is_refused_all_the_same() -> None:
    [result] = request(NOW + 7 * HOUR, NOW + 5 * HOUR).results
    assert result.error is not None
    assert result.error.code == "input.future_time"


def test_a_time_of_sending_before_the_reading_is_by_another_clock() -> None:
    """The reading is of now; what the sender states is fifty years ago."""
    [upload] = request(NOW, NOW - 50 * 365 * DAY).uploads
    assert (upload.measurements[0].time, upload.clock_shift_seconds) == (NOW, 0.0)
    assert upload.sent_at == NOW - 50 * 365 * DAY
    assert with_usable_times(upload) is upload


def test_the_setting_counts_before_what_the_sender_states() -> None:
    """Ahead by five hours, corrected by five: nothing is left to shift."""
    [upload] = request(NOW + 5 * HOUR, NOW + 5 * HOUR, correction=-18_000).uploads
    assert (upload.measurements[0].time, upload.clock_shift_seconds) == (NOW, 0.0)


def test_a_shifted_reading_that_is_sent_again_is_a_duplicate() -> None:
    """Its second attempt is sent, and received, later: how much, and so the shift, differs."""
    own = NOW + 5 * HOUR
    first = request(own, own + SECOND, now=NOW + 2 * SECOND)
    [key] = first.keys
    again = sort_out(
        items({"readings": [reading(own)]}),
        replace(door(), now=NOW + 9 * SECOND, latest=NOW + HOUR, sent_at=own + 7 * SECOND,
                known={key}.__contains__),
    )  # fmt: skip
    assert [one.status for one in again.results] == ["duplicate"]


def test_an_assignment_is_held_against_the_shifted_time() -> None:
    given_over = NOW - 10 * MINUTE
    before, after = NOW - 11 * MINUTE, NOW - 9 * MINUTE
    for true, status in [(before, "rejected"), (after, "accepted")]:
        batch = request(true + 5 * HOUR, NOW + 5 * HOUR, assigned_at=given_over)
        assert [one.status for one in batch.results] == [status]


def test_a_clock_that_states_to_be_behind_loses_no_reading_of_the_new_wearer() -> None:
    """Five hours behind, and given over a minute ago: its times are of before that."""
    given_over = NOW - MINUTE
    for true, status in [(NOW - 2 * MINUTE, "rejected"), (NOW - SECOND, "accepted")]:
        batch = request(true - 5 * HOUR, NOW - 5 * HOUR, assigned_at=given_over)
        assert [one.status for one in batch.results] == [status]
        assert all(u.measurements[0].time == true - 5 * HOUR for u in batch.uploads)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_whatever_the_clock_shows_no_taken_time_is_in_the_future(
    own: datetime, sender: datetime
) -> None:
    for upload in request(own, sender).uploads:
        assert upload.measurements[0].time <= NOW + TOLERANCE


@pytest.mark.parametrize(
    ("behind", "correction", "named"),
    [(5 * HOUR, 0, "5h0min"), (5 * HOUR, 7200, "7h0min"), (16 * MINUTE, 0, "16min")],
)
def test_a_slow_clock_after_a_hand_over_is_named_with_the_command_that_corrects_it(
    behind: timedelta, correction: int, named: str
) -> None:
    """Nobody can distinguish its readings from the former wearer's, so all are refused; by the
    correction that the refusal names the next are taken."""
    given = NOW - 10 * MINUTE
    own = replace(door(correction, assigned_at=given), sent_at=None)
    shown = NOW - behind - timedelta(seconds=correction)
    batch = sort_out(items(reading(shown)), own)
    (result,) = batch.results
    assert result.error is not None
    assert result.error.code == "access.before_assignment"
    assert f"`vigil device clock watch-1 --behind {named}`" in result.error.how_to_fix
    assert batch.is_before_assignment
    right = int(behind.total_seconds()) + correction
    corrected = replace(door(right, assigned_at=given), sent_at=None)
    batch = sort_out(items(reading(shown)), corrected)
    assert (batch.results[0].status, batch.is_before_assignment) == ("accepted", False)
