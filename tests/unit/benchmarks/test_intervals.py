"""Intervals of shares and rates: exact figures where they are known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detection.scoring import byar, wilson


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_share_lies_in_its_interval(hits: int, more: int) -> None:
    of = hits + more
    low, high = wilson(hits, of)
    assert 0.0 <= low <= hits / of <= high <= 1.0


def test_ten_times_as_many_trials_narrow_it() -> None:
    few, many = wilson(9, 19), wilson(90, 190)
    assert many[1] - many[0] < (few[1] - few[0]) / 2


def test_a_rate_of_no_episodes_still_has_an_upper_bound() -> None:
    low, high = byar(0, 26)
    assert low == 0.0
    assert 3.0 / 26 < high < 4.0 / 26  # the rule of three


@given(st.integers(0, 300))
def test_a_count_lies_in_its_interval(count: int) -> None:
    low, high = byar(count, 1.0)
    assert low <= count <= high
