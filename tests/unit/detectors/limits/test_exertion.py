"""Active is no excuse for everything: what activity explains, and what it does not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.configuration.loading import from_tables, load
from tests.support.vitals import HOUR, MIDNIGHT, announced, detect, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Activity, Upload
from vigil.service.errors import SettingsError

NOON = 12 * HOUR
EXERTION = load().everyone.exertion
OPENED_HIGH = [("heart_rate_high", "opened", "high")]
OPENED_MEDIUM = [("heart_rate_high", "opened", "medium")]


def minutes(
    rates: Iterable[float],
    steps: Sequence[float] | None = None,
    activity: Activity = "unknown",
    start: float = NOON,
) -> list[Upload]:
    """A heart rate a minute from noon on, that moves by a beat, with the steps of that minute."""
    log = []
    for i, rate in enumerate(rates):
        values = {"heart_rate": rate + i % 2}
        pace = None if steps is None else steps[i % len(steps)]
        log.append(upload(measured(start + i * 60.0, values, activity, pace)))
    return log


def phantom(seed: int = 1) -> list[float]:
    """Steps that a watch counts on a wrist that hardly moves: 10 to 18 a minute."""
    source = random.Random(seed)  # noqa: S311
    return [float(source.randint(10, 18)) for _ in range(397)]


def found(log: Iterable[Upload], **own: Any) -> list[Event]:
    return [event for event in detect(log, **own) if event.kind == "heart_rate_high"]


def hours_to(event: Event) -> float:
    return ((event.detected_at - MIDNIGHT).total_seconds() - NOON) / HOUR


# ---- what no activity explains


def test_158_for_six_hours_beside_phantom_steps() -> None:
    (event,) = found(minutes([158.0] * 360, phantom()))
    assert announced([event]) == OPENED_HIGH
    assert hours_to(event) == pytest.approx(2.0, abs=0.05)
    assert event.context.activity == "active"
    evidence = event.evidence
    assert evidence["rule"] == "heart_rate_very_high_in_light_motion"
    assert evidence["judged_while_active"] == "duration"
    assert (evidence["steps_below"], evidence["share_of_maximum"]) == (40.0, 0.77)
    assert evidence["persistence_seconds"] == 7200.0


def test_198_for_three_hours_that_a_device_calls_active() -> None:
    (event,) = found(minutes([198.0] * 180, activity="active"))
    assert announced([event]) == OPENED_HIGH
    assert hours_to(event) == pytest.approx(1.0, abs=0.05)
    evidence = event.evidence
    assert evidence["judged_while_active"] == "share_of_maximum"
    assert (evidence["heart_rate_maximum"], evidence["limit"]) == (195.0, 185.0)
    assert evidence["age_band"] == "adult_assumed"


@pytest.mark.parametrize(("rate", "count", "expected"), [
    (215.0, 35, OPENED_HIGH),
    (178.0, 300, OPENED_HIGH),
    (155.0, 600, OPENED_MEDIUM),
])  # fmt: skip
def test_so_fast_or_so_long_is_no_exercise(
    rate: float, count: int, expected: list[tuple[str, str, str]]
) -> None:
    assert announced(found(minutes([rate] * count, activity="active"))) == expected
    running = minutes([rate] * count, [170.0])
    assert announced(found(running)) == expected


def test_130_for_four_hours_in_light_motion_is_of_medium_priority() -> None:
    (event,) = found(minutes([130.0] * 240, phantom()))
    assert announced([event]) == OPENED_MEDIUM
    assert hours_to(event) == pytest.approx(3.0, abs=0.05)


def test_through_rest_and_light_motion_it_is_one_run() -> None:
    """Never at rest for ten minutes, nor moving for long."""
    steps = [0.0] * 8 + [14.0]
    (event,) = found(minutes([130.0] * 240, steps))
    assert hours_to(event) == pytest.approx(3.0, abs=0.1)
    assert event.evidence["rule"] == "heart_rate_high_in_light_motion"


def test_sitting_down_afterwards_it_is_the_same_episode() -> None:
    log = minutes([158.0] * 150, phantom())
    log += minutes([156.0] * 60, [0.0], start=NOON + 150 * 60)
    log += minutes([85.0] * 40, [0.0], start=NOON + 210 * 60)
    assert [event.phase for event in found(log)] == ["opened", "closed"]


def test_it_ends_while_the_person_is_active() -> None:
    log = minutes([198.0] * 90, activity="active")
    log += minutes([105.0] * 20, activity="active", start=NOON + 90 * 60)
    assert [event.phase for event in found(log)] == ["opened", "closed"]


# ---- what activity explains


@pytest.mark.parametrize(("name", "log"), [
    ("a marathon", minutes([165.0] * 240, [150.0, 165.0, 172.0])),
    ("a slow marathon, walking in between", minutes([158.0] * 400, [150.0] * 9 + [100.0])),
    ("a fast one, of just over two hours", minutes([178.0] * 130, [180.0])),
    ("a race of 10 km", minutes([189.0] * 50, [175.0])),
    ("three hours on a bicycle, labelled", minutes([150.0] * 180, activity="active")),
    ("the same, with a step now and then", minutes([150.0] * 180, [0.0, 12.0], "active")),
    ("intervals on a rowing machine", minutes([140.0, 185.0] * 45, activity="active")),
    ("a day in the mountains", minutes([138.0] * 600, [70.0, 95.0, 60.0])),
    ("a day on the feet", minutes([112.0] * 720, phantom())),
    ("an hour of housework", minutes([128.0] * 90, [15.0, 45.0, 0.0, 30.0])),
    ("sprints an hour apart", [u for h in range(4) for u in minutes(
        [190.0] * 3, [180.0], start=NOON + h * HOUR)]),
])  # fmt: skip
def test_exercise_does_not_page(name: str, log: list[Upload]) -> None:
    assert found(log) == [], name


def test_exercise_during_an_open_episode_is_no_worsening() -> None:
    log = minutes([124.0] * 20, [0.0])
    log += minutes([172.0] * 45, [160.0], start=NOON + 20 * 60)
    log += minutes([123.0] * 40, [0.0], start=NOON + 65 * 60)
    assert [event.phase for event in found(log)] == ["opened"]


# ---- age, and the operator's own figures


def test_who_is_known_to_be_older_is_judged_by_their_maximum() -> None:
    log = minutes([158.0] * 100, [120.0])
    assert found(log) == []
    (event,) = found(log, age_band="65_and_over")
    assert event.evidence["age_band"] == "65_and_over"
    assert (event.evidence["heart_rate_maximum"], event.evidence["limit"]) == (163.0, 155.0)


def test_a_maximum_found_by_an_exercise_test_can_be_given() -> None:
    log = minutes([190.0] * 100, [150.0])
    assert len(found(log)) == 1
    assert found(log, age={"heart_rate_maximum": 205.0}) == []


def test_it_is_never_nearer_or_sooner_than_the_limit_that_it_extends() -> None:
    log = minutes([130.0] * 400, phantom())
    assert len(found(log)) == 1
    assert found(log, limits={"heart_rate_high": {"above": 140.0, "clear": 130.0}}) == []
    assert found(log, limits={"heart_rate_high": {"seconds": 30_000.0}}) == []
    assert found(log, limits={"heart_rate_high": {"enabled": False}}) == []


def test_a_row_can_be_switched_off() -> None:
    log = minutes([130.0] * 400, phantom())
    assert found(log, exertion={"heart_rate_high_in_light_motion": {"enabled": False}}) == []


@pytest.mark.parametrize("own", [
    {"extends": "nothing"}, {"extends": "systolic_high"}, {"extends": "heart_rate_low"},
    {"share": 0.0}, {"share": float("inf")}, {"reason": "because"}, {"steps_below": 0.0},
])  # fmt: skip
def test_a_row_that_makes_no_sense_is_refused(own: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"exertion\.heart_rate_near_maximum"):
        from_tables({"exertion": {"heart_rate_near_maximum": own}})


@pytest.mark.parametrize(("name", "own"), [
    ("heart_rate_near_maximum", {"systolic_to": 100.0}),
    ("heart_rate_near_maximum", {"extends": "shock_index_high"}),
    ("shock_index_long_effort", {"share": 0.9}),
    ("shock_index_long_effort", {"extends": "heart_rate_high"}),
    ("shock_index_long_effort", {"reason": "low_pressure"}),
    ("shock_index_with_low_pressure", {"reason": "duration"}),
    ("shock_index_with_low_pressure", {"steps_below": 40.0}),
    ("shock_index_with_low_pressure", {"systolic_to": float("inf")}),
])  # fmt: skip
def test_a_row_is_about_a_heart_rate_or_a_shock_index(name: str, own: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=rf"exertion\.{name}"):
        from_tables({"exertion": {name: own}})


def test_a_row_may_not_have_a_limits_name() -> None:
    row = {"extends": "heart_rate_high", "reason": "duration", "share": 0.9, "seconds": 1,
           "readings": 1}  # fmt: skip
    with pytest.raises(SettingsError, match="name of a limit"):
        from_tables({"exertion": {"heart_rate_high": row}})


def test_late_readings_are_judged_by_it_too() -> None:
    gap = minutes([158.0] * 240, phantom(), start=NOON)
    after = minutes([70.0] * 5, [0.0], start=NOON + 5 * HOUR)
    before = minutes([70.0] * 5, [0.0], start=NOON - 600)
    late = [upload(*item.measurements, received=NOON + 6 * HOUR + i) for i, item in enumerate(gap)]
    events = found([*before, *after, *late])
    assert events
    assert all(event.retrospective for event in events)
    assert events[0].evidence["judged_while_active"] == "duration"


# ---- laws


RATES = st.lists(
    st.sampled_from([100.0, 122.0, 130.0, 152.0, 187.0, 210.0]), min_size=1, max_size=6
)
STEPS = st.lists(
    st.sampled_from([0.0, 5.0, 9.0, 10.0, 14.0, 39.0, 40.0, 80.0, 150.0]), min_size=5, max_size=40
)


def first_opening(rates: Sequence[float], steps: Sequence[float]) -> float:
    """When a high heart rate was announced; infinity: never. Five minutes a reading."""
    log = [
        upload(measured(NOON + i * 300.0, {"heart_rate": rates[i // 20 % len(rates)] + i % 2},
                        "unknown", steps[i % len(steps)]))
        for i in range(130)
    ]  # fmt: skip
    events = found(log, context={"context_seconds": 300.0})
    return min((hours_to(e) for e in events if e.phase == "opened"), default=float("inf"))


@settings(max_examples=25)
@given(RATES, STEPS, st.data())
def test_more_steps_never_make_an_alarm_sooner(
    rates: list[float], steps: list[float], data: st.DataObject
) -> None:
    more = [pace + data.draw(st.sampled_from([0.0, 0.0, 6.0, 40.0])) for pace in steps]
    assert first_opening(rates, more) >= first_opening(rates, steps)


@settings(max_examples=25)
@given(RATES, STEPS, st.floats(0, 12))
def test_a_faster_heart_never_makes_an_alarm_later(
    rates: list[float], steps: list[float], more: float
) -> None:
    faster = [rate + more for rate in rates]
    assert first_opening(faster, steps) <= first_opening(rates, steps)


@given(st.floats(100, 230), st.sampled_from([None, 0.0, 14.0, 60.0, 170.0]))
def test_a_minute_of_anything_while_active_is_nothing(rate: float, pace: float | None) -> None:
    activity: Activity = "active"
    assert found(minutes([rate, rate], None if pace is None else [pace], activity)) == []


# ---- the shock index


def shock(rate: float, systolic: float, activity: Activity = "active", pace: float | None = None,
          every: float = 300.0, count: int = 120) -> list[Event]:  # fmt: skip
    """What is opened of pressures and heart rates that move by one."""
    log = [
        upload(measured(NOON + i * every, {"heart_rate": rate + i % 2, "systolic": systolic + i % 2,
                                           "diastolic": 65.0}, activity, pace))
        for i in range(count)
    ]  # fmt: skip
    events = [event for event in detect(log) if event.kind == "shock_index_high"]
    return [event for event in events if event.phase == "opened"]


@pytest.mark.parametrize("activity", ["active", "unknown"])
def test_no_activity_explains_a_low_pressure(activity: Activity) -> None:
    pace = None if activity == "active" else 120.0
    (event,) = shock(112.0, 99.0, activity, pace)
    assert hours_to(event) < 0.5
    assert event.evidence["judged_while_active"] == "low_pressure"
    assert event.evidence["systolic_to"] == 100.0
    assert all(hours_to(later) >= 8.0 for later in shock(112.0, 101.0, activity, pace))


def test_a_childs_low_pressure_is_their_own() -> None:
    for name in ("3_to_5", "6_to_7", "6_to_12", "8_to_11"):
        own = from_tables({"age_band": name}).everyone
        row = own.exertion["shock_index_with_low_pressure"]
        assert row.systolic_to == own.limits["systolic_low"].below


@pytest.mark.parametrize(("pace", "hours"), [(0.0, 0.1), (14.0, 0.5), (39.0, 0.5), (40.0, 8.0)])
def test_how_long_steps_explain_a_shock_index(pace: float, hours: float) -> None:
    (event,) = shock(125.0, 118.0, "unknown", pace)
    assert hours_to(event) == pytest.approx(hours, abs=0.1)


def test_an_effort_is_as_long_whatever_it_raises() -> None:
    own = from_tables({}).everyone
    heart_rate, shock_index = (
        own.exertion[f"{name}_long_effort"] for name in ("heart_rate", "shock_index")
    )
    assert own.early_warning.long_effort_seconds == heart_rate.seconds == shock_index.seconds


def test_two_hours_on_a_bicycle_have_no_shock() -> None:
    assert shock(160.0, 150.0, count=24) == []
    assert shock(160.0, 150.0, every=3 * HOUR, count=8) == []


@settings(max_examples=25)
@given(st.floats(70, 190), st.floats(99.5, 170), st.sampled_from([0.0, 14.0, 39.0, 60.0]))
def test_a_lower_pressure_never_hides_a_shock_index(
    rate: float, systolic: float, pace: float
) -> None:
    first = min((hours_to(e) for e in shock(rate, systolic, "unknown", pace)), default=99.0)
    lower = min((hours_to(e) for e in shock(rate, systolic - 8, "unknown", pace)), default=99.0)
    assert lower <= first
