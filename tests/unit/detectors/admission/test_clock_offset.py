"""A clock that is off by about the same amount each time is told from a buffer and from a slow
connection, and its wearer's severe alarms are no history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.admission.clocks.offsets import MOST_DEVICES
from detectors.engine.engine import Engine
from tests.support.vitals import DAY, HOUR, announced, at, cuff, detect, engine, heart
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

OPENED = [("device_clock", "opened", "low")]
OFFSETS = (5 * HOUR, HOUR, 960.0, 30 * 60.0, 5.75 * HOUR, DAY)
laws = settings(max_examples=20, deadline=None)


def behind(items: Iterable[Upload], by: float, delays: Sequence[float] = (0.0,)) -> list[Upload]:
    """The same uploads of a device whose clock is behind: received so much later."""
    late = [timedelta(seconds=by + delay) for delay in delays]
    return [
        replace(item, received_at=item.received_at + late[i % len(late)])
        for i, item in enumerate(items)
    ]


def calm(count: int, start: float = 0.0, every: float = 60.0) -> list[Upload]:
    return heart([70.0 + i % 4 for i in range(count)], start=start, every=every)


def of_clock(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == "device_clock"]


def clinical(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.category == "clinical"]


@pytest.mark.parametrize("offset", OFFSETS)
def test_each_offset_of_the_issue_is_found_with_its_size(offset: float) -> None:
    found = of_clock(detect(behind(calm(30), offset, delays=(0.0, 20.0, 45.0))))
    assert announced(found) == OPENED
    evidence = found[0].evidence
    assert evidence["reason"] == "constant_offset"
    assert evidence["offset_seconds"] == offset + 1  # what `heart` takes to be received
    assert evidence["offset_uploads"] >= 4
    assert (evidence["offset_source"], evidence["device_id"]) == ("lateness", "d1")
    assert evidence["near_zone_minutes"] == 15 * round(offset / 900)


@laws
@given(
    offset=st.floats(610.0, 26 * HOUR),
    delays=st.lists(st.floats(0.0, 235.0), min_size=1, max_size=9),
    every=st.floats(60.0, 12 * HOUR),
)
def test_about_the_same_lateness_is_an_offset_within_its_spread(
    offset: float, delays: list[float], every: float
) -> None:
    assume(every > max(delays))
    count = max(6, int(900 / every) + 8)
    found = of_clock(detect(behind(calm(count, every=every), offset, delays)))
    assert announced(found) == OPENED
    assert offset <= found[0].evidence["offset_seconds"] <= offset + max(delays) + 2


@laws
@given(
    st.lists(st.floats(0.0, 3 * HOUR), min_size=10, max_size=60),
    st.floats(300.0, 6 * HOUR),
)
def test_lateness_that_differs_from_upload_to_upload_never_is(
    lateness: list[float], every: float
) -> None:
    """Any sequence of which no two neighbours, in order of receipt, are within the spread of each
    other."""
    apart = lateness[:1]
    for late in lateness[1:]:
        apart.append(late if abs(late - apart[-1]) > 1805 else apart[-1] + 1900.0)
    items = [
        replace(heart([70.0 + i % 4], start=DAY + i * every - late)[0], received_at=received)
        for i, late in enumerate(apart)
        for received in [at(DAY + i * every)]
    ]
    assert of_clock(detect(items)) == []


@laws
@given(
    start=st.floats(900.0, 12 * HOUR),
    speed=st.floats(1.3, 100.0),
    every=st.floats(5.0, 900.0),
    wait=st.floats(0.0, 60.0),
)
def test_a_buffer_that_is_caught_up_with_never_is(
    start: float, speed: float, every: float, wait: float
) -> None:
    """A device that was away sends its past, the oldest first, faster than it measures."""
    items, time, received = list[Upload](), 0.0, start
    for _ in range(120):
        item = heart([70.0 + len(items) % 4], start=time)[0]
        items.append(replace(item, received_at=at(received + wait)))
        received += every
        time = min(received, time + every * speed)
    assert of_clock(detect(items)) == []


def test_one_upload_of_a_whole_past_never_is() -> None:
    past = [replace(item, received_at=at(9 * HOUR)) for item in calm(500)]
    assert of_clock(detect([*past, *calm(30, start=9 * HOUR + 60)])) == []


@laws
@given(st.data(), st.sampled_from([0.0, 700.0, HOUR, 5 * HOUR]))
def test_splitting_and_repeating_uploads_changes_nothing(data: st.DataObject, by: float) -> None:
    rates = [*[72.0, 74.0] * 12, *[141.0, 143.0] * 12, *[71.0, 70.0] * 10]
    parts = heart(rates)
    whole, split = [], []
    while parts:
        size = data.draw(st.integers(1, 6))
        rows, parts = parts[:size], parts[size:]
        received = rows[-1].received_at + timedelta(seconds=by)
        measured = tuple(row.measurements[0] for row in rows)
        whole.append(replace(rows[0], received_at=received, measurements=measured))
        cut = data.draw(st.integers(0, len(measured)))
        pieces = [piece for piece in (measured[:cut], measured[cut:]) if piece]
        split += [replace(whole[-1], measurements=piece) for piece in pieces]
        if data.draw(st.booleans()):
            split.append(data.draw(st.sampled_from(split)))
    expected = detect(whole)
    assert detect(split) == expected
    assert detect([*whole, *whole]) == expected


@laws
@given(st.lists(st.booleans(), min_size=50, max_size=50), st.sampled_from([960.0, 5 * HOUR]))
def test_a_saved_state_goes_on(saves: list[bool], by: float) -> None:
    items = behind(heart([*[72.0, 74.0] * 10, *[141.0, 143.0] * 15]), by)
    runs, events = engine(), list[Event]()
    for item, save in zip(items, saves, strict=True):
        events += runs.process(item)
        if save:
            state, runs = runs.state_of("p1"), engine()
            runs.load_state("p1", state)
    assert events == detect(items)


def story(events: Iterable[Event]) -> list[Any]:
    """Clinical events but for what tells of the clock alone."""
    own = {"time_uncertain", "offset_seconds", "signal_delay_seconds"}
    return [
        replace(event, retrospective=False,
                evidence={k: v for k, v in event.evidence.items() if k not in own})
        for event in clinical(events)
    ]  # fmt: skip


@laws
@given(st.floats(0.0, 10 * HOUR), st.lists(st.sampled_from([0.0, 50.0, 200.0]), min_size=3))
def test_a_shift_changes_nothing_clinical(offset: float, delays: list[float]) -> None:
    """The wearer of a clock that is off is judged as the wearer of one that is right."""
    items = heart([*[72.0, 74.0] * 15, *[141.0, 143.0] * 12, *[71.0, 70.0] * 10])
    assert story(detect(behind(items, offset, delays))) == story(detect(items))


def test_severe_alarms_of_such_a_device_are_no_history_and_their_time_is_uncertain() -> None:
    items = [*calm(30), *heart([150.0, 152.0] * 15, start=1800.0)]
    opened = clinical(detect(behind(items, 5 * HOUR)))[0]
    assert (opened.kind, opened.phase, opened.retrospective) == ("heart_rate_high", "opened", False)
    assert opened.evidence["time_uncertain"] is True
    assert opened.evidence["offset_seconds"] == 5 * HOUR + 1


def test_what_was_taken_for_history_before_is_announced_once_the_clock_is_known() -> None:
    events = clinical(detect(behind(heart([150.0, 152.0] * 30), 5 * HOUR)))
    steps = [(event.phase, event.retrospective) for event in events]
    assert steps == [("opened", True), ("updated", False)]
    again = events[1].evidence
    assert (again["change"], again["time_uncertain"]) == ("continues", True)
    assert again["value"] in {150.0, 152.0}


def test_what_is_over_before_the_clock_is_known_stays_history() -> None:
    items = [*heart([150.0, 152.0] * 6), *calm(60, start=720.0)]
    events = clinical(detect(behind(items, 5 * HOUR)))
    assert [event.phase for event in events] == ["opened", "closed"]
    assert events[0].retrospective


def test_a_severe_pressure_that_nothing_follows_is_no_history_either() -> None:
    """A cuff's step is held back, and judged by the clock in the log when nothing comes."""
    items = behind(cuff([(124, 78), (126, 80), (122, 79), (125, 81), (123, 80), (214, 131)]),
                   HOUR)  # fmt: skip
    runs = engine()
    for item in items:
        runs.process(item)
    last = items[-1].received_at
    ticks = [last + timedelta(minutes=m) for m in range(1, 100)]
    found = clinical(event for now in ticks for event in runs.tick(now))
    assert announced(found) == [("blood_pressure_high", "opened", "medium")]
    assert (found[0].retrospective, found[0].evidence["time_uncertain"]) == (False, True)


def test_a_clock_that_is_put_right_ends_it() -> None:
    wrong, right = behind(calm(30), HOUR), calm(5, start=3 * HOUR)
    found = of_clock(detect([*wrong, *right]))
    assert announced(found) == [*OPENED, ("device_clock", "closed", "low")]
    assert found[1].evidence["reason"] == "constant_offset"
    fast = heart([150.0, 152.0] * 15, start=3 * HOUR + 300)
    events = clinical(detect([*wrong, *right, *fast]))
    assert "time_uncertain" not in events[0].evidence


def test_a_buffer_of_a_device_whose_clock_is_off_is_history_still() -> None:
    steady = behind(calm(30), HOUR)
    late = [replace(item, received_at=steady[-1].received_at + timedelta(hours=3))
            for item in heart([150.0, 152.0] * 15, start=1800.0)]  # fmt: skip
    assert all(event.retrospective for event in clinical(detect([*steady, *late])))


def test_a_clock_that_falls_back_is_found_although_nothing_is_newer() -> None:
    """At the end of summer time: for an hour its readings are older than what was judged."""
    right = calm(120)
    back = behind(calm(30, start=HOUR), HOUR)  # again 01:00 to 01:30, received from 02:00 on
    assert announced(of_clock(detect([*right, *back]))) == OPENED


def test_a_second_device_neither_ends_it_nor_is_marked() -> None:
    wrong = behind(calm(30), HOUR)
    fast = [replace(item, device_id="d2")
            for item in heart([150.0, 152.0] * 20, start=HOUR + 1860.0)]  # fmt: skip
    events = detect([*wrong, *fast])
    assert announced(of_clock(events)) == OPENED
    assert clinical(events)
    assert not any("time_uncertain" in event.evidence for event in clinical(events))


# ---- the sender's own time of sending


def stated(items: Iterable[Upload], behind_by: float, **more: Any) -> list[Upload]:
    """Uploads whose sender states its time: its clock is behind by so much."""
    return [
        replace(item, sent_at=item.received_at - timedelta(seconds=behind_by), **more)
        for item in items
    ]


@pytest.mark.parametrize("offset", [5 * HOUR, HOUR, 960.0, 310.0, 3 * DAY])
def test_a_stated_time_of_sending_is_known_from_the_first_upload(offset: float) -> None:
    first = stated(behind(calm(1), offset), offset)
    found = of_clock(detect(first))
    assert announced(found) == OPENED
    evidence = found[0].evidence
    assert (evidence["offset_seconds"], evidence["offset_uploads"]) == (offset, 1)
    assert evidence["offset_source"] == "sent_at"


def test_a_clock_that_is_ahead_is_known_too() -> None:
    """Old readings of a device whose clock is ahead are not from the future."""
    buffered = [replace(item, received_at=at(3 * HOUR)) for item in calm(3)]
    evidence = of_clock(detect(stated(buffered, -HOUR)))[0].evidence
    assert (evidence["offset_seconds"], evidence["near_zone_minutes"]) == (-HOUR, -60)


def test_with_a_right_clock_a_constant_delay_is_no_offset() -> None:
    """A gateway that passes on what is 20 minutes old has a right clock, and late readings."""
    items = stated(behind(heart([150.0, 152.0] * 30), 1200.0), 0.0)
    events = detect(items)
    assert of_clock(events) == []
    assert all(event.retrospective for event in clinical(events))


def test_the_first_severe_alarm_of_a_stated_clock_is_no_history() -> None:
    items = stated(behind(heart([150.0, 152.0] * 15), 5 * HOUR), 5 * HOUR)
    opened = clinical(detect(items))[0]
    assert (opened.retrospective, opened.evidence["time_uncertain"]) == (False, True)


def test_a_stated_clock_that_is_put_right_ends_at_once() -> None:
    wrong = stated(behind(calm(3), HOUR), HOUR)
    right = stated(calm(1, start=3 * HOUR), 0.0)
    assert announced(of_clock(detect([*wrong, *right]))) == [
        *OPENED,
        ("device_clock", "closed", "low"),
    ]


def test_what_the_setting_corrects_is_no_offset() -> None:
    """Times are right after the correction; the stated time of sending is the device's still."""
    items = stated(calm(30), HOUR, clock_correction_seconds=HOUR)
    assert of_clock(detect(items)) == []
    stale = stated(calm(3), 0.0, clock_correction_seconds=HOUR)  # put right, the setting was left
    assert of_clock(detect(stale))[0].evidence["offset_seconds"] == -HOUR


# ---- bounds


def test_a_sender_of_many_names_does_not_fill_the_state() -> None:
    runs = engine()
    for number, item in enumerate(behind(calm(60), HOUR)):
        runs.process(replace(item, device_id=f"d{number}"))
    assert len(_clocks(runs).by_device) == MOST_DEVICES


def test_of_a_clock_that_is_right_nothing_is_kept() -> None:
    runs = engine()
    for item in [*calm(30), *behind(calm(3, start=1800.0), 3000.0), *calm(5, start=9000.0)]:
        runs.process(item)
    assert _clocks(runs).by_device == {}


def test_a_device_that_was_put_away_is_forgotten() -> None:
    wrong = behind(calm(30), HOUR)
    other = [replace(item, device_id="d2") for item in calm(3, start=8 * DAY)]
    assert announced(of_clock(detect([*wrong, *other])))[-1][1] == "closed"


def test_it_can_be_switched_off() -> None:
    assert of_clock(detect(behind(calm(30), HOUR), clock_offset={"enabled": False})) == []


def _clocks(runs: Engine) -> Any:
    return runs._monitors["p1"].state.devices.clocks
