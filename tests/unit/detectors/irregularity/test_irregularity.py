"""Irregular: told from rates a few seconds apart at rest, and from nothing else."""

from __future__ import annotations

import random

import msgspec
import pytest

from detectors.irregularity.configuration import IrregularityConfig
from detectors.irregularity.detector import IrregularRate
from tests.support.vitals import announced, config, detect, heart, moment
from vigil.service.errors import SettingsError

HOUR = 3600
OPENED = ("heart_rate_irregular", "opened", "low")


def rates(spread: float, every: float, count: int, seed: int = 1) -> list[float]:
    """Means over ``every`` seconds of beats whose intervals vary by a share ``spread``."""
    source, beats = random.Random(seed), 75 * every / 60  # noqa: S311
    return [75.0 * (1 + source.gauss(0, spread / beats**0.5)) for _ in range(count)]


def kinds(spread: float, every: float, **more: str) -> list[tuple[str, str, str]]:
    return announced(detect(heart(rates(spread, every, int(HOUR / every)), every=every, **more)))  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [5.0, 10.0, 15.0])
def test_beats_that_vary_by_a_fifth_are_told_at_any_allowed_sampling(every: float) -> None:
    assert kinds(0.2, every) == [OPENED]
    assert kinds(0.05, every) == []


@pytest.mark.parametrize("every", [16.0, 60.0])
def test_nothing_is_said_where_the_sampling_does_not_allow_it(every: float) -> None:
    assert kinds(0.2, every) == []


def test_nothing_is_said_of_who_is_active() -> None:
    assert kinds(0.2, 10.0, activity="active") == []


def test_the_irregularity_is_the_variation_of_the_beats() -> None:
    detector = IrregularRate(
        config(irregularity={"largest_step": 9.0, "window_seconds": 1e4}).everyone.irregularity
    )
    memory = detector.fresh()
    for i, rate in enumerate(rates(0.15, 10.0, 5000)):
        detector.learn(moment(i * 10.0, heart_rate=rate), memory, ())
    assert memory.total / memory.weight == pytest.approx(0.15, abs=0.03)


def test_a_few_large_steps_are_not_irregular() -> None:
    values = [160.0 if i % 20 == 0 else 75.0 for i in range(360)]
    events = detect(heart(values, every=10.0))
    assert OPENED not in announced(events)


def test_twenty_minutes_of_it_are_needed_and_it_ends() -> None:
    short = rates(0.2, 10.0, 110) + rates(0.03, 10.0, 300)
    long = rates(0.2, 10.0, 300) + rates(0.03, 10.0, 300)
    assert announced(detect(heart(short, every=10.0))) == []
    assert [phase for _, phase, _ in announced(detect(heart(long, every=10.0)))] == [
        "opened",
        "closed",
    ]


def test_the_evidence_holds_what_it_rests_on() -> None:
    event = detect(heart(rates(0.2, 10.0, 360), every=10.0))[0]
    evidence = msgspec.to_builtins(event)["evidence"]
    assert evidence["irregularity"] >= evidence["irregularity_limit"] == 0.12


def test_it_can_be_switched_off() -> None:
    off = detect(heart(rates(0.2, 10.0, 360), every=10.0), irregularity={"enabled": False})
    assert off == []
    assert not IrregularRate(config(irregularity={"enabled": False}).everyone.irregularity).signals
    assert IrregularityConfig.__struct_fields__[-1] == "enabled"


def test_a_hysteresis_above_its_limit_is_refused() -> None:
    with pytest.raises(SettingsError, match="lies above"):
        config(irregularity={"clear": 0.2})
