"""Activity and time of day, as far as anyone knows."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from detectors.configuration.loading import load
from detectors.context import activity as context
from detectors.context.activity import ContextMemory
from detectors.engine.state import ContextForm
from tests.support.vitals import (
    HOUR,
    MIDNIGHT,
    RESTING,
    announced,
    config,
    detect,
    heart,
    measured,
    seconds,
    upload,
)
from vigil.domain.reading import Activity, Context

SETTINGS = load().everyone.context
ZERO = MIDNIGHT.timestamp()


@pytest.mark.parametrize(
    ("announced", "activity"),
    [
        (Context("asleep"), "asleep"),
        (Context("rest", steps_per_min=90), "rest"),
        (Context(steps_per_min=0), "rest"),
        (Context(steps_per_min=9.9), "rest"),
        (Context(steps_per_min=10), "active"),
        (Context(), "unknown"),
        (Context(contact=True), "unknown"),
    ],
)
def test_the_devices_word_comes_first_then_steps(announced: Context, activity: str) -> None:
    memory = ContextMemory()
    context.take_context(SETTINGS, memory, ZERO, announced)
    assert context.activity_at(SETTINGS, memory, ZERO) == activity


def test_what_one_device_told_holds_for_others_for_a_while() -> None:
    memory = ContextMemory()
    context.take_context(SETTINGS, memory, ZERO, Context("active"))
    assert context.activity_at(SETTINGS, memory, ZERO + 120) == "active"
    assert context.activity_at(SETTINGS, memory, ZERO + 121) == "unknown"
    assert context.activity_at(SETTINGS, memory, ZERO - 1) == "unknown"


def test_an_older_word_does_not_replace_a_newer() -> None:
    memory = ContextMemory()
    context.take_context(SETTINGS, memory, ZERO, Context("rest"))
    context.take_context(SETTINGS, memory, ZERO - 60, Context("active"))
    assert context.activity_at(SETTINGS, memory, ZERO) == "rest"


def test_in_a_bed_unknown_can_count_as_rest() -> None:
    bed = config(**RESTING).everyone.context
    assert context.activity_at(bed, ContextMemory(), ZERO) == "rest"


def test_after_activity_the_baseline_waits() -> None:
    memory = ContextMemory()
    context.take_context(SETTINGS, memory, ZERO, Context("active"))
    context.take_context(SETTINGS, memory, ZERO + 60, Context("rest"))
    assert context.context_at(SETTINGS, memory, ZERO + 60).period == "active:night"
    context.take_context(SETTINGS, memory, ZERO + 600, Context("rest"))
    assert context.context_at(SETTINGS, memory, ZERO + 600).period == "rest:night"


@pytest.mark.parametrize(
    ("hour", "offset", "period"),
    [(21.9, 0, "day"), (22, 0, "night"), (5.9, 0, "night"), (6, 0, "day"), (21, 1, "night"),
     (23, -2, "day"), (15.5, 5.5, "day"), (17, 5.5, "night")],
)  # fmt: skip
def test_night_is_by_local_time(hour: float, offset: float, period: str) -> None:
    here = config(context={"utc_offset_hours": offset}).everyone.context
    found = context.context_at(here, ContextMemory(), ZERO + hour * 3600)
    assert found.period == f"unknown:{period}"


def test_night_can_lie_within_one_day() -> None:
    here = config(context={"night_from_hour": 1, "night_to_hour": 7}).everyone.context
    assert context.context_at(here, ContextMemory(), ZERO + 6 * 3600).period.endswith("night")
    assert context.context_at(here, ContextMemory(), ZERO).period.endswith("day")


def _stepping(
    steps: list[float], start: float = 0.0, every: float = 60.0
) -> tuple[ContextMemory, float]:
    """Steps a minute, told one after the other; and the time of the last."""
    memory, time = ContextMemory(), ZERO
    for i, count in enumerate(steps):
        time = ZERO + start + i * every
        context.take_context(SETTINGS, memory, time, Context(steps_per_min=count))
    return memory, time


@pytest.mark.parametrize(
    ("steps", "start", "activity"),
    [
        ([0.0] * 31, 0.0, "asleep"),
        ([0.0] * 30, 0.0, "rest"),
        ([0.0] * 20 + [3.0] + [0.0] * 20, 0.0, "rest"),
        ([0.0] * 20 + [30.0] + [0.0] * 31, 0.0, "asleep"),
        ([0.0] * 60, 12 * HOUR, "rest"),
        ([0.0] * 31 + [40.0], 0.0, "active"),
    ],
)
def test_a_night_without_steps_is_sleep(steps: list[float], start: float, activity: str) -> None:
    memory, time = _stepping(steps, start)
    assert context.activity_at(SETTINGS, memory, time) == activity
    assert context.context_at(SETTINGS, memory, time).source == "steps"


@pytest.mark.parametrize(("walked", "coming_down"), [(1, 0), (5, 3), (40, 9)])
def test_after_a_walk_the_heart_comes_down_for_as_long_as_it_lasted(
    walked: int, coming_down: int
) -> None:
    memory, _ = _stepping([90.0] * walked)
    minutes = []
    for i in range(walked, walked + 30):
        context.take_context(SETTINGS, memory, ZERO + i * 60.0, Context(steps_per_min=0.0))
        minutes.append(context.activity_at(SETTINGS, memory, ZERO + i * 60.0))
    assert minutes == ["active"] * coming_down + ["rest"] * (30 - coming_down)


def test_what_was_not_measured_is_not_stillness() -> None:
    memory, time = _stepping([0.0, 0.0], every=3600.0)
    assert context.activity_at(SETTINGS, memory, time) == "rest"


def _quiet_night(
    minutes: int = 31, rate: float = 58.0, start: float = 0.0
) -> tuple[ContextMemory, float]:
    """Heart rates without steps or a label; and the time of the last."""
    memory, time = ContextMemory(), ZERO
    for i in range(minutes):
        time = ZERO + start + i * 60.0
        context.take_heart_rate(SETTINGS, memory, time, rate)
    return memory, time


@pytest.mark.parametrize(
    ("minutes", "rate", "start", "activity"),
    [
        (31, 58.0, 0.0, "rest"),
        (30, 58.0, 0.0, "unknown"),
        (60, 104.0, 0.0, "unknown"),
        (60, 58.0, 12 * HOUR, "unknown"),
        (60, 58.0, 22.4 * HOUR, "rest"),
        (60, 58.0, 4.5 * HOUR, "unknown"),
    ],
)
def test_a_quiet_night_is_presumed_rest(
    minutes: int, rate: float, start: float, activity: str
) -> None:
    memory, time = _quiet_night(minutes, rate, start)
    assert context.activity_at(SETTINGS, memory, time) == activity
    assert context.context_at(SETTINGS, memory, time).source == (
        "time_of_day" if activity == "rest" else ""
    )


def test_the_presumption_outlasts_the_fast_heart_that_it_is_for_but_not_the_night_nor_a_gap() -> (
    None
):
    memory, time = _quiet_night()
    for i in range(1, 60):
        context.take_heart_rate(SETTINGS, memory, time + i * 60.0, 140.0)
    assert context.activity_at(SETTINGS, memory, time + 59 * 60) == "rest"
    assert context.activity_at(SETTINGS, memory, time + 59 * 60 + 1801) == "unknown"
    context.take_heart_rate(SETTINGS, memory, time + 3 * HOUR, 58.0)
    assert context.activity_at(SETTINGS, memory, time + 3 * HOUR) == "unknown"
    memory, _ = _quiet_night(300)
    assert context.activity_at(SETTINGS, memory, ZERO + 5 * HOUR - 1) == "rest"
    assert context.activity_at(SETTINGS, memory, ZERO + 5 * HOUR) == "unknown"


def test_a_devices_word_stands_over_the_presumption() -> None:
    memory, time = _quiet_night()
    context.take_context(SETTINGS, memory, time, Context("active"))
    assert context.activity_at(SETTINGS, memory, time) == "active"
    assert context.context_at(SETTINGS, memory, time).source == "device"


def _unlabelled(start: float, activity: Activity = "unknown") -> list[float | None]:
    """When a fast heart of 40 minutes after an hour of calm is told, in seconds after it began."""
    calm = [60.0 + i % 3 for i in range(60)]
    log = heart([*calm, *[140.0 + i % 3 for i in range(40)]], start, activity=activity)
    events = [e for e in detect(log) if e.kind == "heart_rate_high" and e.phase == "opened"]
    return [(seconds(e.detected_at) or 0.0) - start - HOUR for e in events]


def test_without_steps_a_fast_heart_is_told_sooner_in_a_quiet_night_than_by_day() -> None:
    assert _unlabelled(0.0) == _unlabelled(0.0, "rest") == [600.0]
    assert _unlabelled(12 * HOUR) == []


def test_exercise_by_steps_is_not_tachycardia() -> None:
    def walk(i: int) -> tuple[float, float]:
        return (150.0 + i % 3, 110.0) if 30 <= i < 90 else (70.0 + i % 3, 0.0)

    log = [
        upload(measured(12 * HOUR + i * 60.0, {"heart_rate": walk(i)[0]}, steps=walk(i)[1]))
        for i in range(150)
    ]
    assert announced(detect(log)) == []


def _minutes(
    memory: ContextMemory, rates: Iterable[float], start: float = ZERO, every: float = 60.0
) -> float:
    """Take heart rates; return the time of the last."""
    time = start
    for i, rate in enumerate(rates):
        time = start + i * every
        context.take_heart_rate(SETTINGS, memory, time, rate)
    return time


NOON = ZERO + 12 * HOUR
STEADY, WALK = [70.0 + i % 3 for i in range(60)], [95.0 + 7 * (i % 2) for i in range(60)]


def _known(memory: ContextMemory, time: float) -> tuple[str, str, str, float | None]:
    here = context.context_at(SETTINGS, memory, time)
    return here.activity, here.period, here.source, here.pace


def _fields(memory: ContextMemory) -> dict[str, object]:
    return {name: getattr(memory, name) for name in ContextForm.__struct_fields__}


def test_a_steady_heart_is_at_rest_for_the_baseline_and_for_nothing_else() -> None:
    memory = ContextMemory()
    last = _minutes(memory, STEADY, NOON)
    assert _known(memory, last) == ("unknown", "rest:day", "", None)
    assert context.context_at(SETTINGS, memory, last + 131).period == "unknown:day"
    last = _minutes(memory, WALK[:5], last + 60)
    assert context.context_at(SETTINGS, memory, last).period == "unknown:day"


def test_a_fast_heart_is_steady_too_once_it_has_stopped_rising() -> None:
    memory = ContextMemory()
    last = _minutes(memory, STEADY, NOON)
    last = _minutes(memory, [80.0, 90, 100, 110, 120], last + 60)
    assert context.context_at(SETTINGS, memory, last).period == "unknown:day"
    last = _minutes(memory, [120.0 + i % 2 for i in range(25)], last + 60)
    assert context.context_at(SETTINGS, memory, last).period == "rest:day"


@pytest.mark.parametrize(
    ("rates", "every"), [(WALK, 60.0), (STEADY, 180.0), (STEADY[:12], 60.0), (STEADY, 10.0)]
)
def test_motion_sparse_rates_and_short_recordings_are_not_steady(
    rates: list[float], every: float
) -> None:
    memory = ContextMemory()
    last = _minutes(memory, rates, NOON, every)
    assert context.context_at(SETTINGS, memory, last).period == "unknown:day"


def test_rates_every_few_seconds_are_compared_by_the_minute() -> None:
    memory = ContextMemory()
    last = _minutes(memory, [70.0 + (i // 5) % 3 for i in range(600)], NOON, 5.0)
    assert context.context_at(SETTINGS, memory, last).period == "rest:day"


def test_where_a_device_tells_the_heart_is_not_asked() -> None:
    memory = ContextMemory()
    for i, rate in enumerate(STEADY):
        context.take_context(SETTINGS, memory, NOON + i * 60, Context("active"))
        context.take_heart_rate(SETTINGS, memory, NOON + i * 60, rate)
    assert _known(memory, NOON + 59 * 60) == ("active", "active:day", "device", None)
    expected = ContextMemory()
    expected.time = expected.last_active = NOON + 59 * 60
    expected.activity, expected.source, expected.active_since = "active", "device", NOON
    assert _fields(memory) == _fields(expected)
