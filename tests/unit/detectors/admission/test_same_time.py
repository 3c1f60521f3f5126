"""Several measurements with one time: different ones confirm each other, equal ones are one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.admission.same_time import MOST
from tests.support.vitals import announced, cuff, detect, engine, heart, measured, upload
from vigil.domain.reading import Upload

USUAL = cuff([(126, 80)])


def at_once(*pairs: tuple[float, float], second: float = 3600.0) -> list[Upload]:
    return [
        upload(measured(second, {"systolic": float(s), "diastolic": float(d)})) for s, d in pairs
    ]


def test_three_severe_pressures_in_one_minute_confirm_each_other() -> None:
    events = detect([*USUAL, *at_once((192, 118), (196, 121), (194, 122))])
    assert announced(events) == [
        ("blood_pressure_high", "opened", "medium"), ("blood_pressure_high", "updated", "high"),
    ]  # fmt: skip
    assert events[1].evidence["samples"] == 2


def test_two_of_them_in_one_upload_do_so_too() -> None:
    pairs = [(192.0, 118.0), (196.0, 121.0)]
    one = upload(*(measured(3600.0, {"systolic": s, "diastolic": d}) for s, d in pairs))
    assert ("blood_pressure_high", "updated", "high") in announced(detect([*USUAL, one]))


def test_the_same_pressure_at_the_same_time_is_one() -> None:
    events = detect([*USUAL, *at_once((192, 118), (192, 118), (192, 118))])
    assert ("blood_pressure_high", "updated", "high") not in announced(events)


def test_within_a_minute_only_where_the_sender_rounds_to_it() -> None:
    """A sender that gives seconds and sends two values at one of them measured no minute."""
    events = detect([*USUAL, *at_once((192, 118), (196, 121), second=3601.0)])
    assert ("blood_pressure_high", "updated", "high") not in announced(events)


def test_a_pair_that_differs_in_one_value_is_another() -> None:
    events = detect([*USUAL, *at_once((192, 118), (196, 118))])
    assert ("blood_pressure_high", "updated", "high") in announced(events)


def test_a_second_part_of_one_measurement_is_no_second_measurement() -> None:
    runs = engine()
    for item in USUAL:
        runs.process(item)
    first = measured(3600.0, {"systolic": 130.0})
    whole = measured(3600.0, {"systolic": 130.0, "diastolic": 82.0})
    runs.process(upload(first))
    runs.process(upload(whole))
    state = runs._monitors["p1"].state
    assert state.newest["diastolic"] == state.newest["systolic"]
    assert state.taken.further == {}


def test_no_more_of_them_are_taken_than_stated() -> None:
    runs = engine()
    rates = [60.0 + i for i in range(MOST + 20)]
    runs.process(upload(*(measured(60.0, {"heart_rate": r}) for r in rates)))
    state = runs._monitors["p1"].state
    assert len(state.taken.further["heart_rate"]) == MOST - 1
    runs.process(upload(measured(120.0, {"heart_rate": 70.0})))
    assert state.taken.further == {}


@pytest.mark.parametrize("again", [1, 2])
def test_after_a_restart_what_was_taken_is_known(again: int) -> None:
    log = [*USUAL, *at_once((192, 118), (196, 121))]
    runs = engine()
    for item in log:
        runs.process(item)
    heir = engine()
    heir.load_state("p1", runs.state_of("p1"))
    for _ in range(again):
        assert [e for item in log for e in heir.process(item)] == []


pairs = st.tuples(st.sampled_from([120.0, 186.0, 192.0]), st.sampled_from([80.0, 118.0]))
times = st.sampled_from([0.0, 60.0, 60.0, 120.0, 3600.0])


@given(st.lists(st.tuples(times, pairs), min_size=1, max_size=8), st.data())
@settings(max_examples=60, deadline=None)
def test_repeating_any_of_them_changes_nothing(rows, data) -> None:  # type: ignore[no-untyped-def]
    log = [x for when, pair in sorted(rows) for x in at_once(pair, second=when)]
    expected = detect(log)
    repeated = []
    for i, item in enumerate(log):
        repeated.append(item)
        if data.draw(st.booleans()):
            repeated.append(log[data.draw(st.integers(0, i))])
    assert detect(repeated) == expected


def test_different_heart_rates_of_one_minute_are_all_judged() -> None:
    fast = [upload(*(measured(i * 60.0, {"heart_rate": 131.0 + k}, "rest") for k in range(3)))
            for i in range(12)]  # fmt: skip
    events = detect([*heart([70.0, 71.0], start=-120.0), *fast])
    assert announced(events) == [("heart_rate_high", "opened", "medium")]
    assert events[0].evidence["samples"] > 12
