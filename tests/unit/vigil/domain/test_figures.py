"""One rounding rule: half up, by the decimal that a number stands for."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import inf, isnan, nan

from hypothesis import given
from hypothesis import strategies as st

from tests.support.figures import exact, near_halves
from vigil.domain import figures
from vigil.domain.signals import NAMES, SIGNALS
from vigil.values.rounding import format_half_up, half_up

ANY = st.floats(-1e12, 1e12)
DECIMALS = st.integers(0, 3)


@given(near_halves(400.0) | ANY, DECIMALS)
def test_half_up_is_the_decimals_own(value: float, decimals: int) -> None:
    wanted = exact(value, decimals)
    assert half_up(value, decimals) == float(wanted)
    assert Decimal(format_half_up(value, decimals)) == wanted


@given(near_halves(400.0), near_halves(400.0), DECIMALS)
def test_rounding_keeps_the_order_and_is_done_once(one: float, two: float, decimals: int) -> None:
    low, high = sorted((one, two))
    assert half_up(low, decimals) <= half_up(high, decimals)
    assert half_up(half_up(one, decimals), decimals) == half_up(one, decimals)


def test_what_is_no_finite_number_stays_what_it_is() -> None:
    assert isnan(half_up(nan))
    assert (half_up(inf), half_up(-inf, 2)) == (inf, -inf)
    assert half_up(1e308, 1) == 1e308
    assert str(half_up(-0.2)) == "0.0"


@given(st.dictionaries(st.sampled_from(NAMES), near_halves(320.0), min_size=1))
def test_a_readings_figures_are_each_signals_own(values: dict[str, float]) -> None:
    read = figures.to_figures(values)
    assert read == {name: SIGNALS[name].figure(value) for name, value in values.items()}
    assert list(read) == list(values)
    assert figures.to_figures(read) is read
    for name, value in values.items():
        assert figures.text(name, value) == SIGNALS[name].display(value)
        assert float(SIGNALS[name].display(value)) == figures.figure(name, value) == read[name]


@given(near_halves(300.0), near_halves(300.0))
def test_pressures_are_apart_where_they_read_so(systolic: float, diastolic: float) -> None:
    reads = exact(systolic, 0) > exact(diastolic, 0)
    assert figures.is_systolic_above_diastolic(systolic, diastolic) == reads


def test_the_half_that_binary_hides_goes_up() -> None:
    assert [format_half_up(value, 1) for value in (35.05, 36.05, 38.05, 39.05)] == [
        "35.1", "36.1", "38.1", "39.1",
    ]  # fmt: skip
    assert [f"{value:.1f}" for value in (35.05, 38.05)] == ["35.0", "38.0"]  # what it is not
    assert Decimal("2.5").quantize(Decimal(1), ROUND_HALF_UP) == 3
