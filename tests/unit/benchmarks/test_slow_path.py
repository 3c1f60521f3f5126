"""The series that river's detectors are chosen on, and how they are counted."""

from __future__ import annotations

from random import Random

from benchmarks.detection.scenarios.nights import NIGHTLY, openings, raised
from benchmarks.detection.scenarios.river import MODELS, scored
from benchmarks.detection.sets import DAY, Recording
from benchmarks.detection.slow_path import Person
from detectors.resting_heart_rate.reference import Known


def nights(values: list[float]) -> list[Known]:
    return [Known((i + 1) * DAY, value, 7.0) for i, value in enumerate(values)]


def person(rates: list[float]) -> Person:
    blocks = tuple((i * 300.0, rate) for i, rate in enumerate(rates))
    return Person(Recording("p1", ()), 0.0, None, None, blocks, ())


def test_alerts_on_nights_in_a_row_are_one() -> None:
    own = nights([60.0] * 6)
    assert openings(own, [False, True, True, False, True, False]) == [2 * DAY, 5 * DAY]


def test_a_rise_moves_its_own_nights_half_at_either_end() -> None:
    moved = raised(nights([60.0] * 9), 3 * DAY, by=4.0, days=3)
    assert [night.value for night in moved] == [60, 60, 62, 64, 64, 62]


def test_every_rule_is_quiet_on_equal_nights_and_finds_a_week_twenty_beats_up() -> None:
    own = [60.0, 61.0, 59.0] * 20
    for rule in NIGHTLY:
        assert rule.flags(nights(own)) == [False] * 60, rule.name
        marks = rule.flags(nights([*own, *[80.0] * 7]))
        assert not any(marks[:60]), rule.name
        assert any(marks[60:]), rule.name


def test_a_low_half_hour_is_scored_before_it_is_learned_and_background_is_left_alone() -> None:
    random = Random(3)  # noqa: S311
    one = person([72 + random.gauss(0, 4) for _ in range(2000)])
    gaussian = next(model for model in MODELS if model.name == "GaussianScorer")
    seen = scored(one, gaussian)
    assert seen == scored(one, gaussian)
    assert not seen.background  # nobody here is at 50 or less for a quarter of an hour
    assert len(seen.episodes) == 300
    assert all(score is not None and score > 0.99 for score in seen.episodes)
    assert seen.days * DAY == 2000 * 300.0
