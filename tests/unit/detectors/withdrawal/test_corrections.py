"""What stands without withdrawn readings is corrected, marked, and announced once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from detectors.episodes.memory import EpisodeMemory
from detectors.withdrawal.majority import Left, corrected_evidence, corrected_memory
from explain.templates.compose import compose
from tests.support.patient_logs import run
from tests.support.vitals import (
    HOUR,
    announced,
    cuff,
    engine,
    heart,
    measured,
    seconds,
    upload,
)
from tests.support.withdrawals import withdrawal
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

CLOSED = ("blood_pressure_high", "closed", "high")


def mild_with_two_severe() -> list[Upload]:
    """Raised, severe twice, raised again, and over."""
    pressures = [(164, 96), (165, 97), (214, 131), (212, 128), (166, 97), (124, 79), (125, 80)]
    return cuff(pressures, every=300.0)


def of_pressure(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == "blood_pressure_high"]


def test_an_alarm_that_was_over_keeps_no_priority_of_withdrawn_readings() -> None:
    runs, log = engine(), mild_with_two_severe()
    events = run([*log], runs)
    assert announced(of_pressure(events))[-1] == CLOSED
    (corrected,) = of_pressure(runs.withdraw(withdrawal(log, (2, 3), events, when=2 * HOUR)))
    assert (corrected.phase, corrected.priority) == ("closed", "medium")
    assert corrected.episode_id == of_pressure(events)[0].episode_id
    assert corrected.sequence == of_pressure(events)[-1].sequence + 1
    assert corrected.ended_at == of_pressure(events)[-1].ended_at
    assert seconds(corrected.detected_at) == 2 * HOUR
    evidence = corrected.evidence
    assert (evidence["extreme"], evidence["rule"]) == (166.0, "systolic_high")
    assert (evidence["change"], evidence["highest_priority"]) == ("corrected", "high")
    assert evidence["withdrawal"]["priority"] == "high"
    assert (corrected.corrected, corrected.withdrawn) == ("wrong_patient", "")


def test_the_reading_that_alone_confirmed_takes_its_priority_with_it() -> None:
    for calm in ([], [(126, 80), (124, 79)]):
        runs, log = engine(), cuff([(192, 124), (190, 123), *calm], every=300.0)
        events = run([*log], runs)
        (corrected,) = of_pressure(runs.withdraw(withdrawal(log, (1,), events)))
        assert corrected.priority == "medium"
        assert corrected.evidence["rule"] == "diastolic_severe_once"
        assert corrected.corrected == "wrong_patient"


def test_what_was_corrected_once_is_not_announced_again() -> None:
    """A second withdrawal of an ordinary reading lowers nothing."""
    runs, log = engine(), mild_with_two_severe()
    events = run([*log], runs)
    first = runs.withdraw(withdrawal(log, (2, 3), events))
    left = withdrawal(log, (2, 3, 4)).remaining
    second = withdrawal(
        log, (4,), [*events, *first], withdrawal_id="w-2", remaining=left, when=3 * HOUR
    )
    (again,) = of_pressure(runs.withdraw(second))
    assert again.evidence["extreme"] == 165.0
    assert again.corrected == ""
    assert of_pressure(runs.withdraw(second)) == []


def test_a_worse_value_alone_is_corrected_and_informs_nobody() -> None:
    runs, log = engine(), cuff([(164, 96), (165, 97), (172, 98), (124, 79), (125, 80)], every=300.0)
    events = run([*log], runs)
    (corrected,) = of_pressure(runs.withdraw(withdrawal(log, (2,), events)))
    assert (corrected.phase, corrected.evidence["extreme"]) == ("closed", 165.0)
    assert corrected.corrected == ""


@pytest.mark.parametrize("gone", [(4, 5), (5,)])
def test_what_ended_by_withdrawn_readings_alone_goes_on_under_its_id(gone: tuple[int, ...]) -> None:
    runs = engine()
    log = cuff([(192, 114), (190, 113), (191, 112), (189, 113), (126, 80), (124, 79)], every=300.0)
    events = run([*log], runs)
    assert announced(of_pressure(events))[-1] == CLOSED
    (again,) = of_pressure(runs.withdraw(withdrawal(log, gone, events)))
    assert (again.phase, again.priority, again.change) == ("updated", "high", "continues")
    assert again.episode_id == of_pressure(events)[0].episode_id
    assert again.ended_at is None
    over = run([*cuff([(126, 80), (124, 79)], start=2100.0, every=300.0)], runs)
    assert announced(of_pressure(over)) == [CLOSED]
    assert of_pressure(over)[0].sequence == again.sequence + 1


def test_what_ended_by_withdrawn_readings_long_ago_ended_unobserved() -> None:
    runs = engine()
    log = heart([*(158.0 + i % 4 for i in range(20)), *(70.0 + i % 3 for i in range(20))])
    events = run([*log], runs)
    marked = runs.withdraw(withdrawal(log, range(20, 40), events, when=30 * HOUR))
    (corrected,) = [e for e in marked if e.kind == "heart_rate_high"]
    assert (corrected.phase, corrected.change) == ("closed", "unobserved")
    assert seconds(corrected.ended_at) == 19 * 60.0


def test_where_beginning_and_end_are_withdrawn_the_rest_goes_on() -> None:
    runs = engine()
    log = cuff([(192, 114), (190, 113), (191, 112), (189, 113), (126, 80), (124, 79)], every=300.0)
    events = run([*log], runs)
    marked, opened = of_pressure(runs.withdraw(withdrawal(log, (0, 4, 5), events)))
    assert marked.withdrawn == "wrong_patient"
    assert (opened.phase, opened.priority, seconds(opened.onset)) == ("opened", "high", 300.0)
    assert opened.ended_at is None


def test_an_open_alarm_that_ended_before_the_withdrawn_readings_closes_with_its_own_figures() -> (
    None
):
    runs = engine()
    log = cuff([(164, 96), (165, 97), (124, 79), (214, 131), (212, 128), (125, 80)], every=300.0)
    events = run([*log], runs)
    (closed,) = of_pressure(runs.withdraw(withdrawal(log, (3, 4), events)))
    assert (closed.phase, closed.priority) == ("closed", "medium")
    assert closed.evidence["extreme"] == 165.0
    assert closed.corrected == "wrong_patient"
    assert seconds(closed.ended_at) == 600.0


def test_a_reading_that_kept_a_severe_run_apart_raises_and_pages() -> None:
    runs = engine()
    log = cuff([(164, 96), (165, 97), (186, 104), (150, 90), (188, 104)], every=60.0)
    events = run([*log], runs)
    (raised,) = of_pressure(runs.withdraw(withdrawal(log, (3,), events)))
    assert (raised.priority, raised.change) == ("high", "raised")


def test_a_score_of_many_signals_is_judged_again_without_one_reading() -> None:
    values = {"heart_rate": 113.0, "systolic": 98.0, "diastolic": 60.0, "spo2": 93.0,
              "respiratory_rate": 22.0, "temperature": 38.6}  # fmt: skip
    log = [
        upload(measured(i * 1800.0, {**values, "heart_rate": 112.0 + i % 3}, "rest"))
        for i in range(6)
    ]
    runs = engine()
    events = run([*log], runs)
    assert ("early_warning_score", "opened", "high") in announced(events)
    after = runs.withdraw(withdrawal(log, (3,), events))
    assert {(e.phase, e.withdrawn) for e in after if e.kind == "early_warning_score"} <= {
        ("updated", "")
    }
    memory = runs._monitors["p1"].state.episodes.by_kind["early_warning_score"]
    assert memory.open
    opened = next(e for e in events if e.kind == "early_warning_score")
    (ended,) = [
        e
        for e in runs.withdraw(withdrawal(log, range(6), [opened], withdrawal_id="w-all"))
        if e.kind == "early_warning_score"
    ]
    assert ended.evidence["reason"] == "reading_withdrawn"


def test_an_average_over_days_stands_without_one_of_its_readings() -> None:
    runs = engine(profile="home_cuff")
    log = cuff([(150 + i % 3, 92) for i in range(24)], every=12 * HOUR)
    events = run([*log], runs)
    kind = "blood_pressure_raised_over_days"
    assert kind in {e.kind for e in events}
    after = [e for e in runs.withdraw(withdrawal(log, (12,), events)) if e.kind == kind]
    assert [e for e in after if e.phase == "closed"] == []
    assert runs._monitors["p1"].state.episodes.by_kind[kind].open


def usual_then_raised() -> tuple[list[Upload], int]:
    """Four days of a usual heart rate, and ninety minutes that are unusual; where those begin."""
    days = [one for day in range(4) for one in heart(
        [70.0 + i % 4 for i in range(96)], start=day * 24 * HOUR, every=300.0)]  # fmt: skip
    return [*days, *heart([106.0 + i % 3 for i in range(90)], start=96 * HOUR)], len(days)


@pytest.mark.parametrize(("gone", "stands"), [(range(40, 43), True), (range(5, 80), False)])
def test_what_rests_on_a_memory_stands_where_most_of_its_readings_count(
    gone: range, stands: bool
) -> None:
    runs = engine()
    log, first = usual_then_raised()
    events = run([*log], runs)
    kind = "heart_rate_unusual"
    assert (kind, "opened", "low") in announced(events)
    message = withdrawal(log, [first + i for i in gone], events)
    after = [e for e in runs.withdraw(message) if e.kind == kind]
    assert (
        [e.withdrawn for e in after if e.phase == "closed"] == [] if stands else ["wrong_patient"]
    )
    assert (kind in runs._monitors["p1"].state.episodes.by_kind) == stands


@pytest.mark.parametrize(
    ("signal", "direction", "announced_value", "furthest", "stated"),
    [
        ("heart_rate", "above", 117.0, 108.0, 108.0),  # it was withdrawn
        ("heart_rate", "above", 107.0, 110.0, 107.0),  # a mean of several
        ("heart_rate", "below", 41.0, 46.0, 46.0),
        ("heart_rate", "below", 45.0, 44.0, 45.0),
        ("heart_rate", "above", 117.0, None, None),
        ("resting_heart_rate", "above", 71.0, None, 71.0),  # of a night of minutes
        ("pattern", "above", 6.1, None, None),  # of one reading: nobody knows which
    ],
)
def test_a_furthest_value_that_may_be_of_a_withdrawn_reading_is_stated_no_more(
    signal: str, direction: str, announced_value: float, furthest: float, stated: float | None
) -> None:
    assert Left(furthest).extreme(signal, direction, announced_value) == stated
    memory = EpisodeMemory(signal=signal, direction=direction, extreme=announced_value)
    corrected = corrected_memory(memory, Left(furthest))
    assert corrected.extreme == stated
    evidence = {"signal": signal, "direction": direction, "extreme": announced_value}
    assert corrected_evidence(evidence, Left(furthest)).get("extreme") == stated


def test_a_part_of_another_alarm_is_not_announced_by_itself() -> None:
    """A kind that was judged within another one was no hidden finding."""
    values = {"heart_rate": 113.0, "systolic": 98.0, "diastolic": 60.0, "spo2": 93.0,
              "respiratory_rate": 22.0, "temperature": 38.6}  # fmt: skip
    calm = {"heart_rate": 70.0, "systolic": 124.0, "diastolic": 80.0, "spo2": 98.0,
            "respiratory_rate": 14.0, "temperature": 36.8}  # fmt: skip
    log = [
        upload(measured(i * 1800.0, {**values, "heart_rate": 112.0 + i}, "rest")) for i in range(6)
    ]
    log += [
        upload(measured((6 + i) * 1800.0, {**calm, "heart_rate": 70.0 + i}, "rest"))
        for i in range(4)
    ]
    runs = engine()
    events = run([*log], runs)
    assert "shock_index_high" not in {e.kind for e in events}
    after = runs.withdraw(withdrawal(log, (3,), events))
    assert "shock_index_high" not in {e.kind for e in after}


@pytest.mark.parametrize(("calm", "when"), [((40.0, 50.0), 51.0), ((14.0, 22.0), 23.0)])
def test_what_goes_on_without_the_readings_of_its_end_is_not_so_now(
    calm: tuple[float, float], when: float
) -> None:
    """The latest pressure that counts was measured before them: it is of the past."""
    rows = [(0.0, 86, 52), (5.0, 84, 52), (10.0, 83, 51), (calm[0], 118, 75), (calm[1], 119, 76)]
    log = [
        upload(measured(minute * 60, {"systolic": float(s), "diastolic": float(d)}, "rest"))
        for minute, s, d in rows
    ]
    runs = engine()
    events = [event for one in log for event in runs.process(one)]
    (goes_on,) = runs.withdraw(withdrawal(log, [3, 4], events, when=when * 60))
    assert (goes_on.phase, goes_on.evidence["change"]) == ("updated", "continues")
    assert goes_on.evidence["values"] == {}
    assert goes_on.evidence["last_reading"] == "2026-03-02T00:10:00Z"
    assert goes_on.evidence["duration_seconds"] == 600, "and it lasted no longer than that"
    assert goes_on.evidence["withdrawal"]["readings"] == 2
    texts = compose(goes_on).texts
    assert "Readings that it rested on were withdrawn." in texts["care_team"]["en"].body
    assert "Some readings that it came from do not count any more." in texts["patient"]["en"].body
    assert all("now" not in each["en"].body for each in texts.values())
