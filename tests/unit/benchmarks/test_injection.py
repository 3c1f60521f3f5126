"""Episodes made into recordings: where they are, what they leave alone, what can be true at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.detection.injection import (
    CLINICAL,
    DRIFTS,
    PRESSURE,
    RAMP_SECONDS,
    Shape,
    Site,
    inject,
    pressure_moved,
    rate_raised,
    shock,
)
from benchmarks.detection.quiet import QUIET, QUIET_PRESSURE, cuff_artefact, exercise
from benchmarks.detection.sets import MINUTE, Recording
from vigil.domain.reading import Context, Measurement

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SHAPES = (*CLINICAL, *PRESSURE, *DRIFTS, *QUIET, *QUIET_PRESSURE)


def recording(rates: list[float], pressures: tuple[float, float] = (120.0, 75.0)) -> Recording:
    """One reading a minute."""
    rows = tuple(
        Measurement(
            f"r{i}",
            BEGIN + timedelta(minutes=i),
            {"heart_rate": rate, "systolic": pressures[0], "diastolic": pressures[1]},
            Context(steps_per_min=0.0),
        )
        for i, rate in enumerate(rates)
    )
    return Recording("p1", rows)


def inject_episode(shape: Shape, minute: int = 60, minutes: int = 400, seed: int = 1) -> Recording:
    """A calm recording with one episode."""
    calm = recording([60.0 + i % 5 for i in range(minutes)])
    made, _ = inject(calm, [Site(shape, calm.start + minute * MINUTE)], seed)
    return made


def at(made: Recording, minute: int) -> Measurement:
    """The reading of that minute."""
    wanted = BEGIN + timedelta(minutes=minute)
    return next(row for row in made.measurements if row.time == wanted)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@settings(max_examples=8, deadline=None)
@given(systolic=st.floats(85, 200), start=st.integers(0, 140), seed=st.integers(0, 1000))
def test_only_the_span_changes_and_every_value_stays_possible(
    shape: Shape, systolic: float, start: int, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    before = recording([random.uniform(35, 190) for _ in range(150)], (systolic, systolic * 0.6))
    begin = before.start + start * MINUTE
    made, (truth,) = inject(before, [Site(shape, begin)], seed)
    kept = {row.time: row for row in made.measurements}
    for row in before.measurements:
        inside = begin <= row.time.timestamp() < begin + shape.seconds
        if not inside:
            assert kept[row.time] == row
        elif row.time in kept:
            values = kept[row.time].values
            assert values.keys() == row.values.keys()
            assert 20 <= values["heart_rate"] <= 220
            assert 10 <= values["diastolic"] < values["systolic"] <= 300
    assert (truth.start, truth.end) == (begin, begin + shape.seconds + shape.grace_seconds)
    assert truth.must_alert == shape.must_alert


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_same_seed_gives_the_same_recording(shape: Shape) -> None:
    assert inject_episode(shape, seed=3) == inject_episode(shape, seed=3)


def test_a_raised_rate_ramps_up_holds_and_keeps_its_noise() -> None:
    made = inject_episode(rate_raised(30, 20))
    ramp = int(RAMP_SECONDS / MINUTE)
    assert at(made, 60).values["heart_rate"] == 60.0
    for minute in range(60 + ramp, 60 + ramp + 20):
        assert at(made, minute).values["heart_rate"] == 90.0 + minute % 5
    assert at(made, 60 + 2 * ramp + 20).values["heart_rate"] == 60.0


@pytest.mark.parametrize("by", [40.0, -35.0])
def test_pressure_moves_and_diastolic_in_proportion(by: float) -> None:
    row = at(inject_episode(pressure_moved(by, 60)), 70)
    assert row.values["systolic"] == 120 + by
    assert row.values["diastolic"] == pytest.approx(75 * (120 + by) / 120, abs=0.06)
    assert row.values["heart_rate"] == 60.0


def test_a_shock_index_reaches_what_it_is_called() -> None:
    row = at(inject_episode(shock(60)), 70)
    assert row.values["heart_rate"] / row.values["systolic"] == pytest.approx(1.2, abs=0.01)
    assert row.values["systolic"] < 120


def test_of_an_artefact_one_pressure_alone_is_odd() -> None:
    made = inject_episode(cuff_artefact(1.5))
    odd = [row for row in made.measurements if row.values["systolic"] != 120.0]
    assert [row.values["systolic"] for row in odd] == [180.0]


def test_exercise_is_told_by_steps_and_its_recovery_has_none() -> None:
    made = inject_episode(exercise(40))
    walking, resting = at(made, 80), at(made, 60 + 45)
    assert (walking.context.steps_per_min or 0) >= 100
    assert walking.values["heart_rate"] > 100
    assert resting.context.steps_per_min == 0
    assert 62 < resting.values["heart_rate"] < walking.values["heart_rate"]


def test_spikes_stand_alone() -> None:
    shape = next(one for one in QUIET if one.name.startswith("motion"))
    made = inject_episode(shape)
    spikes = [row.values["heart_rate"] > 100 for row in made.measurements]
    assert any(spikes)
    assert not any(a and b for a, b in pairwise(spikes))


def test_a_dropout_leaves_a_hole_and_a_flat_line_one_value() -> None:
    flat, hole = QUIET[0], QUIET[1]
    assert len(inject_episode(hole).measurements) == 400 - int(hole.seconds / MINUTE)
    assert {at(inject_episode(flat), minute).values["heart_rate"] for minute in range(60, 120)} == {
        60.0
    }
