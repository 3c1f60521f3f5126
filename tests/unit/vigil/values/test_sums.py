"""Sums of floats: one after another, from the left, on every Python."""

from __future__ import annotations

from functools import reduce
from operator import add

from hypothesis import given
from hypothesis import strategies as st

from vigil.values.sums import total

floats = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64))


@given(floats)
def test_each_value_is_added_to_what_came_before(values: list[float]) -> None:
    assert total(values).hex() == float(reduce(add, values, 0.0)).hex()


def test_nothing_is_compensated() -> None:
    assert total([0.1] * 10) == 0.9999999999999999  # CPython 3.12's sum gives 1.0


def test_a_sum_is_a_float_even_of_nothing() -> None:
    assert type(total([])) is type(total([1, 2])) is float
