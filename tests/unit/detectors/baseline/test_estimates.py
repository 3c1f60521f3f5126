"""The running centre and spread: river's weighted means, to the last bit."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from river.stats import Mean

from detectors.baseline.estimates import DEVIATION_TO_SPREAD, Estimate, restored

PRIOR = (74.0, 11.0)
VALUES = st.floats(20, 250, allow_subnormal=False)
WEIGHTS = st.floats(1 / 60, 120, allow_subnormal=False)


@given(st.lists(st.tuples(VALUES, WEIGHTS), max_size=60), st.floats(0.5, 500))
def test_the_means_are_rivers_to_the_last_bit(
    rows: list[tuple[float, float]], weight: float
) -> None:
    ours = Estimate(PRIOR, weight, floor=0.1)
    centre, deviation = Mean(), Mean()
    centre.update(PRIOR[0], weight)
    deviation.update(PRIOR[1] / DEVIATION_TO_SPREAD, weight)
    for value, w in rows:
        reach = 2 * ours.spread
        off = min(max(value - ours.centre, -reach), reach)
        centre.update(ours.centre + off, w)
        deviation.update(abs(off), w)
        ours.take(value, w, inf)
        assert (ours.centre, ours.deviation, ours.weight) == (
            centre.get(), deviation.get(), centre.n,
        )  # fmt: skip


@given(st.lists(VALUES, max_size=20), st.floats(1, 50))
def test_what_was_saved_goes_on_as_if_never_saved(values: list[float], memory: float) -> None:
    one = Estimate(PRIOR, 60, floor=3.0)
    other = restored(3.0, one.dump())
    for value in values:
        one.take(value, 2.0, memory)
        other = restored(3.0, other.dump())
        other.take(value, 2.0, memory)
        assert one.dump() == other.dump()
        assert one.weight <= max(memory, 2.0) + 1e-9


def test_the_centre_stays_within_its_bounds() -> None:
    one = Estimate(PRIOR, 60, floor=3.0)
    one.take(300.0, 10.0, inf, high=75.0)
    assert one.centre == 75.0
    one.take(20.0, 10.0, inf, low=74.5)
    assert one.centre == 74.5
