"""What is low for a person at any hour: river's Gaussian scorer over five-minute means."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import GaussianScorer

from detectors.contract import Finding
from detectors.rate_scorer.detector import RateScorer
from detectors.rate_scorer.memory import Blocks
from tests.support.vitals import config, detect, heart, moment
from vigil.domain.episode import Event
from vigil.service.errors import SettingsError

ALONE = {
    "baseline": {"signals": {"heart_rate": {"enabled": False}}},
    "irregularity": {"enabled": False},
    "resting": {"enabled": False},
}
OWN = config().everyone.scorer


def days(count: int, awake: float = 74.0, asleep: float = 60.0, seed: int = 3) -> list[float]:
    """Minutes of a person who sleeps eight hours."""
    source = random.Random(seed)  # noqa: S311
    return [
        (asleep if minute % 1440 < 480 else awake) + source.gauss(0, 3)
        for minute in range(count * 1440)
    ]


def low_events(rates: Sequence[float], **own: object) -> list[Event]:
    events = detect(heart(rates), **{**ALONE, **own})
    return [event for event in events if event.kind == "heart_rate_unusual"]


def test_forty_three_for_a_quarter_of_an_hour_by_day_is_told_without_steps() -> None:
    """Above every limit: only that this person is never so low says it."""
    rates = [*days(3), *[43.0, 44.0] * 12, *days(1)]
    first, *_, last = low_events(rates)
    assert (first.phase, last.phase) == ("opened", "closed")
    evidence = first.evidence
    assert evidence["rule"] == "scorer.heart_rate.below"
    assert evidence["value"] <= evidence["limit"] < evidence["limit_clear"]
    assert 14 * 60 <= evidence["duration_seconds"] <= 22 * 60
    named = evidence["detector"]
    assert named["name"] == "river.anomaly.GaussianScorer"
    assert named["parameters"] == {"grace_period": OWN.grace_blocks}
    assert named["score"] >= named["limit"] == OWN.score


def test_who_sleeps_at_forty_five_is_never_low() -> None:
    assert low_events(days(4, awake=62.0, asleep=45.0)) == []


def test_nothing_before_a_day_was_learned() -> None:
    assert low_events([*days(1)[480:], *[43.0, 44.0] * 30]) == []


def test_who_was_only_seen_awake_is_not_low_when_asleep() -> None:
    """Worn by day for three days, then the first night."""
    worn = [
        item for day in range(3) for item in heart(days(1)[480:960], start=(day * 24 + 8) * 3600)
    ]
    night = heart([47.0, 48.0, 49.0] * 100, start=3 * 86400)
    events = detect([*worn, *night], **ALONE)
    assert [event for event in events if event.kind == "heart_rate_unusual"] == []


def test_one_low_block_between_usual_ones_is_nothing() -> None:
    assert low_events([*days(3), *[43.0] * 8, *days(1)]) == []


def test_a_day_of_it_is_learned_as_the_new_normal() -> None:
    source = random.Random(5)  # noqa: S311
    rates = [*days(3), *[45 + source.gauss(0, 2) for _ in range(12 * 1440)]]
    assert [event.phase for event in low_events(rates)][-1] == "closed"


def lived(rates: Sequence[float], saves: bool) -> tuple[list[list[Finding]], Blocks]:
    detector = RateScorer(
        config(scorer={"grace_blocks": 4, "blocks": 2, "below": 90.0}).everyone.scorer
    )
    memory, found = detector.fresh(), []
    for minute, rate in enumerate(rates):
        here = moment(minute * 60.0, "rest", heart_rate=rate)
        found.append(list(detector.examine(here, memory)))
        detector.learn(here, memory, ())
        if saves:
            memory = detector.load(
                msgspec.msgpack.decode(msgspec.msgpack.encode(detector.dump(memory)))
            )
    return found, memory


@given(st.lists(st.floats(40, 120), min_size=40, max_size=120))
@settings(max_examples=30, deadline=None)
def test_saved_at_each_reading_it_finds_the_same(rates: list[float]) -> None:
    assert lived(rates, saves=True) == lived(rates, saves=False)


def test_it_is_rivers_scorer_on_the_means_of_the_blocks() -> None:
    rates = days(1)[480:]
    _, memory = lived(rates, saves=True)
    plain = GaussianScorer()
    for block in range(len(rates) // 5 - 1):
        plain.learn_one(None, sum(rates[block * 5 : block * 5 + 5]) / 5)
    assert memory.mean == pytest.approx(plain.gaussian.mu, abs=0.05)
    assert memory.variance == pytest.approx(plain.gaussian.sigma**2, rel=0.02)


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(SettingsError, match="clear_score"):
        config(scorer={"clear_score": 0.95})
