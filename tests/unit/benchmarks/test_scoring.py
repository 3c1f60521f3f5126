"""What is counted, and that nothing looks ahead."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.detection import scoring, sweep
from benchmarks.detection.peers import moving, night_signal
from benchmarks.detection.peers.contract import Peer
from benchmarks.detection.peers.registry import known
from benchmarks.detection.rows import Row, levels
from benchmarks.detection.scoring import Alert, Rate, Tally, Truth
from benchmarks.detection.sets import DAY, HOUR, Recording
from benchmarks.detection.split import group_of
from benchmarks.detection.trials import Outcome, Trial
from tests.unit.benchmarks.test_injection import BEGIN, recording
from vigil.domain.reading import Context, Measurement

TIMES = st.lists(st.integers(0, 500), min_size=0, max_size=40, unique=True).map(sorted)


@given(times=TIMES, scores=st.lists(st.floats(0, 1), min_size=40, max_size=40),
       threshold=st.floats(0, 1), gap=st.integers(1, 50))  # fmt: skip
def test_the_sweep_counts_as_the_plain_way_does(
    times: list[int], scores: list[float], threshold: float, gap: int
) -> None:
    own = scores[: len(times)]
    series = sweep.Series(np.array(times, float), np.array(own, float))
    plain = scoring.spans(times, own, threshold, gap)
    assert [a[:2] for a in series.alerts(threshold, gap)] == [a[:2] for a in plain]


@given(starts=TIMES, gap=st.integers(1, 50))
def test_merged_alerts_are_apart_and_lose_nothing(starts: list[int], gap: int) -> None:
    alerts = [Alert(start, start + 3) for start in starts]
    merged = scoring.merged(alerts, gap)
    assert all(b.start - a.end > gap for a, b in pairwise(merged))
    assert all(any(m.start <= a.start and a.end <= m.end for m in merged) for a in alerts)


@pytest.mark.parametrize(
    ("start", "end", "hit"),
    [(99, 300, False), (100, 100, True), (200, 900, True), (201, 201, False)],
)
def test_an_alert_must_start_within_the_window(start: float, end: float, hit: bool) -> None:
    truth = Truth("p", "x", 100, 200)
    assert (scoring.found(truth, [Alert(start, end)]) is not None) is hit


def test_a_delay_counts_from_the_onset_where_one_is_given() -> None:
    assert scoring.delay(Truth("p", "x", 100, 200), 130) == 30
    assert scoring.delay(Truth("p", "x", 100, 200, onset=150), 130) == -20


def test_a_rate_is_a_ratio_of_sums_with_an_interval_over_people() -> None:
    rate = scoring.rate([Tally("a", 9, 10), Tally("b", 0, 1), Tally("a", 1, 10)])
    assert (rate.value, rate.hits, rate.of) == (10 / 21, 10, 21)
    assert (rate.low, rate.high) == (0.0, 0.5)  # both drawn b; both drawn a
    assert scoring.rate([]) == Rate(None)
    assert scoring.rate([Tally("a", 1, 2)]) == scoring.rate([Tally("a", 1, 2)])


@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_auroc_is_the_share_of_pairs_won(positives: list[int], negatives: list[int]) -> None:
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    assert scoring.auroc(positives, negatives) == pytest.approx(sum(pairs) / len(pairs))


@given(scores=st.lists(st.integers(0, 30), min_size=1, max_size=60), allowed=st.integers(0, 5))
def test_a_matched_threshold_keeps_to_its_rate(scores: list[int], allowed: int) -> None:
    times = [100.0 * i for i in range(len(scores))]

    def episodes(threshold: float) -> float:
        return len(scoring.spans(times, scores, threshold, 150))

    chosen = scoring.matched_threshold(episodes, [*map(float, scores), 31.0], allowed)
    assert chosen is not None
    assert episodes(chosen) <= allowed


def test_false_episodes_leave_out_the_warm_up_and_the_illness() -> None:
    trial = Trial(recording([60.0] * 5), (), 100.0, (500.0, 600.0), 2.0, 10.0)
    alerts = tuple(Alert(start, start) for start in (50, 150, 155, 400, 550, 700))
    assert Outcome(trial, alerts, ()).false_episodes() == Tally("p1", 3, 2.0)


def test_people_are_on_one_side_and_both_sides_hold_some() -> None:
    sides = {group_of(f"p{i}") for i in range(40)}
    assert sides == {"tune", "test"}
    assert group_of("p1") == group_of("p1")


PEERS = pytest.mark.parametrize("peer", known().peers, ids=lambda peer: peer.name)


@PEERS
@pytest.mark.parametrize("cut", [5, 33])
def test_a_peer_sees_no_future(peer: Peer, cut: int) -> None:
    random = Random(3)  # noqa: S311
    rates = [random.uniform(40, 180) for _ in range(40)]

    def scores(values: list[float]) -> list[float]:
        scorer = peer.make(20)
        return [scorer.score(Row(60.0 * i, {"heart_rate": v})) for i, v in enumerate(values)]

    assert scores(rates)[:cut] == scores(rates[:cut])


@given(rates=st.lists(st.floats(40, 180), min_size=30, max_size=60), cut=st.integers(1, 29))
def test_what_peers_are_given_sees_no_future(rates: list[float], cut: int) -> None:
    whole = recording(rates)
    early = Recording("p1", whole.measurements[:cut])
    seen = levels(early)
    assert levels(whole)[: len(seen)] == seen


def test_a_gap_as_long_as_allowed_is_no_gap() -> None:
    times, scores = [0.0, 10.0, 21.0], [1.0, 1.0, 1.0]
    series = sweep.Series(np.array(times), np.array(scores))
    assert [a[:2] for a in series.alerts(1.0, 10)] == [(0, 10), (21, 21)]
    assert [a[:2] for a in scoring.spans(times, scores, 1.0, 10)] == [(0, 10), (21, 21)]


def test_a_value_is_judged_before_it_is_learned() -> None:
    scorer = moving.RollingZ(50)
    calm = [scorer.score(Row(float(i), {"heart_rate": 60.0 + i % 2})) for i in range(20)]
    assert max(calm) <= 1.0
    assert scorer.score(Row(20.0, {"heart_rate": 90.5})) == 30.0  # spread 0.5, taken as 1


def test_peers_are_given_rest_alone_and_ten_minutes_after_steps_not_yet() -> None:
    made = recording([60.0] * 60)
    rows = [
        replace(row, context=Context(steps_per_min=80.0 if i == 30 else 0.0))
        for i, row in enumerate(made.measurements)
    ]
    seen = {(row.time - made.start) / 60 for row in levels(Recording("p1", tuple(rows)))}
    assert seen == {*range(4, 30), *range(45, 60)}


def nights(rates: list[float]) -> Recording:
    """A recording of a reading each five minutes, with a rate for each night."""
    rows = [
        Measurement(f"{d}-{i}", BEGIN + timedelta(days=d, minutes=5 * i), {"heart_rate": rate},
                    Context(steps_per_min=0.0))
        for d, rate in enumerate(rates)
        for i in range(84)
    ]  # fmt: skip
    return Recording("p1", tuple(rows))


def test_night_signal_is_red_on_the_second_raised_night() -> None:
    calm, ill = [60.0] * 8, [65.0] * 3
    made = nights([*calm, *ill, 60.0, 65.0])
    delays = [(alert.start - made.start) / DAY for alert in night_signal.alerts(made)]
    assert delays == [9 + 7 / 24, 10 + 7 / 24]
    until = made.start + 9 * DAY + 8 * HOUR
    rows = tuple(row for row in made.measurements if row.time.timestamp() < until)
    early = night_signal.alerts(Recording("p1", rows))
    assert early == night_signal.alerts(made)[:1]
