"""The stream and scale benchmarks compare like with like, and their arithmetic holds."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pipeline.steady import Lags
from benchmarks.scale import needs, spread
from benchmarks.stream import content, report, zscore
from benchmarks.stream.rounds import JOBS, Runs
from benchmarks.stream.task import Outcome
from vigil.domain.encoding import encode


@given(st.lists(st.floats(30, 220), min_size=2, max_size=80))
def test_the_running_numbers_are_mean_and_variance(values: list[float]) -> None:
    state = zscore.FRESH
    for value in values:
        state, _ = zscore.step(state, value)
    count, mean, squares = state
    assert mean == pytest.approx(statistics.fmean(values))
    assert squares / count == pytest.approx(statistics.pvariance(values), abs=1e-6)


def test_both_topics_hold_the_same_readings() -> None:
    single = list(content.uploads(3 * content.PATIENTS, 1))
    several = list(content.uploads(3 * content.PATIENTS, 3))
    assert len(single) == 3 * len(several)
    readings = [
        {(u.patient_id, encode(m)) for u in log for m in u.measurements}
        for log in (single, several)
    ]
    assert readings[0] == readings[1]


def _runs(**outcomes: Outcome) -> list[Runs]:
    return [Runs(job, [outcomes[job.name]]) for job in JOBS if job.name in outcomes]


def test_ratios_are_to_the_limit_and_to_each_peer() -> None:
    runs = _runs(
        limit=Outcome(1000, 1.0, 1.0, 0),
        vigil_zscore=Outcome(1000, 2.0, 1.0, 7),
        quixstreams_zscore=Outcome(1000, 5.0, 1.0, 7),
        vigil_zscore_before=Outcome(1000, 2.0, 0.8, 7),
    )
    report.check(runs)
    row = next(line for line in report.table(runs).splitlines() if "Vigil's loop" in line)
    assert row.split("|")[2:-1] == [
        " 500 ",
        " 500 ",
        " 1000.0 ",
        " 0.50 ",
        " 2.50 ",
        "  ",
        " 1.250 ",
    ]


@pytest.mark.parametrize("other", [Outcome(999, 1, 1, 7), Outcome(1000, 1, 1, 8)])
def test_a_job_that_did_something_else_is_found_out(other: Outcome) -> None:
    runs = _runs(vigil_zscore=Outcome(1000, 1, 1, 7), bytewax_zscore=other)
    with pytest.raises(AssertionError, match="different"):
        report.check(runs)


def test_workers_are_counted_by_rate_and_by_patients() -> None:
    unit = needs.Unit(needs.Sample(10_000, 1000, 1, 1), 20_000, 4000, 300)
    cells = [cell.strip() for cell in needs.row(1_000_000, 60, unit).split("|")]
    assert cells[1:6] == ["1,000,000", "60 s", "16,667", "4", "10.00"]
    assert needs.row(1_000_000, 5, unit).split("|")[4].strip() == "10"


@pytest.mark.parametrize(("partitions", "workers"), [(6, 4), (24, 8), (7, 7)])
def test_each_partition_has_one_worker_and_shares_differ_by_one(
    partitions: int, workers: int
) -> None:
    shares = spread.workers_of(partitions, workers)
    assert sorted(n for share in shares for n in share) == list(range(partitions))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("readings", "grew"),
    [([0, 900, 100, 0, 1200, 0], False), ([0, 2000, 4000, 6000, 8000, 10_000], True)],
)
def test_a_lag_that_only_swings_did_not_grow(readings: list[int], grew: bool) -> None:
    assert Lags("store", readings).grew(1000) is grew
