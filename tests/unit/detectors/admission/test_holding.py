"""What admission holds back: judged when a second reading agrees, dropped when one does not, and
judged as it stands when none comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.admission import held_readings
from detectors.admission.held_readings import Held
from detectors.engine.engine import Engine
from tests.support.vitals import (
    DAY,
    HOUR,
    announced,
    at,
    cuff,
    detect,
    engine,
    heart,
    measured,
    seconds,
)
from tests.support.vitals import upload as sent
from vigil.domain.episode import Event

USUAL = [(126.0, 79.0), (131.0, 82.0), (128.0, 80.0)]
CRISIS = (204.0, 122.0)


def ticked(runs: Engine, start: float, end: float) -> list[Event]:
    """The clock's ticks of each minute."""
    return [e for i in range(int((end - start) // 60)) for e in runs.tick(at(start + i * 60))]


def clinical(events: list[Event]) -> list[Event]:
    return [event for event in events if event.category == "clinical"]


def test_one_odd_pressure_between_normal_ones_is_no_alarm() -> None:
    assert clinical(detect(cuff([*USUAL, CRISIS, *USUAL]))) == []
    assert clinical(detect(cuff([*USUAL, (72.0, 40.0), *USUAL]))) == []


def test_a_second_reading_makes_both_count_and_says_when_it_was_known() -> None:
    events = detect(cuff([*USUAL, CRISIS, (198.0, 118.0)]))
    assert announced(events) == [
        ("blood_pressure_high", "opened", "medium"),
        ("blood_pressure_high", "updated", "high"),
    ]
    first = events[0]
    assert (seconds(first.onset), seconds(first.detected_at)) == (3 * 1800, 4 * 1800)
    assert first.evidence["condition_delay_seconds"] == 1800
    assert first.evidence["values"] == {"systolic": 204, "diastolic": 122}


def test_a_cuff_that_is_rarely_used_is_asked_to_measure_again_at_once() -> None:
    events = detect(cuff([*USUAL, CRISIS], every=DAY / 2))
    assert announced(events) == [("sensor_fault", "opened", "low")]
    assert events[0].evidence["reason"] == "far_from_recent"
    assert detect(cuff([*USUAL, CRISIS], every=HOUR)) == []  # the next one is on its way


def test_what_nobody_measures_again_is_judged_as_it_stands_after_ninety_minutes() -> None:
    runs, events = engine(), list[Event]()
    for item in cuff([*USUAL, CRISIS], every=DAY / 2):
        events += runs.process(item)
    measured_at = 3 * DAY / 2
    assert clinical(events + ticked(runs, measured_at + 60, measured_at + 5400)) == []
    opened = clinical(ticked(runs, measured_at + 5400, measured_at + 5520))
    assert announced(opened) == [("blood_pressure_high", "opened", "medium")]
    assert seconds(opened[0].onset) == measured_at
    assert seconds(opened[0].detected_at) == measured_at + 5460
    assert not opened[0].retrospective
    again = clinical(runs.process(cuff([CRISIS], start=measured_at + 6000)[0]))
    assert announced(again) == [("blood_pressure_high", "updated", "high")]


def test_what_waits_is_saved_with_the_state() -> None:
    runs = engine()
    for item in cuff([*USUAL, CRISIS]):
        runs.process(item)
    heir = engine()
    heir.load_state("p1", runs.state_of("p1"))
    last = cuff([(199.0, 119.0)], start=4 * 1800.0)[0]
    assert heir.process(last) == runs.process(last) != []


def test_a_first_reading_that_falls_far_counts_for_the_end() -> None:
    high = cuff([(212.0, 118.0), (211.0, 118.0), (212.0, 117.0)], every=120)
    calm = cuff([(128.0, 80.0), (127.0, 80.0)], start=360, every=120)
    assert [e.phase for e in clinical(detect([*high, *calm]))] == ["opened", "updated", "closed"]


def test_a_tachycardia_that_begins_from_one_beat_to_the_next_loses_no_time() -> None:
    calm = [68.0 + i % 3 for i in range(30)]
    sudden = heart([*calm, *[172.0 + i % 4 for i in range(30)]])
    opened = detect(sudden)[0]
    assert (opened.kind, opened.priority) == ("heart_rate_high", "high")
    assert seconds(opened.onset) == 30 * 60
    assert seconds(opened.detected_at) == 33 * 60


@given(
    st.integers(3, 20),
    st.floats(41.0, 120.0),
    st.floats(-6.0, 6.0),
    st.sampled_from([300.0, 1800.0, 3600.0]),
)
def test_no_single_pressure_ever_makes_a_clinical_event(
    place: int, rise: float, noise: float, every: float
) -> None:
    pairs = [(126.0 + noise * (i % 3 - 1), 79.0 + i % 4) for i in range(24)]
    systolic, diastolic = pairs[place]
    pairs[place] = (systolic + rise, diastolic + rise / 2)
    assert clinical(detect(cuff(pairs, every=every))) == []


def test_a_pulse_pressure_that_hardly_is_one_waits_for_a_second() -> None:
    odd = (84.0, 80.0)
    usual = [(100.0, 78.0), (101.0, 79.0)]
    assert clinical(detect(cuff([*usual, odd, *usual], every=10))) == []
    odds = [(84.0 + i % 2, 80.0) for i in range(20)]
    events = detect(cuff([*usual, *odds], every=10))
    assert "blood_pressure_low" in {event.kind for event in events}


def test_held_values_are_not_lost_to_other_signals_of_the_same_reading() -> None:
    runs = engine()
    for item in cuff(USUAL, spo2=97.0):
        runs.process(item)
    runs.process(sent(measured(9000.0, {"systolic": 204.0, "diastolic": 122.0, "spo2": 91.0})))
    patient = runs._monitors["p1"].state
    assert patient.tracks["spo2"].value == 91.0
    assert patient.held["pressure"].values == {"systolic": 204.0, "diastolic": 122.0}


def test_what_waited_is_judged_in_the_order_in_which_it_was_measured() -> None:
    """Whatever order a saved state was read back in."""

    def row(time: float) -> Held:
        return Held(time, time, {}, "rest", "rest:day")

    for names in (("pressure", "heart_rate"), ("heart_rate", "pressure")):
        held = {name: row({"pressure": 10.0, "heart_rate": 20.0}[name]) for name in names}
        assert [one.time for one in held_readings.take_overdue(held, 60.0, 60.0, 100.0)] == [
            10.0,
            20.0,
        ]
        assert not held
