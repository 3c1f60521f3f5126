"""The alarm-burden budget: what counts, what may be loosened, what a proposal promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.configuration.loading import DetectionConfig, from_tables, load
from detectors.tuning.backtest import Backtest, Run
from detectors.tuning.budget import EVERYONE, NO_WARD, by_patient, by_ward
from detectors.tuning.knobs import knobs, with_values
from detectors.tuning.proposal import Change, Proposal, propose
from tests.support.vitals import DAY, config, heart, measured, upload
from vigil.domain.reading import Upload
from vigil.service.errors import SettingsError

pytestmark = pytest.mark.slow


ALONE: dict[str, Any] = {"baseline": {"signals": {"heart_rate": {"enabled": False}}}}
"""The limits alone: without them the baseline would tell of the same hearts."""
TIGHT: dict[str, Any] = {
    **ALONE,
    "budget": {"alarms_per_patient_day": 0.5, "alarms_per_patient_day_of_one": 1.5},
}


def days(fast: Iterable[float], patient: str = "p1") -> list[Upload]:
    """A day each: calm, with forty minutes of so fast a heart; a reading in five minutes."""
    rates = []
    for rate in fast:
        day = [70.0 + i % 5 for i in range(288)]
        day[120:128] = [rate + i % 3 for i in range(8)]
        rates += day
    return heart(rates, patient=patient, every=300.0)


def proposed(uploads: list[Upload], own: dict[str, Any] = TIGHT) -> Proposal:
    return propose(own, "", lambda: uploads, ("test",))[0]


def applied(proposal: Proposal, own: dict[str, Any]) -> DetectionConfig:
    for change in proposal.changes:
        own = with_values(own, change.table, {(change.key,): change.after})
    return from_tables(own)


def high(uploads: Iterable[Upload], detection: DetectionConfig) -> bytes:
    run = Run(detection)
    for item in uploads:
        run.take(item)
    return run.ledger.high()


# ---- what may be loosened


def test_no_high_priority_rule_and_nothing_without_a_bound_may_be_loosened() -> None:
    everyone = load().everyone
    found = knobs(everyone)
    assert found
    for knob in found:
        if knob.path[0] == "limits":
            assert everyone.limits[knob.path[1]].priority != "high"
    raised = config(limits={"heart_rate_high": {"priority": "high"}}).everyone
    assert not [knob for knob in knobs(raised) if knob.path[1] == "heart_rate_high"]
    off = config(limits={"heart_rate_high": {"enabled": False}}).everyone
    assert not [knob for knob in knobs(off) if knob.path[1] == "heart_rate_high"]


def test_the_shipped_bounds_are_the_stated_ones() -> None:
    furthest = {knob.path: knob.rungs[-1] for knob in knobs(load().everyone)}
    assert furthest["limits", "heart_rate_high", "above"] == 140
    assert furthest["limits", "heart_rate_low", "below"] == 37
    assert furthest["limits", "systolic_high", "above"] == 175
    assert all(value <= 1800 for path, value in furthest.items() if path[-1] == "seconds")
    assert not [path for path in furthest if path[1].endswith(("_once", "_severe"))]


@given(
    present=st.floats(100, 149), furthest=st.floats(90, 149), step=st.floats(0.5, 20),
)  # fmt: skip
def test_a_figure_only_ever_gets_looser_and_never_passes_its_bound(
    present: float, furthest: float, step: float
) -> None:
    own = {
        "limits": {"heart_rate_high": {"above": present, "clear": 90.0}},
        "budget": {"bounds": {"limits": {"heart_rate_high": {
            "above": {"furthest": furthest, "step": step}}}}},
    }  # fmt: skip
    knob = [k for k in knobs(from_tables(own).everyone)
            if k.path == ("limits", "heart_rate_high", "above")]  # fmt: skip
    assert bool(knob) == (furthest > present)
    for one in knob:
        assert list(one.rungs) == sorted(set(one.rungs))
        assert present < one.rungs[0]
        assert one.rungs[-1] == pytest.approx(furthest)


def test_a_hysteresis_is_left_alone_where_the_kind_has_a_high_priority_limit() -> None:
    clear = {"clear": {"furthest": 90.0, "step": 5.0}}
    own = config(budget={"bounds": {"limits": {"heart_rate_high": clear}}}).everyone
    paths = [knob.path for knob in knobs(own)]
    assert ("limits", "heart_rate_high", "clear") not in paths
    assert ("limits", "pulse_pressure_high", "clear") in paths


@pytest.mark.parametrize(
    ("bounds", "what"),
    [
        ({"limits": {"heart_rate_hihg": {}}}, "not known"),
        ({"limits": {"heart_rate_high": {"readings": {"furthest": 9, "step": 1}}}}, "no bound"),
        ({"unusual": {"heart_rate": {"floor": {"furthest": 9, "step": 1}}}}, "no bound"),
        ({"limits": {"heart_rate_high": {"above": {"furthest": float("inf"), "step": 1}}}},
         "finite"),
        ({"limits": {"heart_rate_high": {"above": {"furthest": 140, "step": 0}}}}, "> 0"),
    ],
)  # fmt: skip
def test_a_bound_of_no_figure_is_refused(bounds: dict[str, Any], what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        config(budget={"bounds": bounds})


# ---- what counts


def test_wards_and_patients_are_held_to_their_own_budgets() -> None:
    wards = {"a": {"patients": ["p1"], "budget": {"alarms_per_patient_day": 2.0}},
             "b": {"patients": ["p2"]}}  # fmt: skip
    detection = from_tables({**TIGHT, "wards": wards})
    three = (item for patient in ("p1", "p2", "p3") for item in days([125.0] * 4, patient))
    outcome = Backtest(detection).play(three)
    announced, watched = outcome.before.alarms(), outcome.days.watched()
    found = {
        row.scope: (row.per_patient_day, row.over) for row in by_ward(detection, announced, watched)
    }
    assert found == {"a": (1, False), "b": (1, True), NO_WARD: (1, True)}
    assert [row.over for row in by_patient(detection, announced, watched)] == [False] * 3
    assert [row.scope for row in by_ward(from_tables(TIGHT), announced, watched)] == [EVERYONE]


def test_too_few_days_say_nothing() -> None:
    proposal = proposed(days([125.0] * 2))
    assert not proposal.predicted
    assert not proposal.changes


# ---- what is proposed


def test_the_smallest_single_change_is_proposed_with_what_it_costs() -> None:
    uploads = days([123.0, 123.0, 123.0, 137.0, 160.0])
    proposal = proposed(uploads)
    change = Change(EVERYONE, ("limits", "heart_rate_high"), "above", 120.0, 130.0)
    assert proposal.changes == (change,)
    row = proposal.predicted[0]
    assert (row.scope, row.before, row.after, row.met) == (EVERYONE, 1.0, 0.4, True)
    assert [alarm.extreme for alarm in proposal.lost] == [125.0] * 3
    assert (proposal.high.alarms, proposal.high.unchanged) == (1, True)
    assert proposal.config_hash_after == applied(proposal, TIGHT).config_hash


def test_what_the_bounds_cannot_reach_is_said_and_not_half_done() -> None:
    proposal = proposed(days([160.0] * 4))
    assert not proposal.changes
    row = proposal.predicted[0]
    assert (row.met, row.before, row.after, row.high) == (False, 1.0, 1.0, 1.0)


def test_one_patient_over_theirs_gets_a_limit_of_their_own() -> None:
    busy = [item for hour in range(4) for item in _twice(hour)]
    calm = [item for i in range(12) for item in days([72.0] * 4, f"q{i}")]
    proposal = proposed(busy + calm)
    assert {change.table[:2] for change in proposal.changes} == {("patients", "p1")}
    detection = applied(proposal, TIGHT)
    assert detection.everyone == from_tables(TIGHT).everyone


def _twice(day: int) -> Iterator[Upload]:
    """A day with two stretches of 123."""
    rates = [70.0 + i % 5 for i in range(288)]
    for start in (60, 180):
        rates[start : start + 8] = [121.0 + i % 3 for i in range(8)]
    yield from heart(rates, start=day * DAY, every=300.0)


def test_wards_are_changed_below_their_own_tables_only() -> None:
    own = {**TIGHT, "wards": {"a": {"patients": ["p1"]}, "b": {"patients": ["p2"]}}}
    proposal = proposed([*days([123.0] * 4), *days([72.0] * 4, "p2")], own)
    assert proposal.changes
    assert {change.table[:2] for change in proposal.changes} == {("wards", "a")}
    assert applied(proposal, own).config_for("p2") == from_tables(own).config_for("p2")


def test_no_step_of_a_proposal_can_be_taken_back() -> None:
    uploads = days([131.0, 136.0, 123.0, 127.0, 160.0])
    proposal = proposed(uploads)
    assert proposal.changes
    rungs = {knob.path: knob for knob in knobs(from_tables(TIGHT).everyone)}
    for change in proposal.changes:
        knob = rungs[*change.table, change.key]
        place = knob.rungs.index(change.after)
        nearer = knob.rungs[place - 1] if place else knob.present
        values = {(*c.table, c.key): c.after for c in proposal.changes}
        values[knob.path] = nearer
        detection = from_tables(with_values(TIGHT, (), values))
        outcome = Backtest(detection).play(uploads)
        load_ = by_ward(detection, outcome.before.alarms(), outcome.days.watched())[0]
        assert load_.over, f"{change} could be nearer"


# ---- high priority

hearts = st.lists(
    st.tuples(st.sampled_from([60.0, 105.0, 112.0, 122.0, 128.0, 134.0, 141.0, 152.0, 165.0, 38.0,
                               34.0]), st.integers(1, 12)), min_size=3, max_size=25,
)  # fmt: skip


def stretches(runs: list[tuple[float, int]], repeats: int = 1) -> list[Upload]:
    rates = [rate + i % 2 for _ in range(repeats) for rate, count in runs for i in range(count)]
    return heart(rates, every=300.0)


@settings(max_examples=40)
@given(runs=hearts, picks=st.data())
def test_no_loosening_within_the_bounds_takes_a_high_priority_alarm_away(
    runs: list[tuple[float, int]], picks: st.DataObject
) -> None:
    """It may be told sooner: an episode that stood in its way is over sooner."""
    values = {knob.path: picks.draw(st.sampled_from(knob.rungs), str(knob.path))
              for knob in knobs(from_tables(ALONE).everyone)
              if knob.path[0] == "limits" and picks.draw(st.booleans())}  # fmt: skip
    loosened = from_tables(with_values(ALONE, (), values))
    uploads = stretches(runs)
    before, after = announced(high(uploads, from_tables(ALONE))), announced(high(uploads, loosened))
    for patient, kind, at, retrospective, rule, *_ in before - after:
        assert any(
            other[:2] == (patient, kind) and other[3:5] == (retrospective, rule) and other[2] < at
            for other in after - before
        ), f"{rule} of {at} is gone"


def announced(lines: bytes) -> set[tuple[Any, ...]]:
    """What was told at high priority, without when it ended."""
    return {tuple(msgspec.json.decode(line.rsplit(b" ", 1)[0])) for line in lines.splitlines()}


@settings(max_examples=8)
@given(runs=hearts, most=st.floats(0.1, 2.0))
def test_what_a_proposal_leaves_at_high_priority_is_the_same_byte_for_byte(
    runs: list[tuple[float, int]], most: float
) -> None:
    own = {**ALONE, "budget": {"alarms_per_patient_day": most, "least_patient_days": 0}}
    uploads = stretches([*runs, (70.0, 12)], repeats=3)
    proposal = proposed(uploads, own)
    detection = applied(proposal, own)
    assert high(uploads, detection) == high(uploads, from_tables(own))
    assert detection.config_hash == proposal.config_hash_after
    bounds = {knob.path: knob for knob in knobs(from_tables(own).everyone)}
    for change in proposal.changes:
        path = (*change.table[2:], change.key) if change.table[0] == "patients" else (
            *change.table, change.key)  # fmt: skip
        assert change.after in bounds[path].rungs


def test_the_same_history_gives_the_same_proposal() -> None:
    uploads = days([123.0, 127.0, 123.0, 137.0, 160.0])
    assert proposed(uploads) == proposed(list(uploads))


def test_pressures_are_narrowed_too() -> None:
    pressures = [
        upload(measured(i * 1800.0, {"systolic": 120.0, "diastolic": 75.0 + i % 3}, "rest"))
        for i in range(240)
    ]
    for start in (20, 70, 120, 170):
        for i in range(4):
            values = {"systolic": 162.0 + i % 2, "diastolic": 85.0}
            pressures[start + i] = upload(measured((start + i) * 1800.0, values, "rest"))
    off = {"systolic": {"enabled": False}, "diastolic": {"enabled": False}}
    own = {**TIGHT, "baseline": {"signals": off}}
    found = proposed(pressures, own)
    assert found.predicted[0].met
    assert {change.table[1] for change in found.changes} == {"systolic_high"}
