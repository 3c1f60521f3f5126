"""Blood pressure averaged over days: what counts, what an average is called, when it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.blood_pressure_over_days.averages import Memory, average_before
from detectors.blood_pressure_over_days.detector import KIND, PressureDays
from detectors.configuration.loading import from_tables, load
from detectors.context.local_time import LocalClock
from tests.support.vitals import DAY, HOUR, MIDNIGHT, cuff, detect, measured, moment, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Activity, Upload
from vigil.service.errors import SettingsError

GUIDELINES = load().everyone.pressure_days.guidelines
HOURS = (8.0, 8.1, 20.0, 20.1)


def days(
    pairs: Sequence[tuple[float, float] | None], hours: tuple[float, ...] = HOURS,
    activity: Activity = "rest",
) -> Iterator[Upload]:  # fmt: skip
    """Two readings in the morning and two in the evening of each day; None: a day without."""
    for number, pair in enumerate(pairs):
        if pair is None:
            continue
        for i, hour in enumerate(hours):  # a pair that repeats would be the same one again
            values = {"systolic": pair[0] + (-1) ** i, "diastolic": pair[1]}
            yield upload(measured(number * DAY + hour * HOUR, values, activity))


def announced_of(log: Iterator[Upload], **own: object) -> list[Event]:
    return [event for event in detect(log, **own) if event.kind == KIND]


def test_a_raised_average_is_told_once_and_on_what_it_rests() -> None:
    events = announced_of(days([(150, 80)] + [(138, 80)] * 12))
    assert [(event.phase, event.priority) for event in events] == [("opened", "low")]
    event, announced = events[0], events[0].evidence
    assert event.detected_at.day == 2 + 4, "three days beside the first, then the next morning"
    assert event.onset.day == 2 + 1
    assert announced["average"] == {"systolic": 138.0, "diastolic": 80.0}
    assert (announced["limit"], announced["limit_clear"], announced["value"]) == (
        135.0,
        130.0,
        138.0,
    )
    assert announced["category"] == {"aha_acc_2025": "stage_2", "esc_2024": "hypertension"}
    assert announced["guideline"] == "esc_2024"
    assert announced["scores"]["pressure_days"] == 3.0
    assert [(row["day"], row["readings"]) for row in announced["days"]] == [
        ("2026-03-03", 4), ("2026-03-04", 4), ("2026-03-05", 4),
    ]  # fmt: skip


def test_the_guideline_is_a_choice() -> None:
    log = list(days([(131, 75)] * 8))
    assert announced_of(iter(log)) == []
    aha = announced_of(iter(log), pressure_days={"guideline": "aha_acc_2025"})
    assert [event.phase for event in aha] == ["opened"]
    assert aha[0].evidence["category"]["aha_acc_2025"] == "stage_1"


def test_the_diastolic_pressure_alone_is_enough() -> None:
    event = announced_of(days([(120, 88)] * 6))[0]
    assert event.evidence["rule"] == "pressure_days.diastolic"
    assert event.evidence["limit"] == 85


@pytest.mark.parametrize(("pairs", "hours"), [
    ([(150, 95)] * 3, HOURS),
    ([(150, 95)] * 9, (8.0,)),
    ([(150, 95), (150, 95), None, None, None, None, None, None, (150, 95), (150, 95)], HOURS),
])  # fmt: skip
def test_too_few_days_or_readings_are_no_average(
    pairs: Sequence[tuple[float, float] | None], hours: tuple[float, ...]
) -> None:
    assert announced_of(days(pairs, hours)) == []


def test_the_first_day_of_a_series_is_left_out() -> None:
    assert announced_of(days([(190, 110), *[(130, 80)] * 6])) == []
    gap: list[tuple[float, float] | None] = [None] * 9
    events = announced_of(days([*[(120, 75)] * 8, *gap, (190, 110), *[(130, 80)] * 6]))
    assert events == []


def test_each_day_weighs_the_same() -> None:
    """Forty readings of one bad day do not outweigh three good days."""
    many = tuple(8 + i / 4 for i in range(40))
    log = [*days([(125, 75)] * 4), *list(days([None] * 4 + [(150, 84)], many))]
    log += list(days([None] * 5 + [(125, 75)] * 2))
    assert announced_of(iter(log)) == []


def test_nights_and_activity_do_not_count() -> None:
    assert announced_of(days([(150, 95)] * 8, (1.0, 2.0, 3.0, 4.0), "asleep")) == []
    assert announced_of(days([(150, 95)] * 8, (1.0, 2.0, 3.0, 4.0), "unknown")) == []
    assert announced_of(days([(150, 95)] * 8, HOURS, "active")) == []
    assert announced_of(days([(150, 95)] * 8, HOURS, "asleep")) == []
    assert announced_of(days([(150, 95)] * 8, HOURS, "unknown")) != []


def test_it_ends_after_three_days_well_below() -> None:
    events = announced_of(days([(138, 84)] * 8 + [(133, 82)] * 10 + [(120, 75)] * 12))
    assert [event.phase for event in events] == ["opened", "closed"]
    assert events[1].evidence["average"]["systolic"] <= 130


def test_a_worsening_is_told_again_at_most_daily() -> None:
    events = announced_of(days([(136, 80)] * 6 + [(150, 88)] * 8))
    assert [event.phase for event in events][:2] == ["opened", "updated"]
    announced = [event.detected_at for event in events]
    assert len({time.date() for time in announced}) == len(announced)


def test_a_wave_around_the_limit_is_one_episode() -> None:
    pairs: list[tuple[float, float] | None] = [
        (138.0 if i // 5 % 2 else 133.0, 80.0) for i in range(60)
    ]
    assert [event.phase for event in announced_of(days(pairs)) if event.phase == "opened"] == [
        "opened"
    ]


@given(st.floats(80, 220), st.floats(40, 130), st.floats(0, 20), st.floats(0, 20))
def test_a_higher_average_is_never_in_a_lower_category(
    s: float, d: float, a: float, b: float
) -> None:
    for guideline in GUIDELINES.values():
        order = ["", *[category.name for category in guideline.categories]]
        assert order.index(guideline.category_of(s + a, d + b)) >= order.index(
            guideline.category_of(s, d)
        )


@pytest.mark.parametrize("own", [
    {"guideline": "who"}, {"least_days": 8},
    {"guidelines": {"esc_2024": {"raised": "stage_9"}}},
    {"guidelines": {"aha_acc_2025": {"raised": "elevated"}}},
])  # fmt: skip
def test_what_contradicts_itself_is_refused(own: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        from_tables({"pressure_days": own})


def test_switched_off_it_says_nothing() -> None:
    assert announced_of(days([(150, 95)] * 8), pressure_days={"enabled": False}) == []


def test_a_systolic_pressure_alone_is_no_pair() -> None:
    detector = PressureDays(load().everyone.pressure_days, LocalClock(load().everyone.context))
    memory = detector.fresh()
    detector.learn(moment(9 * HOUR, systolic=150.0), memory, ())
    assert memory.days == []
    assert [(day.readings, day.systolic) for day in memory.systolic_days] == [(1, 150.0)]


def test_an_ambulatory_day_is_too_short() -> None:
    log = cuff([(150, 95)] * 48, every=1800.0)
    assert announced_of(iter(log)) == []


# ---- late readings


@st.composite
def day_by_day(draw: st.DrawFn) -> list[tuple[int, float, float | None]]:
    """Day, systolic and diastolic of up to 40 readings within four weeks, in any order."""
    found = draw(st.lists(st.tuples(
        st.integers(0, 27), st.sampled_from([128.0, 141.0, 158.0]),
        st.sampled_from([None, 78.0, 88.0, 98.0]),
    ), min_size=1, max_size=40))  # fmt: skip
    return draw(st.permutations(found))


def memory_of(rows: Sequence[tuple[int, float, float | None]], late: bool) -> Memory:
    config = load().everyone
    detector = PressureDays(config.pressure_days, LocalClock(config.context))
    memory = detector.fresh()
    for i, (day, systolic, diastolic) in enumerate(rows):
        values = {"systolic": systolic} | ({} if diastolic is None else {"diastolic": diastolic})
        here = moment(day * DAY + 10 * HOUR + i, "rest", "rest:day", **values)
        if late:
            detector.learn_late(here, memory)
        else:
            detector.learn(here, memory, ())
    return memory


@given(day_by_day())
def test_late_readings_make_the_same_average_in_any_order(
    rows: list[tuple[int, float, float | None]],
) -> None:
    settings = load().everyone.pressure_days
    in_order = memory_of(sorted(rows, key=itemgetter(0)), late=False)
    late = memory_of(rows, late=True)
    tomorrow = max(row[0] for row in rows) + 1
    assert average_before(late, tomorrow, settings) == average_before(in_order, tomorrow, settings)


def newest_first(log: list[Upload]) -> list[Upload]:
    """The newest reading as it is measured, and then the others, one a second."""
    first = log[-1].measurements[0].time.timestamp() - MIDNIGHT.timestamp()
    return [
        upload(*item.measurements, received=first + 1.0 + i) for i, item in enumerate(log[::-1])
    ]


@pytest.mark.parametrize("every", [1, 2])
def test_a_history_that_comes_newest_first_is_averaged(every: int) -> None:
    log = [
        upload(measured(day * DAY + 8 * HOUR, {"systolic": 158.0 + day % 2, "diastolic": 98.0},
                        "rest"))
        for day in range(0, 26 * every, every)
    ]  # fmt: skip
    (in_order,) = announced_of(iter(log))
    (event,) = announced_of(iter(newest_first(log)))
    assert (event.phase, event.kind, event.priority) == ("opened", in_order.kind, "low")
    assert event.evidence["protocol"] == in_order.evidence["protocol"]
    assert event.detected_at == log[-1].measurements[0].time
    low = [upload(measured(day * DAY + 8 * HOUR, {"systolic": 124.0 + day % 2, "diastolic": 78.0},
                           "rest")) for day in range(26)]  # fmt: skip
    assert announced_of(iter(newest_first(low))) == []
