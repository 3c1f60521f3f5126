"""The personal baseline: what is usual, how it is learned, and what must not move it."""

from __future__ import annotations

import random

import pytest

from detectors.baseline import Baseline, Estimate, Memory
from detectors.config import load
from detectors.contract import BEYOND, CLEAR, MUTED
from tests.support.vitals import DAY, HOUR, config, detect, heart, moment, seconds, told

BASELINE = Baseline(load().everyone)


def learned(rates: list[float], activity: str = "rest", every: float = 60.0) -> Memory:
    memory = BASELINE.fresh()
    for i, rate in enumerate(rates):
        here = moment(i * every, activity, heart_rate=rate)  # type: ignore[arg-type]
        BASELINE.learn(here, memory, ())
    return memory


def noisy(centre: float, spread: float, n: int, seed: int = 1) -> list[float]:
    source = random.Random(seed)  # noqa: S311
    return [source.gauss(centre, spread) for _ in range(n)]


def estimate(memory: Memory, period: str = "rest:day") -> Estimate:
    return memory.estimates["heart_rate"][period]


def test_it_finds_centre_and_spread() -> None:
    found = estimate(learned(noisy(58, 5, 6000)))
    assert found.centre == pytest.approx(58, abs=0.7)
    assert found.spread == pytest.approx(5, rel=0.1)


def test_one_in_ten_wild_values_hardly_moves_it() -> None:
    rates = noisy(58, 5, 6000)
    rates[::10] = [190.0] * len(rates[::10])
    assert estimate(learned(rates)).centre == pytest.approx(58, abs=3)


def test_slow_and_fast_devices_remember_the_same_time() -> None:
    fast = estimate(learned(noisy(70, 4, 3 * 86400 // 10), every=10.0))
    slow = estimate(learned(noisy(70, 4, 3 * 24), every=HOUR))
    assert fast.weight == slow.weight == 2880
    assert fast.readings == pytest.approx(3 * 1440, abs=2)  # one a minute


def test_each_activity_and_time_of_day_has_its_own() -> None:
    memory = BASELINE.fresh()
    for i in range(2000):
        night = moment(i * 120.0, "asleep", "asleep:night", heart_rate=50)
        day = moment(i * 120.0 + 60, "active", "active:day", heart_rate=110)
        BASELINE.learn(night, memory, ())
        BASELINE.learn(day, memory, ())
    assert estimate(memory, "asleep:night").centre < 53
    assert estimate(memory, "active:day").centre > 107


def test_nothing_is_unusual_before_it_is_known() -> None:
    memory = learned([60.0] * 479)
    assert list(BASELINE.examine(moment(heart_rate=119), memory)) == []
    BASELINE.learn(moment(480 * 60.0, heart_rate=60), memory, ())
    BASELINE.learn(moment(481 * 60.0, heart_rate=60), memory, ())
    assert [f.stance for f in BASELINE.examine(moment(heart_rate=119), memory)] == [BEYOND, CLEAR]


def test_unusual_is_far_in_spreads_and_far_enough_in_beats() -> None:
    memory = learned(noisy(60, 1, 4000))
    assert estimate(memory).spread == 3  # the floor
    assert not list(BASELINE.examine(moment(heart_rate=75), memory))  # five spreads, 15 beats
    above, below = BASELINE.examine(moment(heart_rate=86), memory)
    assert (above.stance, below.stance) == (BEYOND, CLEAR)
    assert above.limit == pytest.approx(85, abs=0.5)
    above, below = BASELINE.examine(moment(heart_rate=34), memory)
    assert (above.stance, below.stance) == (CLEAR, BEYOND)


def test_it_is_muted_while_active() -> None:
    memory = learned([90.0] * 1000, "active")
    above, _ = BASELINE.examine(moment(activity="active", heart_rate=190), memory)
    assert above.stance == MUTED


def test_it_does_not_learn_what_is_frozen_nor_what_is_missing() -> None:
    memory = learned([60.0] * 100)
    before = BASELINE.dump(memory)[0]
    BASELINE.learn(moment(7000.0, heart_rate=150), memory, {"heart_rate"})
    BASELINE.learn(moment(7060.0), memory, ())
    assert BASELINE.dump(memory)[0] == before
    assert estimate(memory).score_one({}) == 0.0


def test_evidence_says_what_it_rests_on() -> None:
    memory = learned(noisy(60, 5, 300))
    told = BASELINE.evidence(moment(heart_rate=80), memory, "heart_rate")
    basis = told["baseline"]
    assert basis["n"] == 300
    assert basis["bin"] == "rest:day"
    assert basis["confidence"] == round(299 / 480, 2) or basis["confidence"] == round(300 / 480, 2)
    assert basis["low"] < basis["median"] < basis["high"]
    assert told["scores"]["baseline"] > 2
    assert BASELINE.evidence(moment(heart_rate=80), BASELINE.fresh(), "heart_rate") == {}


def test_a_signal_no_longer_judged_is_let_go_when_loading() -> None:
    saved = BASELINE.dump(learned([60.0] * 50))
    off = config(baseline={"signals": {"heart_rate": {"enabled": False}}}).everyone
    assert Baseline(off).load(saved).estimates == {}


def test_through_the_engine_a_sustained_rise_is_unusual_and_teaches_nothing() -> None:
    calm = heart(noisy(60, 3, 1440))
    raised = heart(noisy(100, 2, 120, seed=4), start=DAY)
    after = heart(noisy(60, 3, 120, seed=2), start=DAY + 120 * 60)
    events = detect([*calm, *raised, *after])
    assert told(events) == [
        ("heart_rate_unusual", "opened", "low"),
        ("heart_rate_unusual", "closed", "low"),
    ]
    opened, closed = events
    assert seconds(opened.onset) == DAY
    assert seconds(opened.detected_at) == DAY + 1800
    medians = [event.evidence["baseline"]["median"] for event in events]
    assert medians[1] == pytest.approx(medians[0], abs=0.2)  # learned nothing in between
    assert seconds(closed.ended_at) == DAY + 7200


def test_a_true_new_normal_is_adopted_after_the_stated_time() -> None:
    """Resting heart rate 60 for four days, then 95 for good: told once, adopted within a week."""
    calm = heart(noisy(60, 4, 4 * 288), every=300.0)
    new = heart(noisy(95, 4, 8 * 288, seed=3), start=4 * DAY, every=300.0)
    events = detect([*calm, *new])
    assert told(events)[0] == ("heart_rate_unusual", "opened", "low")
    assert told(events)[-1] == ("heart_rate_unusual", "closed", "low")
    assert len([event for event in events if event.phase == "opened"]) <= 2
    ended = seconds(events[-1].ended_at)
    assert ended is not None
    assert 5 * DAY < ended < 11 * DAY
