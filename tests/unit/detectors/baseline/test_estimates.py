"""The running centre and spread: river's weighted means, and a detector of river's."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from river.base import AnomalyDetector
from river.stats import Mean

from detectors.baseline.estimates import DEVIATION_TO_SPREAD, Estimate

PRIOR = (74.0, 11.0)
VALUES = st.floats(20, 250, allow_subnormal=False)
WEIGHTS = st.floats(1 / 60, 120, allow_subnormal=False)


@given(st.lists(st.tuples(VALUES, WEIGHTS), max_size=60), st.floats(0.5, 500))
def test_the_means_are_rivers_to_the_last_bit(
    rows: list[tuple[float, float]], weight: float
) -> None:
    ours = Estimate("heart_rate", PRIOR, weight, floor=0.1)
    centre, deviation = Mean(), Mean()
    centre.update(PRIOR[0], weight)
    deviation.update(PRIOR[1] / DEVIATION_TO_SPREAD, weight)
    for value, w in rows:
        reach = 2 * ours.spread
        off = min(max(value - ours.centre, -reach), reach)
        centre.update(ours.centre + off, w)
        deviation.update(abs(off), w)
        ours.learn_one({"heart_rate": value}, w)
        assert (ours.centre, ours.deviation, ours.weight) == (
            centre.get(), deviation.get(), centre.n,
        )  # fmt: skip


@given(st.lists(VALUES, max_size=20), st.floats(1, 50))
def test_what_was_saved_goes_on_as_if_never_saved(values: list[float], memory: float) -> None:
    one = Estimate("heart_rate", PRIOR, 60, floor=3.0)
    other = Estimate.restored("heart_rate", 3.0, one.dump())
    for value in values:
        one.learn_one({"heart_rate": value}, 2.0, memory)
        other = Estimate.restored("heart_rate", 3.0, other.dump())
        other.learn_one({"heart_rate": value}, 2.0, memory)
        assert one.dump() == other.dump()
        assert one.weight <= max(memory, 2.0) + 1e-9


def test_it_is_a_detector_of_rivers() -> None:
    one = Estimate("heart_rate", PRIOR, 60, floor=3.0)
    assert isinstance(one, AnomalyDetector)
    before = one.dump()
    one.learn_one({"spo2": 97.0})
    assert one.score_one({"spo2": 97.0}) == 0
    assert one.dump() == before
    one.take(300.0, 10.0, inf, high=75.0)
    assert one.centre == 75.0
