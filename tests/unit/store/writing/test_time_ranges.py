"""Readings of times far apart go into transactions of their own, and none is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from store.writing.time_ranges import LIVE, MOST_RANGES, NEAR, split_by_time
from tests.support.messages import NOON, measurement, received, upload
from vigil.domain.reading import Upload
from vigil.streaming.handler import Received

HOUR = 3600.0
DAY = 24 * HOUR


def one(*seconds: float, patient: str = "p1", offset: int = 0) -> Received:
    return received(upload(*map(measurement, seconds), patient=patient), offset)


def times(ranges: Sequence[Sequence[Received]]) -> list[list[datetime]]:
    """The times in each range, sorted."""
    return [
        sorted(item.time for one in part if isinstance(one.message, Upload)
               for item in one.message.measurements)
        for part in ranges
    ]  # fmt: skip


def seconds(ranges: Sequence[Sequence[Received]]) -> list[list[float]]:
    return [[(time - NOON).total_seconds() for time in part] for part in times(ranges)]


def test_readings_of_one_half_hour_stay_together_as_they_are() -> None:
    batch = [one(0, 60, 900), one(1700, patient="p2")]
    assert split_by_time(batch) == [batch]
    assert split_by_time([]) == []


def test_one_late_reading_among_live_ones_is_a_range_of_its_own() -> None:
    live = [one(4 * DAY + 60 * i, patient=f"p{i}", offset=i) for i in range(10)]
    late = one(0, patient="p3", offset=10)
    assert split_by_time([*live[:5], late, *live[5:]]) == [live, [late]]


def test_several_late_readings_of_different_ages_are_not_bridged() -> None:
    ages = [2 * HOUR, 2 * HOUR + 240, 5 * HOUR, 4 * DAY, 9 * DAY, 400 * DAY]
    found = seconds(split_by_time([one(*(-age for age in ages), 0, 60)]))
    assert found == [[0, 60], *([-age] for age in ages)]


def test_a_device_that_was_offline_sends_one_range() -> None:
    """A reading a minute, some seconds early or late: the minutes changed anyway."""
    buffered = [-DAY + 61 * i for i in range(600)]
    assert seconds(split_by_time([one(*buffered, 0)])) == [[0], buffered]


def test_an_upload_is_divided_and_everything_else_of_it_kept() -> None:
    sent = one(0, 4 * DAY, 60, patient="p7", offset=4)
    live, late = split_by_time([sent])
    for part, wanted in ((live, [4 * DAY]), (late, [0.0, 60.0])):
        [message] = part
        assert (message.topic, message.offset, message.raw) == (sent.topic, 4, sent.raw)
        assert isinstance(message.message, Upload)
        assert message.message.patient_id == "p7"
        assert [(m.time - NOON).total_seconds() for m in message.message.measurements] == wanted


def test_the_number_of_ranges_is_limited_and_the_largest_gaps_stay() -> None:
    hourly = [-HOUR * i for i in range(1, 3 * MOST_RANGES)]
    found = seconds(split_by_time([one(0, -90 * DAY, *hourly)]))
    assert len(found) == MOST_RANGES
    assert found[0] == [0]
    assert found[-1] == [-90 * DAY]


moments = st.integers(0, 3 * 86_400).map(float) | st.integers(0, 40).map(lambda n: n * 55.0)
uploads = st.lists(
    st.tuples(st.sampled_from("ab"), st.lists(moments, max_size=6)), max_size=8
)  # fmt: skip


@given(uploads)
def test_each_reading_is_in_one_range_and_the_ranges_are_apart(
    made: list[tuple[str, list[float]]],
) -> None:
    batch = [
        received(Upload(patient, "d", NOON, tuple(map(measurement, each))), offset)
        for offset, (patient, each) in enumerate(made)
    ]
    ranges = split_by_time(batch)

    def content(parts: Sequence[Received]) -> Counter[tuple[str, int, str]]:
        return Counter(
            (part.message.patient_id, part.offset, item.reading_id)
            for part in parts
            if isinstance(part.message, Upload)
            for item in part.message.measurements
        )

    assert content([part for each in ranges for part in each]) == content(batch)
    found = times(ranges)
    for later, earlier in pairwise(found):
        assert later[0] > earlier[-1]
    if found:
        assert found[0][-1] - found[0][0] <= LIVE
    for later, earlier in pairwise(found[1:]):
        assert later[0] - earlier[-1] > NEAR
    for part in found[1:]:
        for before, after in pairwise(part):
            assert after - before <= NEAR + timedelta(minutes=1)
