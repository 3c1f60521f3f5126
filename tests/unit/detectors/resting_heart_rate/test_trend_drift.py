"""A slow drift that takes the reference with it must still be told; a season must not."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.configuration.loading import load
from detectors.resting_heart_rate.reference import DAY, History, Known, spread_of

SETTINGS = load().everyone.resting


def drift_announced(values: Iterable[float]) -> int | None:
    """The night on which the level was first found to have crept up."""
    history = History()
    for day, value in enumerate(values):
        history.conclude(Known(day * DAY, round(value, 1), 7.0), SETTINGS)
        if history.slow.raised:
            return day
    return None


def person(seed: int, days: int, spread: float = 2.5) -> list[float]:
    source = random.Random(seed)  # noqa: S311
    return [60 + source.gauss(0, spread) for _ in range(days)]


@pytest.mark.parametrize("seed", range(8))
def test_three_tenths_of_a_beat_a_night_for_six_weeks(seed: int) -> None:
    values = [v + 0.3 * max(0, day - 42) for day, v in enumerate(person(seed, 84))]
    announced = drift_announced(values)
    assert announced is not None
    assert 42 < announced <= 42 + 35


def test_so_slow_that_no_two_nights_stand_out() -> None:
    """A tenth of a beat a night, without noise: the reference follows, the anchor does not."""
    history, gaps = History(), list[float]()
    for day in range(42 + 120):
        value = 60 + 0.1 * max(0, day - 42)
        history.conclude(Known(day * DAY, round(value, 1), 7.0), SETTINGS)
        if history.slow.raised:
            break
        gaps.append(value - history.usual(SETTINGS).centre)
    assert history.slow.raised
    assert not history.fast.raised
    assert max(gaps) < SETTINGS.least_rise


@pytest.mark.parametrize("seed", range(8))
def test_a_mild_season_is_no_drift(seed: int) -> None:
    wave = [v + 2 * math.sin(2 * math.pi * day / 365) for day, v in enumerate(person(seed, 730))]
    assert drift_announced(wave) is None


@pytest.mark.parametrize("seed", range(8))
def test_a_steady_person_has_no_drift(seed: int) -> None:
    assert drift_announced(person(seed, 730)) is None


def test_a_drift_that_has_lasted_four_weeks_is_the_new_normal() -> None:
    history = History()
    for day in range(42 + 42 + 90):
        value = 60 + 0.3 * min(42, max(0, day - 42))
        history.conclude(Known(day * DAY, round(value, 1), 7.0), SETTINGS)
    assert history.adopted > 0
    assert not history.raised
    assert history.anchor == pytest.approx(60 + 0.3 * 42, abs=0.5)


def test_one_night_at_the_anchor_ends_a_drift() -> None:
    history = History()
    values = [60 + 0.3 * max(0, day - 42) for day in range(42 + 35)]
    for day, value in enumerate(values):
        history.conclude(Known(day * DAY, round(value, 1), 7.0), SETTINGS)
    assert history.slow.raised
    history.conclude(Known(len(values) * DAY, 60.0, 7.0), SETTINGS)
    assert not history.raised


def test_the_anchor_moves_no_faster_than_stated() -> None:
    history, last = History(), None
    for day, value in enumerate(person(3, 200)):
        history.conclude(Known(day * DAY, round(value + 0.05 * day, 1), 7.0), SETTINGS)
        if last is not None and history.adopted < 0:
            assert history.anchor is not None
            assert abs(history.anchor - last) <= SETTINGS.anchor_step + 1e-9
        last = history.anchor


def known(values: Iterable[float]) -> History:
    history = History()
    for day, value in enumerate(values):
        history.conclude(Known(day * DAY, value, 7.0), SETTINGS)
    return history


def test_an_odd_night_counts_no_further_than_stated() -> None:
    history = known([60.0] * 20 + [150.0])
    assert history.fast.last == SETTINGS.clip_spreads
    assert not history.raised


@pytest.mark.parametrize(("raised", "learned"), [(3, True), (9, False)])
def test_only_a_short_rise_teaches_when_it_is_over(raised: int, learned: bool) -> None:
    history = known([60.0] * 20 + [75.0] * raised + [60.0] * 12)
    assert not history.raised
    assert (75.0 in history.reference) is learned


@given(st.lists(st.floats(30, 150), min_size=1, max_size=40))
def test_a_spread_is_never_nothing(nights: list[float]) -> None:
    assert spread_of(nights, SETTINGS) > 0


@given(st.lists(st.tuples(st.floats(30, 150), st.integers(1, 40)), max_size=80))
def test_whatever_the_nights_what_is_kept_is_bounded(nights: list[tuple[float, int]]) -> None:
    history, time = History(), 0.0
    for value, gap in nights:
        time += gap * DAY
        history.conclude(Known(time, value, 7.0), SETTINGS)
        assert len(history.reference) <= SETTINGS.reference_nights
        assert len(history.recent) <= SETTINGS.recent_nights
        assert len(history.waiting) <= SETTINGS.wait_nights + SETTINGS.adopt_days + 1
        assert history.raised == (history.raised_nights > 0)
