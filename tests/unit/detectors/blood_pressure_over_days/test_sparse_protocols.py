"""Who measures less often than the home protocols ask for: found later, and with less certainty."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.blood_pressure_over_days.averages import (
    Average,
    Day,
    Memory,
    average_before,
    needed_days,
)
from detectors.blood_pressure_over_days.detector import KIND
from detectors.configuration.loading import from_tables, load
from tests.support.vitals import DAY, HOUR, MIDNIGHT, at, detect, engine, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload
from vigil.service.errors import SettingsError

HIGH, NORMAL = (158.0, 98.0), (130.0, 78.0)
SETTINGS = load().everyone.pressure_days
SPARSE = SETTINGS.sparse
DAILY = list(range(40))
EVERY_SECOND_DAY = list(range(0, 80, 2))
THREE_A_WEEK = [7 * week + day for week in range(12) for day in (0, 2, 4)]
WEEKENDS = [7 * week + day for week in range(12) for day in (5, 6)]
WEEKLY = list(range(0, 20 * 7, 7))
PROTOCOLS = {
    "one a day": (DAILY, 15),
    "every second day": (EVERY_SECOND_DAY, 18),
    "three a week": (THREE_A_WEEK, 21),
    "weekends": (WEEKENDS, 29),
    "one a week": (WEEKLY, 63),
}
"""Days with a reading, and how many days after the first a raised average is announced."""


def readings(
    days: Iterable[int], pressures: Iterable[tuple[float, float]], hours: Sequence[float] = (8.0,)
) -> Iterator[Upload]:
    """A day's pressure, at each of these hours."""
    for day, (systolic, diastolic) in zip(days, pressures, strict=False):
        for hour in hours:
            values = {"systolic": systolic, "diastolic": diastolic}
            yield upload(measured(day * DAY + hour * HOUR, values, "rest"))


def steady(days: Sequence[int], pressure: tuple[float, float]) -> Iterator[Upload]:
    return readings(days, [pressure] * len(days))


def announced_of(log: Iterable[Upload]) -> list[Event]:
    return [event for event in detect(log) if event.kind == KIND]


def day_of(event: Event) -> int:
    return (event.detected_at - MIDNIGHT).days


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_raised_average_is_announced_once_whatever_the_protocol(name: str) -> None:
    days, after = PROTOCOLS[name]
    events = announced_of(steady(days, HIGH))
    assert [(event.phase, event.priority) for event in events] == [("opened", "low")]
    assert day_of(events[0]) - days[0] == after


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("pressure", [NORMAL, (134.0, 84.0), (137.0, 86.0)])
def test_a_normal_or_borderline_average_is_not(name: str, pressure: tuple[float, float]) -> None:
    assert announced_of(steady(PROTOCOLS[name][0], pressure)) == []


def test_the_evidence_says_what_it_rests_on() -> None:
    evidence = announced_of(steady(DAILY, HIGH))[0].evidence
    assert evidence["protocol"] == "sparse"
    assert evidence["average"] == {"systolic": 158.0, "diastolic": 98.0}
    assert (evidence["readings"], evidence["days_with_readings"], evidence["span_days"]) == (
        14, 14, 14,
    )  # fmt: skip
    assert len(evidence["days"]) == 14
    assert evidence["standard_error"] == {"systolic": 2.14, "diastolic": 1.34}
    assert evidence["confidence"] == 0.58, "7 readings a week, where a full week holds 12"
    assert evidence["limit"] == 135.0


def test_a_full_week_says_so() -> None:
    log = readings(range(8), [HIGH] * 8, (8.0, 8.1, 20.0, 20.1))
    evidence = announced_of(log)[0].evidence
    assert (evidence["protocol"], evidence["confidence"]) == ("full", 1.0)


def test_fewer_readings_are_less_certain() -> None:
    found = {
        name: announced_of(steady(days, HIGH))[0].evidence for name, (days, _) in PROTOCOLS.items()
    }
    certain = [found[name]["confidence"] for name in PROTOCOLS]
    assert certain == sorted(certain, reverse=True)
    assert len(set(certain)) == len(certain)


def test_one_bad_week_of_single_readings_is_no_average() -> None:
    assert announced_of(steady(range(13), HIGH)) == []


def test_a_day_high_and_a_day_normal_is_one_episode_if_its_average_is_raised() -> None:
    days = list(range(80))
    alternating = [HIGH if day % 2 else (128.0, 80.0) for day in days]
    events = announced_of(readings(days, alternating))
    assert [event.phase for event in events] == ["opened"]
    lower = [(145.0, 88.0) if day % 2 else (120.0, 75.0) for day in days]
    assert announced_of(readings(days, lower)) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_cuff_that_two_people_share_is_announced_once_at_most(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311
    people = ((146.0, 90.0), (122.0, 76.0))
    log = [
        (systolic + source.gauss(0, 7), diastolic + source.gauss(0, 4))
        for systolic, diastolic in (source.choice(people) for _ in range(150))
    ]
    events = announced_of(readings(range(150), log))
    assert [event.phase for event in events].count("opened") <= 1


def test_it_closes_after_the_pressure_has_fallen() -> None:
    events = announced_of(readings(range(80), [HIGH] * 40 + [(120.0, 74.0)] * 40))
    assert [event.phase for event in events] == ["opened", "closed"]
    assert 50 <= day_of(events[1]) <= 56, "the average of the newest two weeks"


def test_whoever_measures_more_often_goes_over_to_the_full_form_in_the_same_episode() -> None:
    log = [
        *steady(range(30), HIGH),
        *readings(range(30, 45), [HIGH] * 15, (8.0, 8.1, 20.0, 20.1)),
        *readings(range(45, 70), [(120.0, 74.0)] * 25, (8.0, 8.1, 20.0, 20.1)),
    ]
    events = announced_of(log)
    assert [event.phase for event in events] == ["opened", "closed"]
    assert events[0].evidence["protocol"] == "sparse"
    assert events[1].evidence["protocol"] == "full"


def test_whoever_measures_less_often_stays_in_the_same_episode() -> None:
    log = [
        *readings(range(14), [HIGH] * 14, (8.0, 8.1, 20.0, 20.1)),
        *steady(range(14, 60), HIGH),
        *steady(range(60, 90), (120.0, 74.0)),
    ]
    events = announced_of(log)
    assert [event.phase for event in events] == ["opened", "closed"]
    assert [event.evidence["protocol"] for event in events] == ["full", "sparse"]


def test_after_two_weeks_without_a_reading_it_begins_anew() -> None:
    days = [*range(12), *range(27, 40)]
    assert announced_of(steady(days, HIGH)) == []
    assert len(announced_of(steady([*days, *range(40, 50)], HIGH))) == 1


def test_what_was_announced_before_a_pause_is_not_announced_of_the_same_readings() -> None:
    runs = engine()
    events = [event for item in steady(range(30), HIGH) for event in runs.process(item)]
    for second in range(30 * int(DAY), 46 * int(DAY), 120):
        events += runs.tick(at(second))
    events += [event for item in steady([46, 47, 48], HIGH) for event in runs.process(item)]
    mine = [event for event in events if event.kind == KIND]
    assert [event.phase for event in mine] == ["opened", "closed"]
    assert mine[1].evidence["reason"] == "unobserved"


def test_a_state_between_any_two_readings_changes_nothing() -> None:
    log = list(readings(range(60), [HIGH] * 30 + [(120.0, 74.0)] * 30))
    runs, events = engine(), list[Event]()
    for item in log:
        events += runs.process(item)
        saved, runs = runs.state_of("p1"), engine()
        assert runs.load_state("p1", saved) == ()
    assert [e for e in events if e.kind == KIND] == announced_of(log)


def test_what_an_older_version_remembered_is_continued() -> None:
    """It kept a week; the memory has the same form."""
    detector = engine()._pipeline("p1").detectors["pressure_days"]
    memory = detector.load([[[20_500 + day, 1, 158.0, 98.0] for day in range(8)], 20_499])
    assert average_before(memory, 20_508, SETTINGS) is None
    memory.days += [Day(20_508 + day, 1, 158.0, 98.0) for day in range(7)]
    average = average_before(memory, 20_515, SETTINGS)
    assert average is not None
    assert (average.protocol, average.systolic) == ("sparse", 158.0)


DAYS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 5), st.floats(100, 190)), min_size=1, max_size=70
)


def remembered(rows: Iterable[tuple[int, int, float]], shift: float = 0.0) -> tuple[Memory, int]:
    """A life of days, remembered as the detector does it; and the day after it."""
    memory, today = Memory([], 0), 20_000
    for gap, count, systolic in rows:
        today += gap
        if not memory.days or today - memory.days[-1].number > SETTINGS.window_days:
            memory.series = today
        memory.days = needed_days(memory.days, today, SETTINGS)
        pressure = systolic + shift
        memory.days.append(Day(today, count, count * pressure, count * (pressure - 50)))
    return memory, today + 1


def whole(rows: Iterable[tuple[int, int, float]]) -> Memory:
    """The same life with nothing dropped, but for what lies before a long pause."""
    memory, today = Memory([], 0), 20_000
    for gap, count, systolic in rows:
        today += gap
        if not memory.days or today - memory.days[-1].number > SETTINGS.window_days:
            memory.series = today
        if memory.days and today - memory.days[-1].number > SPARSE.series_days:
            memory.days = []
        memory.days.append(Day(today, count, count * systolic, count * (systolic - 50)))
    return memory


@given(DAYS)
def test_what_is_dropped_is_never_needed(rows: list[tuple[int, int, float]]) -> None:
    memory, today = remembered(rows)
    assert average_before(memory, today, SETTINGS) == average_before(whole(rows), today, SETTINGS)
    assert len(memory.days) <= SPARSE.window_days


@given(DAYS, st.floats(0.5, 30))
def test_higher_readings_never_make_a_lower_average(
    rows: list[tuple[int, int, float]], more: float
) -> None:
    def average(shift: float) -> Average | None:
        return average_before(*remembered(rows, shift), SETTINGS)

    low, high = average(0.0), average(more)
    assert (low is None) == (high is None)
    if low is not None and high is not None:
        assert high.systolic >= low.systolic
        assert high.protocol == low.protocol


@given(DAYS)
def test_a_sparse_average_holds_to_its_own_rules(rows: list[tuple[int, int, float]]) -> None:
    average = average_before(*remembered(rows), SETTINGS)
    if average is not None and average.protocol == "sparse":
        assert SPARSE.least_span_days <= average.span_days <= SPARSE.window_days
        assert average.readings >= SPARSE.least_readings
        assert len(average.days) >= SPARSE.least_days
        assert average.systolic_error > 0


@pytest.mark.parametrize("own", [
    {"enough_days": 5}, {"least_days": 9}, {"least_span_days": 57}, {"series_days": 60},
    {"window_days": 6, "least_span_days": 6, "series_days": 6}, {"standard_errors": 0.0},
])  # fmt: skip
def test_what_contradicts_itself_is_refused(own: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        from_tables({"pressure_days": {"sparse": own}})


def test_switched_off_nothing_is_said_of_single_readings() -> None:
    off = {"pressure_days": {"sparse": {"enabled": False}}}
    assert [event for event in detect(steady(DAILY, HIGH), **off) if event.kind == KIND] == []
