"""Partial NEWS2: the table, what counts, when it is told, and that it says what it lacks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.configuration.loading import from_tables, load
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Finding
from detectors.early_warning.news2 import KIND, NEWS2, EarlyWarningScore, Memory, points
from tests.support.vitals import HOUR, announced, config, detect, measured, moment, upload
from vigil.domain.reading import Activity, Upload
from vigil.service.errors import SettingsError

WELL: dict[str, Any] = {
    "heart_rate": 70.0,
    "systolic": 120.0,
    "respiratory_rate": 16.0,
    "spo2": 97.0,
    "temperature": 37.0,
}
ILL: dict[str, Any] = {
    **WELL,
    "heart_rate": 112.0,
    "respiratory_rate": 22.0,
    "temperature": 38.5,
}
"""2 + 2 + 1 points."""
SCORE = EarlyWarningScore(load().everyone.early_warning)


@pytest.mark.parametrize(
    ("signal", "bands"),
    [
        ("heart_rate", [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2),
                        (130, 2), (131, 3)]),
        ("systolic", [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0),
                      (220, 3)]),
        ("respiratory_rate", [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2),
                              (25, 3)]),
        ("spo2", [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]),
        ("temperature", [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1),
                         (39.0, 1), (39.1, 2)]),
    ],
)  # fmt: skip
def test_the_table_is_news2s(signal: str, bands: list[tuple[float, int]]) -> None:
    assert [(value, points(signal, value)) for value, _ in bands] == bands


def test_a_value_between_two_charted_ones_is_rounded_half_up() -> None:
    assert [points("heart_rate", v) for v in (90.4, 90.5)] == [0, 1]
    assert [points("temperature", v) for v in (38.04, 38.05)] == [0, 1]


def findings(memory: Memory | None = None, time: float = 0.0, **values: Any) -> list[Finding]:
    here = moment(time, watched={KIND}, **values)
    return list(SCORE.examine(here, SCORE.fresh() if memory is None else memory))


def stances(**values: Any) -> dict[str, int]:
    """Of the rules that ask for no duration, by their names."""
    names = [(f.rule.name.split(".")[1:], f.stance) for f in findings(**values)]
    return {name[0]: stance for name, stance in names if len(name) == 1}


def test_five_is_urgent_and_seven_an_emergency() -> None:
    assert stances(**WELL) == {"urgent": CLEAR, "emergency": CLEAR}
    assert stances(**{**ILL, "temperature": 37.0}) == {"urgent": BETWEEN, "emergency": BETWEEN}
    assert stances(**ILL) == {"urgent": BEYOND, "emergency": BETWEEN}
    assert stances(**{**ILL, "systolic": 95.0}) == {"urgent": BEYOND, "emergency": BEYOND}


def test_it_says_what_it_is_made_of_and_what_is_missing() -> None:
    without = {name: value for name, value in ILL.items() if name != "spo2"}
    finding = findings(**without)[0]
    assert finding.facts == {
        "contributions": {"heart_rate": 2, "systolic": 0, "respiratory_rate": 2, "temperature": 1},
        "used": without,
        "missing": ["spo2", "supplemental_oxygen", "consciousness"],
        "age_band": "adult_assumed",
    }


@given(values=st.fixed_dictionaries({}, optional={n: st.floats(25, 100) for n in NEWS2}))
def test_the_contributions_add_up_to_the_score(values: dict[str, Any]) -> None:
    found = findings(**values)
    assert bool(found) == (len(values) >= 3)
    for finding in found:
        assert finding.facts is not None
        assert sum(finding.facts["contributions"].values()) == finding.value
        assert finding.facts["missing"][-2:] == ["supplemental_oxygen", "consciousness"]
        assert len(finding.facts["missing"]) == 7 - len(values)


def test_heart_rate_alone_has_no_score() -> None:
    assert findings(heart_rate=140.0) == []
    memory = SCORE.fresh()
    SCORE.learn(moment(0.0, heart_rate=140.0, spo2=88.0), memory, ())
    assert findings(memory, 60.0, heart_rate=140.0) == []


def test_values_count_until_they_are_stale() -> None:
    memory = SCORE.fresh()
    SCORE.learn(moment(0.0, **ILL), memory, ())
    assert findings(memory, 3900.0, heart_rate=112.0)[0].value == 5
    assert findings(memory, 3901.0, heart_rate=112.0) == []


def at_once(pace: float | None = None, **values: Any) -> dict[str, Finding]:
    """What is found of one reading of an active person, by rule; but for what needs hours."""
    here = replace(moment(activity="active", watched={KIND}, **values), pace=pace)
    found = {f.rule.name: f for f in SCORE.examine(here, SCORE.fresh())}
    return {name: f for name, f in found.items() if name.count(".") == 1}


def test_exertion_is_not_illness() -> None:
    assert {f.stance for f in at_once(**ILL).values()} == {MUTED, BETWEEN}


def test_what_is_no_exercise_counts_while_active() -> None:
    found = at_once(**{**ILL, "systolic": 95.0, "spo2": 91.0})
    urgent = found["early_warning.urgent"]
    assert (urgent.stance, urgent.value) == (BEYOND, 6)
    assert urgent.facts is not None
    assert urgent.facts["contributions"] == {"systolic": 2, "spo2": 3, "temperature": 1}
    assert urgent.facts["not_counted_while_active"] == ["heart_rate", "respiratory_rate"]
    assert urgent.facts["missing"] == ["supplemental_oxygen", "consciousness"]
    assert found["early_warning.emergency"].stance == MUTED


@given(values=st.fixed_dictionaries({}, optional={n: st.floats(25, 100) for n in NEWS2}),
       pace=st.none() | st.floats(0, 200))  # fmt: skip
def test_activity_never_makes_a_score_more(values: dict[str, Any], pace: float | None) -> None:
    active, rest = at_once(pace, **values), stances(**values)
    for name, finding in active.items():
        assert finding.stance != BEYOND or rest[name.rpartition(".")[2]] == BEYOND
        assert (finding.stance == CLEAR) == (rest[name.rpartition(".")[2]] == CLEAR)
        assert finding.facts is not None
        assert sum(finding.facts["contributions"].values()) == finding.value


@pytest.mark.parametrize(
    ("steps", "hours"), [(14.0, 1.0), (39.0, 1.0), (40.0, 8.0), (120.0, 8.0), (None, 8.0)]
)
def test_a_score_that_outlasts_what_activity_explains(steps: float | None, hours: float) -> None:
    activity: Activity = "active" if steps is None else "unknown"
    tired = {**ILL, "heart_rate": 108.0, "temperature": 39.2}  # 1 + 2 + 2 points
    log = []
    for i in range(64):
        values = {name: value + i % 2 * 0.5 for name, value in tired.items()}
        log.append(upload(measured(i * 600.0, values, activity, steps)))
    opened = [e for e in detect(log) if e.kind == KIND and e.phase == "opened"]
    assert [(e.detected_at - e.onset).total_seconds() / HOUR for e in opened] == [hours]
    assert opened[0].evidence["judged_while_active"] == "duration"
    assert opened[0].evidence.get("steps_below") == (40.0 if hours == 1.0 else None)


def test_a_single_three_is_told_only_where_it_is_asked_for() -> None:
    low = {**WELL, "spo2": 90.0}
    assert {f.rule.name.split(".")[1] for f in findings(**low)} == {"urgent", "emergency"}
    own = EarlyWarningScore(config(early_warning={"single_three": True}).everyone.early_warning)
    found = {f.rule.name: f.stance for f in own.examine(moment(**low), {})}
    assert found["early_warning.single_three"] == BEYOND
    assert found["early_warning.urgent"] == CLEAR


def rows(*charted: dict[str, Any]) -> list[Upload]:
    return [upload(measured(i * HOUR, values, "rest")) for i, values in enumerate(charted)]


def test_a_score_dancing_on_its_limit_is_one_episode() -> None:
    four = {**ILL, "temperature": 37.0}
    log = rows(WELL, ILL, four, ILL, four, ILL, WELL, WELL)
    events = detect(log, profile="icu_charting", early_warning={"urgent": 5})
    mine = [event for event in events if event.kind == KIND]
    assert announced(mine) == [(KIND, "opened", "medium"), (KIND, "closed", "medium")]
    assert mine[0].evidence["scores"]["early_warning"] == mine[0].evidence["value"] == 5
    assert mine[0].evidence["contributions"]["respiratory_rate"] == 2


def test_it_rises_to_high_within_the_episode() -> None:
    events = detect(
        rows(WELL, ILL, {**ILL, "spo2": 92.0}), profile="icu_charting", early_warning={"urgent": 5}
    )
    assert [e[1:] for e in announced(events) if e[0] == KIND] == [
        ("opened", "medium"), ("updated", "high"),
    ]  # fmt: skip


def test_sums_that_contradict_each_other_are_refused() -> None:
    for own in ({"clear": 5}, {"urgent": 8}):
        with pytest.raises(SettingsError, match="urgent"):
            from_tables({"early_warning": own})
