"""The personal baseline: what is usual, how it is learned, and what must not move it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.baseline.detector import Memory
from detectors.baseline.sustained import Window
from detectors.baseline.usual import Known
from detectors.configuration.loading import load
from detectors.contract import BEYOND
from detectors.registry import make_baseline
from tests.support.vitals import DAY, HOUR, announced, config, cuff, detect, heart, moment, seconds

BASELINE = make_baseline(load().everyone)
ALONE = {name: {"enabled": False} for name in ("irregularity", "resting", "scorer")}
"""White noise is no rhythm, and a rise for days is another detector's too."""


def learned(rates: list[float], activity: str = "rest", every: float = 60.0) -> Memory:
    memory = BASELINE.fresh()
    for i, rate in enumerate(rates):
        here = moment(i * every, activity, heart_rate=rate)  # type: ignore[arg-type]
        BASELINE.learn(here, memory, ())
    return memory


def noisy(centre: float, spread: float, n: int, seed: int = 1) -> list[float]:
    source = random.Random(seed)  # noqa: S311
    return [source.gauss(centre, spread) for _ in range(n)]


def known(memory: Memory) -> Known:
    return memory.known["heart_rate"]


def usual(memory: Memory, time: float = 6 * HOUR, activity: str = "rest") -> float:
    here = moment(time, activity, heart_rate=60)  # type: ignore[arg-type]
    return float(BASELINE.evidence(here, memory, "heart_rate")["baseline"]["median"])


def test_it_finds_centre_and_spread() -> None:
    memory = learned(noisy(58, 5, 10 * 1440))
    assert usual(memory) == pytest.approx(58, abs=0.7)
    assert known(memory).bins["rest:1"].spread == pytest.approx(5, rel=0.1)


def test_one_in_ten_wild_values_hardly_moves_it() -> None:
    rates = noisy(58, 5, 5 * 1440)
    rates[::10] = [190.0] * len(rates[::10])
    assert usual(learned(rates)) == pytest.approx(58, abs=3)


def test_each_activity_and_part_of_the_day_has_its_own() -> None:
    memory = BASELINE.fresh()
    for i in range(4 * 1440):
        hour = i / 60 % 24
        activity, rate = ("asleep", 50) if hour < 8 else ("rest", 70 if hour < 16 else 80)
        BASELINE.learn(moment(i * 60.0, activity, heart_rate=rate), memory, ())  # type: ignore[arg-type]
    assert usual(memory, 4 * HOUR, "asleep") == pytest.approx(50, abs=2)
    assert usual(memory, 10 * HOUR) == pytest.approx(70, abs=2)
    assert usual(memory, 18 * HOUR) == pytest.approx(80, abs=2)


def test_a_part_of_the_day_never_seen_borrows_from_the_others() -> None:
    memory = learned([52.0] * 480)  # from midnight to eight, population: 74
    here = moment(20 * HOUR, heart_rate=52)
    list(BASELINE.examine(here, memory))
    assert abs(here.scores["baseline.heart_rate"]) < 0.5


def test_the_score_is_there_before_anything_is_known() -> None:
    here = moment(heart_rate=96)
    list(BASELINE.examine(here, BASELINE.fresh()))
    assert here.scores == {"baseline.heart_rate": 2.0}  # the population's 74 and 11


def test_nothing_is_unusual_before_it_is_known() -> None:
    """Eight hours of a person's own, whatever they show."""
    early = detect(heart([*[60.0, 61.0] * 220, *[100.0, 101.0] * 20]))
    assert announced(early) == []
    later = detect(heart([*[60.0, 61.0] * 245, *[100.0, 101.0] * 20]))
    assert announced(later) == [("heart_rate_unusual", "opened", "low")]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(30, 220), min_size=1, max_size=60), st.floats(20, 300))
def test_one_value_of_any_size_moves_it_by_little(rates: list[float], outlier: float) -> None:
    """At most two spreads times its share: a minute in the sixty of the prior at worst."""
    memory = learned(rates)
    one = known(memory).level
    before, spread = one.centre, one.spread
    BASELINE.learn(moment(len(rates) * 60.0, heart_rate=outlier), memory, ())
    assert abs(one.centre - before) <= 2 * spread / 60 + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(30, 220), min_size=12, max_size=120))
def test_confidence_never_falls_while_it_learns(rates: list[float]) -> None:
    memory, last = BASELINE.fresh(), 0.0
    for i, rate in enumerate(rates):
        here = moment(i * 60.0, heart_rate=rate)
        BASELINE.learn(here, memory, ())
        basis = BASELINE.evidence(here, memory, "heart_rate").get("baseline")
        if basis is not None:
            assert last <= basis["confidence"] <= 1
            last = basis["confidence"]


@given(st.lists(st.floats(20, 300), max_size=40))
@settings(max_examples=25, deadline=None)
def test_what_is_frozen_teaches_nothing(rates: list[float]) -> None:
    memory = learned(noisy(60, 4, 200))
    before = BASELINE.dump(memory)["heart_rate"]
    for i, rate in enumerate(rates):
        BASELINE.learn(moment(12_000 + i * 60.0, heart_rate=rate), memory, {"heart_rate"})
    after = BASELINE.dump(memory)["heart_rate"]
    assert (after[0], after[1], after[3]) == (before[0], before[1], before[3])  # all but the window


@pytest.mark.parametrize("pull", [90.0, 75.0, 30.0])
def test_in_silence_nobody_drags_it_by_more_than_two_beats_a_day(pull: float) -> None:
    memory = learned(noisy(60, 4, 7 * 1440))
    for day in range(7, 12):
        before = known(memory).level.centre
        for minute in range(1440):
            here = moment((day * 1440 + minute) * 60.0, heart_rate=pull)
            BASELINE.learn(here, memory, ())
        assert abs(known(memory).level.centre - before) <= 2 + 1e-6


def test_fast_and_slow_sampling_find_the_same() -> None:
    """A reading every ten seconds, minute or five minutes, of the same heart."""
    ends = []
    for every in (10.0, 60.0, 300.0):
        memory = learned(noisy(64, 4, int(2 * DAY / every)), every=every)
        ends.append(usual(memory))
    assert max(ends) - min(ends) < 1.5


@pytest.mark.parametrize("every", [10.0, 60.0, 300.0])
def test_a_sustained_rise_is_told_within_half_an_hour(every: float) -> None:
    calm = heart(noisy(60, 3, int(DAY / every)), every=every)
    raised = heart(noisy(88, 3, int(HOUR / every), seed=4), start=DAY, every=every)
    events = detect([*calm, *raised], **ALONE)
    opened = next(event for event in events if event.kind == "heart_rate_unusual")
    assert seconds(opened.detected_at) <= DAY + 1800  # type: ignore[operator]
    assert seconds(opened.onset) == pytest.approx(DAY, abs=301)


def test_a_short_rise_and_a_broken_one_are_not() -> None:
    calm = noisy(60, 3, 1440)
    short = [*calm, *[95.0, 94.0] * 8, *calm[:60]]
    broken = [*calm, *([95.0, 94.0] * 5 + [61.0, 62.0] * 5) * 6]
    assert detect(heart(short)) == []
    assert detect(heart(broken)) == []


def test_a_low_rate_is_told_where_it_is_unusual_and_not_where_it_is_usual() -> None:
    for resting, expected in ((62.0, ["heart_rate_unusual"]), (48.0, [])):
        calm = heart(noisy(resting, 2, 1440))
        slow = heart(noisy(44, 1, 40, seed=3), start=DAY)
        assert [event.kind for event in detect([*calm, *slow])] == expected


def test_where_nobody_knows_the_activity_an_unsteady_rate_waits_longer() -> None:
    """In motion a heart rate changes from minute to minute by two to three times as much."""

    def wait(activity: str, spread: float) -> float:
        calm = heart(noisy(60, 3, 1440), activity=activity)  # type: ignore[arg-type]
        raised = heart(noisy(105, spread, 90, seed=4), start=DAY + 8 * HOUR, activity=activity)  # type: ignore[arg-type]
        more = heart(noisy(60, 3, 480, seed=5), start=DAY, activity=activity)  # type: ignore[arg-type]
        opened = next(iter(detect([*calm, *more, *raised])))
        return seconds(opened.detected_at) - DAY - 8 * HOUR  # type: ignore[operator]

    assert wait("rest", 1.5) <= 1500
    assert wait("rest", 6) <= 1500
    assert wait("unknown", 1.5) <= 1500
    assert 3600 <= wait("unknown", 6) <= 3900


def test_where_nobody_knows_the_activity_a_low_rate_waits_longer_however_steady() -> None:
    """Who falls asleep by day is no patient."""
    calm, low = noisy(66, 1, 1440 + 720), noisy(43, 1, 90, seed=4)
    events = [
        detect(heart([*calm, *low], activity=activity), scorer={"enabled": False})
        for activity in ("rest", "unknown")
    ]
    began = (1440 + 720) * 60
    waits = [seconds(e[0].detected_at) - began for e in events]  # type: ignore[operator]
    assert waits[0] <= 1500
    assert 3600 <= waits[1] <= 3900
    assert {e[0].evidence["persistence_seconds"] for e in events} == {1200, 3600}


def test_activity_interrupts_it() -> None:
    memory = learned(noisy(60, 3, 1440))
    for i in range(30):
        active = i == 12
        here = moment(DAY + i * 60.0, "active" if active else "rest", heart_rate=100)
        found = list(BASELINE.examine(here, memory))
        assert not any(f.stance == BEYOND for f in found)
        BASELINE.learn(here, memory, {"heart_rate"})


def test_two_readings_of_a_cuff_are_told_and_one_is_not() -> None:
    source = random.Random(2)  # noqa: S311
    calm = [(112 + source.gauss(0, 5), 70 + source.gauss(0, 3)) for _ in range(40)]
    once = detect(cuff([*calm, (155, 72), *calm[:3]]))
    twice = detect(cuff([*calm, (155, 72), (154, 73), *calm[:3]]))
    assert announced(once) == []
    assert next(event.kind for event in twice) == "blood_pressure_unusual"


def test_evidence_says_what_it_rests_on() -> None:
    memory = learned(noisy(60, 5, 200))
    announced = BASELINE.evidence(moment(heart_rate=80), memory, "heart_rate")
    basis = announced["baseline"]
    assert (basis["n"], basis["bin"]) == (200, "rest:day")
    assert basis["confidence"] == pytest.approx(200 / 480, abs=0.01)
    assert basis["low"] < basis["median"] < basis["high"]
    assert announced["scores"]["baseline"] > 2
    assert BASELINE.evidence(moment(heart_rate=80), BASELINE.fresh(), "heart_rate") == {}


def test_a_signal_no_longer_judged_is_let_go_when_loading() -> None:
    saved = BASELINE.dump(learned([60.0] * 50))
    off = config(baseline={"signals": {"heart_rate": {"enabled": False}}}).everyone
    assert make_baseline(off).load(saved).known == {}


def test_what_the_first_version_saved_is_taken_over() -> None:
    old = [
        {
            "heart_rate": {
                "rest:day": [900.0, 64.0, 4.0, 840],
                "asleep:night": [500.0, 52.0, 3.0, 9],
            }
        },
        {"heart_rate": 0.0},
    ]
    memory = BASELINE.load(old)
    assert usual(memory, 10 * HOUR) == pytest.approx(64)
    assert usual(memory, 2 * HOUR, "asleep") == pytest.approx(52)


def test_through_the_engine_a_sustained_rise_is_unusual_and_teaches_nothing() -> None:
    calm = heart(noisy(60, 3, 1440))
    raised = heart(noisy(100, 2, 120, seed=4), start=DAY)
    after = heart(noisy(60, 3, 120, seed=2), start=DAY + 120 * 60)
    events = detect([*calm, *raised, *after])
    assert announced(events) == [
        ("heart_rate_unusual", "opened", "low"),
        ("heart_rate_unusual", "closed", "low"),
    ]
    medians = [event.evidence["baseline"]["median"] for event in events]
    assert medians[1] == pytest.approx(medians[0], abs=1)  # learned next to nothing in between


@pytest.mark.parametrize(("rise", "days"), [(35.0, 6.0), (45.0, 7.0)])
def test_a_true_new_normal_is_told_once_and_adopted_after_the_stated_time(
    rise: float, days: float
) -> None:
    calm = heart(noisy(60, 4, 4 * 288), every=300.0)
    new = heart(noisy(60 + rise, 4, 10 * 288, seed=3), start=4 * DAY, every=300.0)
    events = detect([*calm, *new], **ALONE)
    assert [phase for _, phase, _ in announced(events) if phase != "updated"] == [
        "opened",
        "closed",
    ]
    ended = seconds(events[-1].ended_at)
    assert ended is not None
    assert 5 * DAY < ended < (4 + days) * DAY


def test_the_window_is_the_same_for_the_device_that_measures_seldom() -> None:
    window = Window()
    for i in range(6):
        assert len(window.closing(i * 600.0, 10.0, 300.0, 3900.0)) == (0, 2, 1, 1, 1, 1)[i]
        window.add(i * 600.0, 10.0, 300.0, 3900.0, 4)
    assert window.means == [10.0] * 4
