"""Admission: what is refused is never judged, and shows as a technical event at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.admission.rules import Admission
from detectors.admission.tracks import Track
from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from tests.support.vitals import (
    DAY,
    announced,
    at,
    config,
    cuff,
    detect,
    engine,
    heart,
    measured,
    seconds,
    upload,
)
from vigil.domain.episode import Event

ADMISSION = Admission(load().everyone.admission)


def admitted(values: dict[str, float], tracks: dict[str, Track] | None = None,
             time: float = 0.0) -> set[str]:  # fmt: skip
    tracks = {} if tracks is None else tracks
    return set(ADMISSION.admit(values, time, None, tracks, watched=False).values)


@pytest.mark.parametrize(
    ("values", "let_through"),
    [
        ({"heart_rate": 72.0, "spo2": 97.0}, {"heart_rate", "spo2"}),
        ({"heart_rate": 19.0, "spo2": 97.0}, {"spo2"}),
        ({"heart_rate": 301.0}, set()),
        ({"heart_rate": float("nan")}, set()),
        ({"heart_rate": float("inf")}, set()),
        ({"systolic": 80.0, "diastolic": 80.0, "heart_rate": 70.0}, {"heart_rate"}),
        ({"systolic": 120.0, "diastolic": 80.0}, {"systolic", "diastolic"}),
        ({"systolic": 120.0}, {"systolic"}),
        ({"systolic": 255.0, "diastolic": 255.0, "heart_rate": 70.0}, {"heart_rate"}),
        ({"systolic": 254.0, "diastolic": 255.0}, set()),
        ({"systolic": 124.0, "diastolic": 255.0}, {"systolic"}),
        ({"systolic": 255.0, "diastolic": 130.0}, {"systolic", "diastolic"}),
        ({"systolic": 255.0}, {"systolic"}),
    ],
)
def test_what_cannot_be_true_is_left_out(values: dict[str, float], let_through: set[str]) -> None:
    assert admitted(values) == let_through


def test_a_spike_is_dropped_and_a_true_step_loses_one_reading() -> None:
    tracks: dict[str, Track] = {}
    spike = [70, 71, 190, 72, 71]
    assert [bool(admitted({"heart_rate": v}, tracks, i * 5.0)) for i, v in enumerate(spike)] == [
        True, True, False, True, True,
    ]  # fmt: skip
    step = [70, 180, 182, 179]
    tracks = {}
    assert [bool(admitted({"heart_rate": v}, tracks, i * 5.0)) for i, v in enumerate(step)] == [
        True, False, True, True,
    ]  # fmt: skip


def test_a_step_over_minutes_is_no_spike() -> None:
    tracks: dict[str, Track] = {}
    assert admitted({"heart_rate": 70.0}, tracks, 0.0)
    assert admitted({"heart_rate": 150.0}, tracks, 91.0)


def test_a_stuck_sensor_is_a_technical_event_with_its_true_onset_and_no_alarm() -> None:
    before = heart([80 + i % 3 for i in range(30)])
    stuck = heart([130.0] * 90, start=30 * 60)
    after = heart([80 + i % 3 for i in range(20)], start=120 * 60)
    events = [e for e in detect([*before, *stuck, *after]) if e.category == "technical"]
    assert announced(events) == [
        ("sensor_fault", "opened", "low"),
        ("sensor_fault", "closed", "low"),
    ]
    opened, closed = events
    assert seconds(opened.onset) == 30 * 60
    assert seconds(opened.detected_at) == (30 + 10) * 60
    assert (opened.evidence["reason"], opened.signals) == ("stuck", ("heart_rate",))
    assert seconds(closed.ended_at) == 121 * 60  # the step out of it waits for a second reading


@pytest.mark.parametrize(("rate", "minutes"), [(65.0, 59), (130.0, 10), (45.0, 10)])
def test_a_value_frozen_below_the_stuck_time_is_let_be(rate: float, minutes: int) -> None:
    frozen = heart([rate] * minutes)
    assert detect(frozen) == []
    (event,) = detect(heart([rate] * (minutes + 1)))
    assert (event.kind, event.evidence["reason"]) == ("sensor_fault", "stuck")


@pytest.mark.parametrize("every", [1201.0, 3600.0, DAY / 2, DAY])
@pytest.mark.parametrize("rate", [36.0, 65.0, 112.0])
def test_equal_values_far_apart_are_no_stuck_sensor(rate: float, every: float) -> None:
    events = detect(heart([rate] * 70, every=every))
    assert [event.kind for event in events if event.kind == "sensor_fault"] == []


@pytest.mark.parametrize("silent", [1201.0, 3 * 3600.0, 20 * DAY])
def test_a_value_is_not_stuck_while_nothing_was_sent(silent: float) -> None:
    before = heart([36.0] * 9)
    after = heart([36.0] * 11, start=8 * 60 + silent)
    events = [e for e in detect([*before, *after]) if e.kind == "sensor_fault"]
    assert [event.phase for event in events] == ["opened"]
    assert seconds(events[0].onset) == 8 * 60 + silent
    assert events[0].evidence["duration_seconds"] == 600.0


def test_a_fast_device_may_repeat_a_value_for_minutes() -> None:
    assert detect(heart([65.0] * 900, every=1.0)) == []


def test_a_flat_line_never_opens_a_clinical_episode_once_known() -> None:
    own = {"limits": {"heart_rate_high": {"seconds": 7200, "unknown_seconds": 7200}}}
    events = detect(heart([125.0] * 240), **own)
    assert {event.category for event in events} == {"technical"}


def test_single_impossible_values_are_dropped_in_silence_and_many_are_a_fault() -> None:
    assert detect(heart([70, 400, 71, 400, 72])) == []
    events = detect(heart([70, 400, 401, 402, 71, 72, 73, 74, 75, 76, 77]))
    assert announced(events) == [
        ("sensor_fault", "opened", "low"),
        ("sensor_fault", "closed", "low"),
    ]
    assert events[0].evidence["reason"] == "out_of_range"


def test_a_contradictory_pressure_is_a_fault_and_not_low_pressure() -> None:
    events = detect(cuff([(60, 80)] * 4, every=60))
    assert announced(events) == [("sensor_fault", "opened", "low")]
    assert events[0].evidence["reason"] == "systolic_not_above_diastolic"


def _contact(states: Sequence[bool | None], rate: float = 190.0) -> list[Event]:
    items = [
        upload(measured(i * 60.0, {"heart_rate": rate + i % 3}, "rest", contact=contact))
        for i, contact in enumerate(states)
    ]
    return detect(items)


def test_poor_contact_for_long_is_told_and_what_came_with_it_is_not_judged() -> None:
    events = _contact([False] * 30)
    assert announced(events) == [("poor_contact", "opened", "low")]
    assert seconds(events[0].detected_at) == 300
    assert _contact([False] * 3 + [True, True]) == []


def test_poor_contact_ends_with_good_contact() -> None:
    events = _contact([False] * 10 + [True] * 10, rate=80)
    assert announced(events) == [
        ("poor_contact", "opened", "low"),
        ("poor_contact", "closed", "low"),
    ]
    assert seconds(events[1].ended_at) == 600


def test_what_is_refused_is_not_learned() -> None:
    runs = engine()
    for item in heart([60.0 + i % 4 for i in range(600)]):
        runs.process(item)
    before = runs.state_of("p1")
    bad = upload(measured(601 * 60.0, {"heart_rate": 400.0}, "rest"))
    runs.process(bad)
    contact = upload(measured(602 * 60.0, {"heart_rate": 200.0}, "rest", contact=False))
    runs.process(contact)
    after = heart([61.0] * 1, start=603 * 60.0)
    again = engine()
    again.load_state("p1", before)
    for one in (runs, again):
        one.process(after[0])
    assert _learned(runs) == _learned(again)


def _learned(runs: Engine) -> Any:
    memory = runs._monitors["p1"].state.memories["baseline"]
    return runs._pipeline("p1").detectors["baseline"].dump(memory)


def test_a_reading_from_the_future_is_a_wrong_clock_and_does_not_deafen() -> None:
    runs = engine()
    ahead = upload(measured(DAY, {"heart_rate": 190.0}, "rest"), received=100.0)
    events = runs.process(ahead)
    assert announced(events) == [("device_clock", "opened", "low")]
    assert seconds(events[0].onset) == 100
    assert runs.process(ahead) == []
    events = [e for item in heart([72.0], start=160.0) for e in runs.process(item)]
    assert announced(events) == [("device_clock", "closed", "low")]
    assert events[0].evidence["duration_seconds"] == 61


def test_the_tolerance_for_clocks_is_the_configured_one() -> None:
    ahead = upload(measured(400.0, {"heart_rate": 72.0}), received=0.0)
    assert announced(detect([ahead])) == [("device_clock", "opened", "low")]
    assert detect([ahead], admission={"clock_tolerance_seconds": 500}) == []


def test_a_rule_can_be_switched_off_for_a_patient() -> None:
    paced = {"p1": {"admission": {"stuck": {"heart_rate": {"enabled": False}}}}}
    assert detect(heart([60.0] * 200), patients=paced) == []
    assert config(patients=paced).config_for("p2").admission.stuck["heart_rate"].enabled


def test_a_reading_from_longer_ago_than_any_buffer_is_a_wrong_clock_and_is_not_judged() -> None:
    runs = engine()
    for item in heart([70.0 + i % 3 for i in range(5)], start=40 * DAY):
        runs.process(item)
    reset = upload(measured(60.0, {"heart_rate": 190.0}, "rest"), received=40 * DAY + 400)
    assert runs.process(reset) == []  # history may follow that goes on to the present
    events = runs.tick(at(40 * DAY + 701))
    assert announced(events) == [("device_clock", "opened", "low")]
    assert events[0].evidence["reason"] == "from_the_past"
    right = heart([71.0], start=40 * DAY + 760)[0]
    assert announced(runs.process(right)) == [("device_clock", "closed", "low")]


def test_a_buffer_of_weeks_is_no_wrong_clock() -> None:
    late = upload(measured(0.0, {"heart_rate": 72.0}, "rest"), received=29 * DAY)
    assert detect([late]) == []


@pytest.mark.parametrize(("rate", "minutes"), [(125.0, 29), (160.0, 10), (185.0, 180), (33.0, 30)])
def test_a_flat_line_is_never_clinical(rate: float, minutes: int) -> None:
    calm = [72.0 + i % 3 for i in range(30)]
    log = heart([*calm, *[rate] * minutes, *calm])
    assert {event.category for event in detect(log)} <= {"technical"}


def test_what_a_flat_line_began_is_let_go_with_it() -> None:
    calm = [72.0 + i % 3 for i in range(30)]
    rates = [*calm, *[131.0] * 40, *[133.0 + i % 3 for i in range(8)], *calm]
    assert [e.kind for e in detect(heart(rates)) if e.category == "clinical"] == []


def test_a_fast_heart_that_repeats_for_some_minutes_is_told_when_it_moves() -> None:
    calm = [90.0 + i % 3 for i in range(30)]
    rates = [*calm, *[131.0 + i % 3 for i in range(6)], *[131.0] * 5, *[132.0, 131.0] * 5]
    opened = detect(heart(rates))[0]
    assert (seconds(opened.onset), seconds(opened.detected_at)) == (30 * 60, 41 * 60)


def test_hourly_charts_repeat_by_chance() -> None:
    events = detect(heart([128.0] * 4, every=3600.0))
    assert announced(events) == [("heart_rate_high", "opened", "medium")]


def test_step_upon_step_is_poor_contact_and_no_alarm() -> None:
    moving = [72.0 + (95.0 if i % 2 else 0.0) + i % 3 for i in range(60)]
    still = [72.0 + i % 3 for i in range(200)]
    events = detect(heart([*still[:20], *moving, *still], every=5.0))
    assert announced(events) == [
        ("poor_contact", "opened", "low"),
        ("poor_contact", "closed", "low"),
    ]
    assert events[0].evidence["reason"] == "motion"
    few = [72.0 + (95.0 if i in {9, 40, 71} else 0.0) + i % 3 for i in range(90)]
    assert detect(heart(few, every=5.0)) == []


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.0, 55.0, 80.0, 110.0, -45.0]), min_size=60, max_size=60),
    st.sampled_from([5.0, 30.0, 60.0]),
)
@settings(max_examples=40)
def test_lone_spikes_are_never_clinical(off: list[float], every: float) -> None:
    rates, before = [], 0.0
    for i, by in enumerate(off):
        before = 0.0 if before else by
        rates.append(74.0 + i % 3 + before)
    calm = [74.0 + i % 3 for i in range(30)]
    assert {e.category for e in detect(heart([*calm, *rates, *calm], every=every))} <= {"technical"}


_PART = st.dictionaries(
    st.sampled_from(["heart_rate", "systolic", "diastolic", "spo2"]),
    st.floats(20, 250).map(round),
    max_size=4,
)


@given(st.lists(st.tuples(_PART, st.floats(0, 90_000)), max_size=12))
def test_any_part_of_a_reading_may_come_alone_and_in_any_order(
    readings: list[tuple[dict[str, float], float]],
) -> None:
    tracks: dict[str, Track] = {}
    time = 0.0
    for values, later in readings:
        time += later
        admitted = ADMISSION.admit(values, time, None, tracks, watched=True)
        assert admitted.values.keys() <= values.keys()


def test_a_first_systolic_beside_a_far_diastolic_is_held_back() -> None:
    tracks: dict[str, Track] = {}
    ADMISSION.admit({"diastolic": 60.0}, 0.0, None, tracks, watched=True)
    found = ADMISSION.admit(
        {"systolic": 210.0, "diastolic": 140.0}, 30.0, None, tracks, watched=True
    )
    assert (dict(found.values), set(found.held)) == ({}, {"systolic", "diastolic"})
