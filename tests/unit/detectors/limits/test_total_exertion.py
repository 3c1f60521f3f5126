"""What is interrupted again and again, or measured rarely, adds up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.configuration.loading import load
from detectors.contract import BEYOND
from detectors.limits.total_exertion import TotalExertion
from tests.support.vitals import DAY, HOUR, MIDNIGHT, detect, measured, moment, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Activity, Upload

NOON = 12 * HOUR
EVERYONE = load().everyone
TOTAL = TotalExertion(EVERYONE.limits, EVERYONE.age, EVERYONE.exertion)
LONG_EFFORT = "heart_rate_long_effort.added_up"


def found(log: Iterable[Upload]) -> list[Event]:
    return [event for event in detect(log) if event.kind == "heart_rate_high"]


def hours_to(event: Event) -> float:
    return ((event.detected_at - MIDNIGHT).total_seconds() - NOON) / HOUR


def bouts(rate: float, minutes: int, of: int, hours: int, activity: Activity = "active",
          steps: float | None = None) -> list[Upload]:  # fmt: skip
    """So many ``minutes`` at a rate in each ``of`` minutes, a reading a minute; calm between."""
    log = []
    for i in range(hours * 60):
        high = i % of < minutes
        values = {"heart_rate": (rate if high else 80.0) + i % 2}
        row = measured(
            NOON + i * 60.0, values, activity if high else "rest", steps if high else 0.0
        )
        log.append(upload(row))
    return log


def sparse(rate: float, every: float, hours: float, activity: Activity = "active") -> list[Upload]:
    return [
        upload(measured(NOON + i * every, {"heart_rate": rate + i % 2}, activity))
        for i in range(int(hours * HOUR / every))
    ]


@pytest.mark.parametrize(("minutes", "of"), [(25, 60), (20, 60), (15, 45), (29, 120)])
def test_past_the_maximum_again_and_again(minutes: int, of: int) -> None:
    events = found(bouts(212.0, minutes, of=of, hours=12))
    assert events[0].phase == "opened"
    assert events[0].priority == "high"
    assert events[0].evidence["rule"] == "heart_rate_past_maximum.added_up"
    assert events[0].evidence["judged_while_active"] == "share_of_maximum"
    assert events[0].evidence["added_up_seconds"] == 2250.0


def test_an_episode_begins_with_its_own_stretch_and_ends_with_it() -> None:
    events = found(bouts(212.0, 25, of=60, hours=2))
    assert [event.phase for event in events] == ["opened", "closed"]
    assert (events[0].onset - MIDNIGHT).total_seconds() == NOON + HOUR
    assert events[0].evidence["samples"] == events[0].evidence["readings_beyond"]
    assert events[0].evidence["longest_gap_seconds"] == 60.0


@pytest.mark.parametrize(
    ("every", "latest"), [(1000.0, 8.5), (1860.0, 11.0), (2700.0, 17.5), (3600.0, 27.5)]
)
def test_rare_readings_add_up_where_none_is_calm(every: float, latest: float) -> None:
    (event,) = [e for e in found(sparse(165.0, every, hours=36)) if e.phase == "opened"]
    assert 8.0 <= hours_to(event) <= latest
    assert event.evidence["duration_observed"] is (every <= 900.0)


@pytest.mark.parametrize("log", [
    bouts(168.0, 120, of=720, hours=48),
    bouts(150.0, 180, of=1440, hours=72),
    bouts(212.0, 5, of=60, hours=24),
    bouts(190.0, 16, of=1440, hours=72),
    bouts(155.0, 60, of=720, hours=48, steps=14.0),
    bouts(130.0, 20, of=240, hours=48, steps=20.0),
    sparse(165.0, 3.5 * HOUR, hours=60),
    [u for i, u in enumerate(sparse(165.0, 1860.0, hours=24)) if i < 14],
])  # fmt: skip
def test_training_is_left_alone(log: list[Upload]) -> None:
    assert found(log) == []


def test_walking_explains_in_stretches_what_light_motion_does_not() -> None:
    light = found(bouts(155.0, 50, of=80, hours=12, activity="unknown", steps=20.0))
    assert light[0].evidence["rule"] == "heart_rate_very_high_in_light_motion.added_up"
    assert found(bouts(155.0, 50, of=80, hours=12, activity="unknown", steps=120.0)) == []


# ---- laws


RATES = st.lists(st.sampled_from([80.0, 120.0, 130.0, 152.0, 187.0, 210.0]), min_size=1, max_size=8)
GAPS = st.lists(st.sampled_from([60.0, 600.0, 1800.0, 1860.0, 3600.0, 20_000.0]), min_size=1)


def first_beyond(rates: Sequence[float], gaps: Sequence[float], pace: float | None) -> float:
    """At which of 150 readings something has added up; 150: at none."""
    memory, time = TOTAL.fresh(), NOON
    for i in range(150):
        time += gaps[i % len(gaps)]
        here = replace(moment(time, "active", heart_rate=rates[i % len(rates)]), pace=pace)
        if any(finding.stance == BEYOND for finding in TOTAL.examine(here, memory)):
            return i
        TOTAL.learn(here, memory, ())
    return 150


@settings(max_examples=60)
@given(RATES, GAPS, st.sampled_from([None, 0.0, 14.0, 60.0]), st.floats(0, 20))
def test_a_faster_heart_is_never_found_later(
    rates: list[float], gaps: list[float], pace: float | None, more: float
) -> None:
    faster = [rate + more for rate in rates]
    assert first_beyond(faster, gaps, pace) <= first_beyond(rates, gaps, pace)


@settings(max_examples=60)
@given(RATES, GAPS, st.sampled_from([0.0, 14.0, 39.0]))
def test_more_steps_never_find_it_sooner(
    rates: list[float], gaps: list[float], pace: float
) -> None:
    assert first_beyond(rates, gaps, 60.0) >= first_beyond(rates, gaps, pace)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(60, 220), st.sampled_from([60.0, 1860.0])), max_size=60))
def test_what_adds_up_is_no_more_than_the_time_at_the_limit(
    rows: list[tuple[float, float]],
) -> None:
    memory, time, at_limit, before = TOTAL.fresh(), NOON, 0.0, 0.0
    for rate, gap in rows:
        time += gap
        TOTAL.learn(moment(time, "active", heart_rate=rate), memory, ())
        at_limit += gap if min(rate, before) >= 149.5 else 0.0
        before = rate
        for effort in memory.values():
            assert 0.0 <= effort.seconds <= time - effort.begun
            assert effort.since >= effort.begun
        long_effort = memory.get("heart_rate_long_effort")
        assert long_effort is None or long_effort.seconds <= at_limit


def test_calm_people_have_nothing_to_remember() -> None:
    memory = TOTAL.fresh()
    for i in range(100):
        TOTAL.learn(moment(i * 60.0, heart_rate=120.0 + i % 4), memory, ())
    assert memory == {}
    TOTAL.learn(moment(6000.0, heart_rate=160.0), memory, ())
    assert memory
    TOTAL.learn(moment(6000.0 + DAY, heart_rate=70.0), memory, ())
    assert memory == {}


def test_a_withdrawn_reading_does_not_count() -> None:
    memory = TOTAL.fresh()
    for i in range(10):
        TOTAL.learn(moment(i * 60.0, "active", heart_rate=212.0), memory, ())
    TOTAL.withdraw(memory, [moment(-60.0, heart_rate=212.0), moment(300.0, spo2=97.0)])
    assert memory["heart_rate_past_maximum"].seconds == 540.0
    TOTAL.withdraw(memory, [moment(300.0, heart_rate=212.0)])
    assert memory == {}
