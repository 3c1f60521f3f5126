"""The scorecard of deterioration: exact parts, warm-up, what it forgets, and its tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.configuration.loading import from_tables, load
from detectors.contract import BEYOND, CLEAR
from detectors.early_warning.deterioration import KIND, Risk, Stay, read
from tests.support.vitals import DAY, HOUR, config, detect, measured, moment, upload
from vigil.domain.reading import Upload
from vigil.service.errors import SettingsError

ICU = config(profile="icu_charting").everyone
RISK = Risk(ICU.deterioration)
WELL: dict[str, Any] = {
    "heart_rate": 75.0,
    "systolic": 125.0,
    "respiratory_rate": 18.0,
    "spo2": 97.0,
    "temperature": 36.8,
}
ILL: dict[str, Any] = {
    "heart_rate": 112.0,
    "systolic": 88.0,
    "respiratory_rate": 27.0,
    "spo2": 91.0,
    "temperature": 38.8,
}


def stay(rows: list[dict[str, Any]], every: float = HOUR) -> Stay:
    memory = RISK.fresh()
    for i, values in enumerate(rows):
        RISK.learn(moment(i * every, **values), memory, ())
    return memory


def risk(memory: Stay, time: float, **values: Any) -> float | None:
    here = moment(time, watched={KIND}, **values)
    list(RISK.examine(here, memory))
    return here.scores.get("deterioration")


def test_the_ill_are_at_more_risk_than_the_well() -> None:
    well, ill = stay([WELL] * 12), stay([WELL] * 6 + [ILL] * 6)
    low, high = risk(well, 12 * HOUR, **WELL), risk(ill, 12 * HOUR, **ILL)
    assert low is not None
    assert high is not None
    assert low < -1.0 < 0.9 < high
    assert [f.stance for f in RISK.examine(moment(12 * HOUR, **ILL), ill)] == [BEYOND]
    assert list(RISK.examine(moment(12 * HOUR, **WELL), well)) == []
    watched = moment(12 * HOUR, watched={KIND}, **WELL)
    assert [f.stance for f in RISK.examine(watched, well)] == [CLEAR]


def test_unrest_alone_raises_it() -> None:
    restless = [{**WELL, "heart_rate": 75.0 + 14.0 * (-1) ** i} for i in range(24)]
    calm, wild = risk(stay([WELL] * 24), DAY, **WELL), risk(stay(restless), DAY, **WELL)
    assert calm is not None
    assert wild is not None
    assert wild > calm + 0.3


def test_the_clock_alone_raises_nothing() -> None:
    """Time since admission is no feature: of one who stays the same the risk stays or falls."""
    risks = [risk(stay([WELL] * hours), hours * HOUR, **WELL) for hours in (6, 12, 24, 72)]
    known = [value for value in risks if value is not None]
    assert len(known) == 4
    assert known == sorted(known, reverse=True)


@given(rows=st.lists(st.fixed_dictionaries(
    {"heart_rate": st.floats(30, 200), "spo2": st.floats(60, 100)},
    optional={"systolic": st.floats(50, 230), "temperature": st.floats(33, 41)},
), min_size=7, max_size=20))  # fmt: skip
def test_the_contributions_add_up_to_the_risk(rows: list[dict[str, Any]]) -> None:
    memory = stay(rows[:-1])
    here = moment(len(rows) * HOUR, watched={KIND}, **rows[-1])
    for finding in RISK.examine(here, memory):
        assert finding.facts is not None
        parts = finding.facts["contributions"]
        assert sum(parts.values()) == pytest.approx(finding.value, abs=0.005 * len(parts) + 1e-9)


def test_nothing_is_said_for_six_hours_nor_of_two_signals() -> None:
    young = stay([WELL] * 5)
    assert risk(young, 5.9 * HOUR, **WELL) is None
    assert risk(young, 6 * HOUR, **WELL) is not None
    two = stay([{"heart_rate": 75.0, "spo2": 97.0}] * 12)
    assert risk(two, 12 * HOUR, heart_rate=75.0) is None


def test_a_signal_not_measured_for_long_adds_nothing() -> None:
    memory = stay([ILL] + [{k: v for k, v in WELL.items() if k != "temperature"}] * 12)
    late = {name: WELL[name] for name in ("heart_rate", "systolic", "spo2")}
    here = moment(13 * HOUR, watched={KIND}, **late)
    (finding,) = RISK.examine(here, memory)
    assert finding.facts is not None
    assert "temperature" not in finding.facts["contributions"]


def test_a_new_stay_begins_afresh() -> None:
    memory = stay([ILL] * 12)
    later = 12 * HOUR + 3 * DAY + 1
    assert risk(memory, later, **WELL) is None
    RISK.learn(moment(later, **WELL), memory, ())
    assert memory.first == later
    assert memory.courses["heart_rate"].level == 75.0


def test_readings_in_quick_succession_count_once() -> None:
    memory = stay([WELL] * 12)
    for i in range(100):
        RISK.learn(moment(12 * HOUR + i, **ILL), memory, ())
    assert memory.courses["heart_rate"].strays == pytest.approx(
        stay([WELL] * 12 + [ILL]).courses["heart_rate"].strays
    )


def test_it_is_off_but_where_the_profile_asks_for_it() -> None:
    assert not load().everyone.deterioration.enabled
    assert Risk(load().everyone.deterioration).signals == frozenset()
    assert RISK.rules() == ["deterioration"]


@given(value=st.floats(-50, 400))
def test_a_curve_is_level_beyond_its_ends_and_between_its_points(value: float) -> None:
    table = ((70.0, -0.4), (90.0, 0.3), (110.0, 0.1))
    assert -0.4 <= read(table, value) <= 0.3
    assert [read(table, x) for x in (70.0, 90.0, 110.0)] == [-0.4, 0.3, 0.1]
    assert read(table, 60.0) == -0.4
    assert read(table, 120.0) == 0.1


def test_unrest_only_adds_and_levels_rise_away_from_normal() -> None:
    for card in ICU.deterioration.signals.values():
        heights = [height for _, height in card.unrest]
        assert heights == sorted(heights)
        levels = [height for _, height in card.level]
        lowest = levels.index(min(levels))
        assert levels[: lowest + 1] == sorted(levels[: lowest + 1], reverse=True)
        assert levels[lowest:] == sorted(levels[lowest:])


def rows(*charted: dict[str, Any]) -> list[Upload]:
    return [upload(measured(i * HOUR, values, "rest")) for i, values in enumerate(charted)]


def test_an_episode_tells_by_which_signals() -> None:
    off = {"limits": {n: {"enabled": False} for n in load().everyone.limits}}
    worse = {**WELL, "heart_rate": 108.0, "temperature": 38.6, "respiratory_rate": 22.0}
    log = rows(*[WELL] * 8, *[worse] * 8, *[WELL] * 40)
    mine = [e for e in detect(log, profile="icu_charting", **off) if e.kind == KIND]
    assert [event.phase for event in mine] == ["opened", "closed"]
    assert mine[0].priority == "medium"
    assert mine[0].evidence["rule"] == "deterioration"
    parts = mine[0].evidence["contributions"]
    assert max(parts, key=parts.__getitem__) == "temperature"
    assert mine[0].evidence["scores"]["deterioration"] == pytest.approx(
        mine[0].evidence["value"], abs=0.01
    )


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"clear": 0.9}, "clear"),
        ({"signals": {"heart_rate": {"level": [[1.0, 1.0]]}}}, "two points"),
        ({"signals": {"heart_rate": {"level": [[2.0, 1.0], [1.0, 0.0]]}}}, "ascending"),
        ({"signals": {"ph": {"level": [], "unrest": [], "usual_unrest": 1.0}}}, "not known"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(own: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        from_tables({"deterioration": own})
