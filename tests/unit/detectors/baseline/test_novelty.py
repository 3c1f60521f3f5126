"""Several signals together: exact parts, never one signal alone, robust, not learned when open."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from math import sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.baseline.novelty import KIND, _contributions
from detectors.baseline.novelty_memory import Together
from detectors.configuration.loading import from_tables, load
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding, Moment
from detectors.registry import make_novelty
from tests.support.vitals import DAY, detect, measured, moment, upload
from vigil.service.errors import SettingsError

NOVELTY = make_novelty(load().everyone)
SIGNALS = ("diastolic", "heart_rate", "systolic")


def here(time: float, activity: str = "rest", watched: object = (), **residuals: Any) -> Moment:
    values = dict.fromkeys(residuals, 1.0)
    made = moment(time, activity, "", watched, **values)  # type: ignore[arg-type]
    made.scores.update({f"baseline.{name}": z for name, z in residuals.items()})
    return made


def lived(correlation: float = 0.0, hours: int = 60, seed: int = 1) -> Together:
    """A person whose pressures go together so much; readings each hour."""
    return deepcopy(_lived(correlation, hours, seed))


@cache
def _lived(correlation: float, hours: int, seed: int) -> Together:
    source, memory = Random(seed), NOVELTY.fresh()  # noqa: S311
    for i in range(hours):
        one, two, three = (source.gauss(0, 1) for _ in range(3))
        other = correlation * one + sqrt(1 - correlation**2) * two
        NOVELTY.learn(here(i * 3600.0, systolic=one, diastolic=other, heart_rate=three), memory, ())
    return memory


def judged(memory: Together, **residuals: Any) -> Finding | None:
    found = list(NOVELTY.examine(here(60 * 3600.0, watched={KIND}, **residuals), memory))
    return found[0] if found else None


def test_two_signals_far_out_are_unusual_together() -> None:
    finding = judged(lived(), systolic=-4.0, heart_rate=4.0)
    assert finding is not None
    assert finding.stance == BEYOND
    assert finding.facts is not None
    assert finding.facts["residuals"] == {"heart_rate": 4.0, "systolic": -4.0}
    assert all(0.4 < share < 0.6 for share in finding.facts["contributions"].values())


def test_one_signal_alone_is_never_told_however_far_it_is() -> None:
    finding = judged(lived(), systolic=0.5, heart_rate=20.0)
    assert finding is not None
    assert finding.stance == BETWEEN
    assert judged(lived(), heart_rate=20.0) is None


def test_what_goes_together_and_parts_is_further_than_what_goes_on_together() -> None:
    memory = lived(correlation=0.9, hours=200)
    apart = judged(memory, systolic=2.0, diastolic=-2.0, heart_rate=0.0)
    along = judged(memory, systolic=2.0, diastolic=2.0, heart_rate=0.0)
    assert apart is not None
    assert along is not None
    assert apart.value is not None
    assert along.value is not None
    assert apart.value > 1.7 * sqrt(8.0) > 1.7 * along.value


@given(
    z=st.lists(st.floats(-10, 10), min_size=3, max_size=3),
    correlation=st.sampled_from([0.0, 0.5, 0.95]),
)
def test_the_contributions_add_up_to_the_whole(z: list[float], correlation: float) -> None:
    finding = judged(lived(correlation), **dict(zip(SIGNALS, z, strict=True)))
    if finding is not None and finding.facts is not None and finding.value:
        assert sum(finding.facts["contributions"].values()) == pytest.approx(1.0, abs=0.002)


def test_a_distance_is_mahalanobis() -> None:
    parts = _contributions([[2.0, 1.0], [1.0, 2.0]], [3.0, 0.0])
    assert sum(parts) == pytest.approx(6.0)
    assert _contributions([[1.0, 1.0], [1.0, 1.0]], [3.0, 2.0]) == [9.0, 4.0]


def test_nothing_is_said_before_it_is_ready() -> None:
    memory = lived(hours=23)
    assert list(NOVELTY.examine(here(5 * DAY, systolic=9.0, heart_rate=9.0), memory)) == []
    young = NOVELTY.fresh()
    for i in range(40):
        NOVELTY.learn(here(i * 600.0, systolic=0.1, heart_rate=0.1), young, ())
    assert list(NOVELTY.examine(here(40 * 600.0, systolic=9.0, heart_rate=9.0), young)) == []


def test_an_outlier_pulls_no_more_than_a_clipped_value() -> None:
    wild, far = lived(), lived()
    NOVELTY.learn(here(61 * 3600.0, systolic=50.0, heart_rate=-50.0), wild, ())
    NOVELTY.learn(here(61 * 3600.0, systolic=3.0, heart_rate=-3.0), far, ())
    assert wild.products == far.products


@pytest.mark.parametrize("case", ["frozen", "watched", "active"])
def test_nothing_is_learned_while_something_is_wrong(case: str) -> None:
    memory = lived()
    before = {pair: list(row) for pair, row in memory.products.items()}
    now = here(
        61 * 3600.0, "active" if case == "active" else "rest",
        {KIND} if case == "watched" else (), systolic=5.0, heart_rate=5.0,
    )  # fmt: skip
    NOVELTY.learn(now, memory, {"systolic"} if case == "frozen" else ())
    assert memory.products == before


def test_values_far_apart_in_time_are_not_together() -> None:
    memory = lived()
    NOVELTY.learn(here(61 * 3600.0, systolic=5.0), memory, {"systolic"})
    soon = list(NOVELTY.examine(here(61 * 3600.0 + 600, heart_rate=5.0), memory))
    late = list(NOVELTY.examine(here(61 * 3600.0 + 601, heart_rate=5.0), memory))
    assert [finding.stance for finding in soon] == [BEYOND]
    assert late == []


def test_calm_closes_and_exertion_mutes() -> None:
    calm = judged(lived(), systolic=1.0, heart_rate=1.0)
    assert calm is not None
    assert calm.stance == CLEAR
    running = here(61 * 3600.0, "active", systolic=5.0, heart_rate=5.0)
    assert [f.stance for f in NOVELTY.examine(running, lived())] == [MUTED]


def test_the_engine_brings_residuals_of_the_person() -> None:
    """Neither signal is far enough to be told of alone."""
    source = Random(1)  # noqa: S311
    log = []
    for i in range(24 * 4):
        ill = i >= 24 * 4 - 6
        shift = 1.0 if ill else 0.0
        values = {
            "heart_rate": 70.0 + source.gauss(0, 3) + 14.0 * shift,
            "systolic": 125.0 + source.gauss(0, 5) - 27.0 * shift,
            "diastolic": 78.0 + source.gauss(0, 4),
        }
        log.append(upload(measured(i * 3600.0, values, "rest")))
    opened = [e for e in detect(log) if e.phase == "opened" and e.kind == KIND]
    assert [event.evidence["rule"] for event in opened] == ["novelty"]
    assert not {e.kind for e in detect(log)} & {"heart_rate_unusual", "blood_pressure_unusual"}
    shares = opened[0].evidence["contributions"]
    assert shares["heart_rate"] > 0.2
    assert shares["systolic"] > 0.2


def test_a_hysteresis_above_its_limit_is_refused() -> None:
    with pytest.raises(SettingsError, match="clear"):
        from_tables({"novelty": {"clear": 6.0}})
