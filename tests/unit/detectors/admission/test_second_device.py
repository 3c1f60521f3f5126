"""Two cuffs on one person: the one that is not preferred confirms, and outvotes the other one only
where that is silent or three of its own pressures follow each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.vitals import announced, at, detect, engine, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

OPENED = ("blood_pressure_high", "opened", "medium")
CONFIRMED = ("blood_pressure_high", "updated", "high")
MINUTE = 60.0
LEVELS = [
    (128.0, 78.0),
    (131.0, 80.0),
    (165.0, 102.0),
    (192.0, 118.0),
    (189.0, 117.0),
    (84.0, 60.0),
]


def cuff(minute: float, systolic: float, diastolic: float, device: str) -> Upload:
    values = {"systolic": systolic, "diastolic": diastolic}
    return replace(upload(measured(minute * MINUTE, values)), device_id=device)


readings = st.lists(
    st.tuples(st.integers(1, 25), st.sampled_from(LEVELS), st.sampled_from(["a", "b"])),
    min_size=1,
    max_size=9,
)


def log_of(steps: list[tuple[int, tuple[float, float], str]]) -> list[Upload]:
    """A log whose readings are so many minutes apart."""
    minute, log = 0, list[Upload]()
    for apart, (systolic, diastolic), device in steps:
        minute += apart
        log.append(cuff(minute, systolic, diastolic, device))
    return log


def clinical(events: list[Event]) -> list[tuple[str, str, str]]:
    return announced(event for event in events if event.category == "clinical")


def test_the_second_cuff_confirms_what_the_preferred_one_measured() -> None:
    log = [cuff(0, 128, 78, "a"), cuff(9, 192, 118, "a"), cuff(13, 190, 116, "b")]
    assert clinical(detect(log)) == [OPENED, CONFIRMED]


def test_it_stays_second_and_two_readings_of_its_own_wait_for_the_other_one() -> None:
    log = [cuff(0, 128, 78, "a"), cuff(5, 192, 118, "b"), cuff(8, 190, 116, "b")]
    runs = engine()
    events = [event for item in log for event in runs.process(item)]
    assert clinical(events) == []
    assert runs._monitors["p1"].state.devices.preferred["systolic"].device == "a"


def test_two_of_its_own_alarm_where_the_other_one_is_silent_for_a_quarter_of_an_hour() -> None:
    runs = engine()
    for item in [cuff(0, 128, 78, "a"), cuff(5, 192, 118, "b"), cuff(8, 190, 116, "b")]:
        assert runs.process(item) == []
    assert runs.tick(at(22 * MINUTE)) == []
    heir = engine()
    heir.watermark = at(22 * MINUTE)
    heir.load_state("p1", runs.state_of("p1"))
    for one in (runs, heir):
        events = one.tick(at(23 * MINUTE + 2))
        assert clinical(events) == [OPENED, CONFIRMED]
        assert events[0].onset == at(5 * MINUTE)


def test_three_of_its_own_alarm_at_once() -> None:
    log = [cuff(0, 128, 78, "a")]
    log += [cuff(5, 192, 118, "b"), cuff(8, 190, 116, "b"), cuff(12, 195, 119, "b")]
    runs = engine()
    events = [event for item in log for event in runs.process(item)]
    assert clinical(events) == [OPENED, CONFIRMED]
    assert (events[0].onset, events[-1].detected_at) == (at(5 * MINUTE), at(12 * MINUTE))
    assert runs._monitors["p1"].state.devices.preferred["systolic"].device == "a"


def test_low_pressures_of_its_own_do_so_too_and_raised_ones_do_not() -> None:
    low = [cuff(0, 128, 78, "a"), cuff(4, 84, 58, "b"), cuff(7, 82, 57, "b"), cuff(9, 80, 55, "b")]
    assert ("blood_pressure_low", "opened", "high") in clinical(detect(low))
    raised = [cuff(0, 128, 78, "a"), *(cuff(4 + 2 * i, 165 + i, 102, "b") for i in range(5))]
    assert clinical(detect(raised)) == []


def test_one_measurement_sent_thrice_is_one() -> None:
    """By the same device or by a third one that passes it on."""
    log = [cuff(0, 128, 78, "a")]
    log += [cuff(5 + i, 192, 118, device) for i, device in enumerate(["b", "b", "c", "b"])]
    runs = engine()
    assert clinical([event for item in log for event in runs.process(item)]) == []
    assert clinical(runs.tick(at(30 * MINUTE))) == []


def test_the_preferred_one_contradicts_both() -> None:
    log = [cuff(0, 128, 78, "a"), cuff(5, 192, 118, "b"), cuff(8, 190, 116, "b")]
    log += [cuff(12, 130, 79, "a"), cuff(14, 191, 117, "b"), cuff(20, 129, 80, "a")]
    runs = engine()
    events = [event for item in log for event in runs.process(item)]
    assert clinical(events + runs.tick(at(120 * MINUTE))) == []


def test_the_preferred_one_confirms_both() -> None:
    log = [cuff(0, 128, 78, "a"), cuff(5, 192, 118, "b"), cuff(8, 190, 116, "b")]
    log += [cuff(10, 191, 117, "a")]
    log += [cuff(60, 130, 80, "a"), cuff(62, 129, 80, "a"), cuff(64, 129, 79, "a")]
    events = detect(log)
    assert clinical(events)[:2] == [OPENED, CONFIRMED]
    assert events[-1].evidence["readings_beyond"] == 3


def pressure_of(
    minute: float, device: str, systolic: float, diastolic: float | None, number: int | None = None
) -> Upload:
    values = {"systolic": systolic}
    if diastolic is not None:
        values["diastolic"] = diastolic
    item = replace(measured(minute * MINUTE, values), sequence=number)
    return replace(upload(item), device_id=device)


def until(minute: int, log: list[Upload]) -> list[Event]:
    """What a log raises beside an ordinary pressure of the preferred device before it, with the
    state saved and loaded after each reading, and the time that passes after it."""
    events, runs = list[Event](), engine()
    for item in [cuff(-10, 127, 80, "a"), cuff(0, 128, 80, "a"), *log]:
        events += runs.process(item)
        heir = engine()
        heir.watermark = runs.watermark
        heir.load_state("p1", runs.state_of("p1"))
        runs = heir
    start = int(log[-1].received_at.timestamp() - at(0).timestamp()) // 60 + 1
    for passed in range(start, minute):
        events += runs.tick(at(passed * MINUTE))
    return [event for event in events if event.category == "clinical"]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (pressure_of(2, "b", 214, 124), pressure_of(4, "c", 214, None)),
        (pressure_of(2, "b", 60, 40), pressure_of(4, "c", 60, None)),
        (pressure_of(2, "b", 214, 124), pressure_of(4, "b", 214, None)),
        (pressure_of(2, "b", 214, None), pressure_of(4, "b", 214, 124)),
        (pressure_of(2, "b", 214, 124, 5), pressure_of(4, "b", 213, 124, 5)),
        (pressure_of(2, "b", 214, 124), pressure_of(4, "c", 213, 123)),
        (pressure_of(2, "b", 214, 124, 5), pressure_of(4, "c", 217, 120, 6)),
    ],
)
def test_one_measurement_that_two_send_does_not_confirm_itself(
    first: Upload, again: Upload
) -> None:
    assert until(92, [first, again]) == []
    events = until(110, [first, again])
    assert [(event.priority, event.evidence["readings_beyond"]) for event in events] == [
        ("medium", 1)
    ]


def test_nor_where_a_third_device_sends_it_beside_two_measurements() -> None:
    log = [pressure_of(2, "b", 214, 124), pressure_of(4, "b", 217, 121)]
    log.append(pressure_of(6, "c", 213, 123))
    events = until(30, log)
    assert announced(events) == [OPENED, CONFIRMED]
    assert {event.detected_at for event in events} == {at(20 * MINUTE)}


FIRST_OF_C = [
    pressure_of(2, "c", 213, 123),
    pressure_of(2, "c", 189, 117),
    pressure_of(4, "c", 214, None),
]


@pytest.mark.parametrize("first", FIRST_OF_C)
def test_what_another_one_sent_first_does_not_keep_two_of_its_own_waiting(first: Upload) -> None:
    own = [pressure_of(5, "b", 214, 124), pressure_of(8, "b", 217, 121)]
    events = until(30, [first, *own])
    assert announced(events) == [OPENED, CONFIRMED]
    assert (events[0].onset, events[0].detected_at) == (at(5 * MINUTE), at(24 * MINUTE))
    third = until(30, [first, *own, pressure_of(11, "b", 213, 119)])
    assert third[-1].detected_at == at(11 * MINUTE)


def test_of_two_that_wait_the_first_that_measures_again_counts() -> None:
    log = [pressure_of(2, "c", 213, 123), pressure_of(3, "b", 214, 124)]
    log += [pressure_of(6, "c", 216, 120), pressure_of(7, "b", 215, 122)]
    events = until(30, log)
    assert announced(events) == [OPENED, CONFIRMED]
    assert [event.onset for event in events] == [at(2 * MINUTE)] * 2
    assert events[-1].evidence["readings_beyond"] == 2


@pytest.mark.parametrize("ordinary", ["a", "b", "c"])
def test_an_ordinary_one_drops_its_own_alone_and_the_preferred_one_drops_all(ordinary: str) -> None:
    log = [pressure_of(2, "c", 213, 123), pressure_of(4, "b", 214, 124)]
    events = until(110, [*log, pressure_of(6, ordinary, 126, 79)])
    assert [(e.priority, e.onset) for e in events] == {
        "a": [],
        "b": [("medium", at(2 * MINUTE))],
        "c": [("medium", at(4 * MINUTE))],
    }[ordinary]


def test_nor_where_its_device_takes_over_and_sends_the_same_number_again() -> None:
    log = [pressure_of(2, "b", 214, 124, 5), pressure_of(17, "b", 213, 124, 5)]
    assert "high" not in {event.priority for event in until(200, log)}


def test_two_measurements_with_numbers_of_their_own_confirm_each_other() -> None:
    log = [pressure_of(2, "b", 214, 124, 5), pressure_of(4, "b", 213, 124, 6)]
    assert announced(until(30, log)) == [OPENED, CONFIRMED]


@pytest.mark.parametrize(
    "log",
    [
        [(2, 80, 50), (4, 126, 79), (8, 82, 50)],
        [(2, 214, 124), (4, 126, 79), (6, 127, 80), (8, 216, 122)],
    ],
)
def test_an_ordinary_pressure_of_its_own_comes_between(log: list[tuple[int, int, int]]) -> None:
    """The last one of them is one measurement, judged as if it were the only one."""
    items = [cuff(minute, systolic, diastolic, "b") for minute, systolic, diastolic in log]
    assert until(98, items) == []
    events, alone = until(200, items), until(200, items[-1:])
    assert announced(events) == announced(alone)
    assert all(event.evidence["readings_beyond"] == 1 for event in events)


def test_a_single_odd_one_is_contradicted_by_its_own_device() -> None:
    log = [cuff(2, 60, 40, "b"), cuff(4, 126, 79, "b"), cuff(8, 127, 79, "b")]
    assert until(200, log) == []
    assert until(200, [log[0], log[1]]) == []


def test_an_ordinary_one_of_before_or_of_another_device_contradicts_nothing() -> None:
    severe = cuff(4, 214, 124, "b")
    before = replace(cuff(2, 126, 79, "b"), received_at=at(5 * MINUTE))
    others = cuff(6, 126, 79, "c")
    passed_on = cuff(6, 128, 80, "b")
    for further in (before, others, passed_on):
        assert [event.priority for event in until(110, [severe, further])] == ["medium"]


def test_an_ordinary_one_that_comes_late_leaves_the_newer_of_two() -> None:
    between = replace(cuff(4, 126, 79, "b"), received_at=at(7 * MINUTE))
    log = [cuff(2, 214, 124, "b"), cuff(6, 216, 122, "b"), between]
    assert until(90, log) == []
    events = until(110, log)
    assert [(event.priority, event.onset) for event in events] == [("medium", at(6 * MINUTE))]


def test_what_waits_is_saved_and_judged_after_a_restart() -> None:
    runs = engine()
    runs.process(cuff(0, 128, 78, "a"))
    runs.process(cuff(5, 192, 118, "b"))
    later = engine()
    later.load_state("p1", runs.state_of("p1"))
    assert clinical(later.process(cuff(9, 191, 117, "a"))) == [OPENED, CONFIRMED]


def test_what_nothing_follows_is_judged_once() -> None:
    runs = engine()
    log = [cuff(0, 128, 78, "a"), cuff(5, 192, 118, "b")]
    for item in log:
        runs.process(item)
    first = runs.tick(at(100 * MINUTE))
    assert clinical(first) == [OPENED]
    again = [event for item in log for event in runs.process(item)]
    again += runs.tick(at(200 * MINUTE))
    assert clinical(again) == []


@settings(max_examples=25)
@given(readings)
def test_the_log_again_gives_nothing_more(
    steps: list[tuple[int, tuple[float, float], str]],
) -> None:
    log = log_of(steps)
    runs = engine()
    for item in log:
        runs.process(item)
    assert [event for item in log for event in runs.process(item)] == []


@settings(max_examples=25)
@given(readings)
def test_each_reading_twice_is_each_reading_once(
    steps: list[tuple[int, tuple[float, float], str]],
) -> None:
    log = log_of(steps)
    twice = [item for item in log for _ in range(2)]
    assert announced(detect(twice)) == announced(detect(log))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(5, 25), st.sampled_from(LEVELS)), min_size=1, max_size=9))
def test_a_device_that_is_not_preferred_opens_nothing_alone(
    steps: list[tuple[int, tuple[float, float]]],
) -> None:
    """The preferred one measures an ordinary pressure every ten minutes, so that no three of the
    other one's follow each other."""
    own = [cuff(10 * i, 128 + i % 3, 78, "a") for i in range(24)]
    other = log_of([(apart, level, "b") for apart, level in steps])
    runs, events = engine(), list[Event]()
    for item in sorted(own + other, key=lambda item: item.received_at):
        events += runs.process(item) + runs.tick(item.received_at)
    assert clinical(events) == []
