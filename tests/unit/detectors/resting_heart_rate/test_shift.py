"""The Page-Hinkley test over nights: river's own, kept as plain numbers."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.drift import PageHinkley

from detectors.configuration.loading import load
from detectors.resting_heart_rate.reference import DAY, History, Known
from detectors.resting_heart_rate.shift import Shift, basis

SETTINGS = load().everyone.resting
DISTANCES = st.lists(st.floats(-3, 3), max_size=60)


def saved(shift: Shift) -> Shift:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(shift), type=Shift)


@given(DISTANCES)
def test_it_is_rivers_test_night_for_night_and_goes_on_from_its_numbers(
    distances: list[float],
) -> None:
    own = basis(Shift(), SETTINGS)["parameters"]
    plain, shift = PageHinkley(**own), Shift()
    for day, distance in enumerate(distances):
        plain.update(distance)
        shift = saved(shift)
        found = shift.take(distance, day * DAY, near=True, settings=SETTINGS)
        assert found == plain.drift_detected


def opened(values: list[float]) -> tuple[int, History] | None:
    history = History()
    for day, value in enumerate(values):
        history.conclude(Known(day * DAY, round(value, 1), 7.0), SETTINGS)
        if history.shift.raised:
            return day, history
    return None


@pytest.mark.parametrize("seed", range(5))
def test_five_beats_for_a_week_that_no_two_nights_show(seed: int) -> None:
    """Each night is under what two nights need; the week together is not."""
    source = random.Random(seed)  # noqa: S311
    calm = [60 + source.gauss(0, 1) for _ in range(28)]
    found = opened([*calm, *[65.0] * 7])
    assert found is not None
    day, history = found
    assert 28 < day <= 34
    assert not history.fast.raised
    assert history.shift.since <= 29 * DAY < history.shift.raised_at


def test_one_night_is_no_shift_however_high() -> None:
    assert opened([*[60.0, 61.0, 59.0] * 10, 110.0, *[60.0, 61.0, 59.0] * 3]) is None


def test_two_high_nights_on_both_sides_of_a_long_gap_are_no_shift() -> None:
    history = History()
    days = [*range(28), 28, 40, 41]
    for day in days:
        value = 72.0 if day in (28, 40) else 60.0
        history.conclude(Known(day * DAY, value, 7.0), SETTINGS)
        assert not history.raised


def after(values: list[float]) -> History:
    history = History()
    for day, value in enumerate(values):
        history.conclude(Known(day * DAY, value, 7.0), SETTINGS)
    return history


def test_the_shift_is_over_with_the_first_night_that_is_back() -> None:
    calm, risen = [60.0, 61.0, 59.0] * 9, [65.0] * 7
    assert after([*calm, *risen]).shift.raised
    assert after([*calm, *risen, 62.0]).shift.raised
    assert not after([*calm, *risen, 60.0]).raised


def test_a_shift_goes_on_over_nights_that_are_still_above() -> None:
    calm, risen = [60.0, 61.0, 59.0] * 9, [65.0] * 7
    first, last = after([*calm, *risen]).shift, after([*calm, *risen, 63.0, 64.0]).shift
    assert last.raised_at == first.raised_at


def test_the_evidence_names_the_detector_its_parameters_and_score() -> None:
    found = opened([*[60.0] * 28, *[66.0] * 6])
    assert found is not None
    named = basis(found[1].shift, SETTINGS)
    assert named["name"] == "river.drift.PageHinkley"
    assert named["parameters"]["threshold"] == named["limit"]
    assert named["score"] > named["limit"]
