"""No data: by the clock in the log, by the patient's own rhythm, and not for our own absence."""

from __future__ import annotations

from detectors.engine.engine import Engine
from tests.support.vitals import (
    DAY,
    HOUR,
    announced,
    at,
    cuff,
    engine,
    heart,
    measured,
    seconds,
    upload,
)
from vigil.domain.episode import Event


def ticked(runs: Engine, start: float, end: float, every: float = 60.0) -> list[Event]:
    events, now = [], start
    while now <= end:
        events += runs.tick(at(now))
        now += every
    return events


def worn(runs: Engine, minutes: int = 60) -> None:
    for i, item in enumerate(heart([70.0 + i % 3 for i in range(minutes)])):
        runs.process(item)
        runs.tick(at(i * 60 + 2))


def test_a_band_that_reports_each_minute_is_missed_after_half_an_hour() -> None:
    runs = engine()
    worn(runs)
    events = ticked(runs, HOUR, 3 * HOUR)
    assert announced(events) == [("no_data", "opened", "low")]
    silent = events[0]
    assert seconds(silent.onset) == 59 * 60 + 1
    assert seconds(silent.detected_at) == HOUR + 30 * 60
    assert (silent.category, silent.retrospective, silent.signals) == ("technical", False, ())


def test_it_ends_with_the_next_reading_and_can_come_again_under_another_id() -> None:
    runs = engine()
    worn(runs)
    first = ticked(runs, HOUR, 3 * HOUR)
    again = heart([70.0], start=3 * HOUR)
    ended = runs.process(again[0])
    assert announced(ended) == [("no_data", "closed", "low")]
    assert ended[0].episode_id == first[0].episode_id
    second = ticked(runs, 3 * HOUR + 60, 9 * HOUR)
    assert announced(second) == [("no_data", "opened", "low")]
    assert second[0].episode_id != first[0].episode_id


def test_a_cuff_used_twice_a_day_is_not_missed_at_lunch() -> None:
    runs = engine()
    now = 0.0
    for item in cuff([(120 + i, 80) for i in range(10)], every=DAY / 2):
        runs.process(item)
        assert ticked(runs, now + 60, now + DAY / 2 - 60) == []
        now += DAY / 2
    events = ticked(runs, now, now + 4 * DAY)
    assert announced(events) == [("no_data", "opened", "low")]
    assert seconds(events[0].detected_at) == 4.5 * DAY + 4 * DAY / 2 + 60


def test_a_new_patient_is_given_a_day() -> None:
    runs = engine()
    runs.process(upload(measured(0.0, {"heart_rate": 70.0})))
    events = ticked(runs, 60, 2 * DAY)
    assert seconds(events[0].detected_at) == DAY + 60


def test_whoever_was_never_heard_is_not_missed() -> None:
    assert ticked(engine(), 0, DAY) == []


def test_readings_that_bring_nothing_new_do_not_count_as_heard() -> None:
    runs = engine()
    worn(runs)
    old = upload(measured(0.0, {"heart_rate": 99.0}), received=HOUR + 60)
    assert runs.process(old) == []
    assert seconds(ticked(runs, HOUR + 60, 2 * HOUR)[0].onset) == 59 * 60 + 1


def test_after_our_own_absence_everyone_is_given_time_again() -> None:
    runs = engine()
    worn(runs)
    back = 12 * HOUR
    assert runs.tick(at(back)) == []
    events = ticked(runs, back + 60, back + HOUR)
    assert seconds(events[0].detected_at) == back + 1800
    assert seconds(events[0].onset) == 59 * 60 + 1  # since when, truly


def test_a_tick_that_comes_again_changes_nothing() -> None:
    runs = engine()
    worn(runs)
    ticked(runs, HOUR, 3 * HOUR)
    state = runs.state_of("p1")
    assert runs.tick(at(2 * HOUR)) == []
    assert runs.state_of("p1") == state


def test_it_can_be_switched_off() -> None:
    runs = engine(silence={"enabled": False})
    worn(runs)
    assert ticked(runs, HOUR, DAY) == []


def test_silence_never_repeats_an_id_even_when_receive_times_run_backwards() -> None:
    runs = engine()
    worn(runs)
    ids = [e.episode_id for e in ticked(runs, HOUR, 2 * HOUR)]
    runs.process(upload(measured(HOUR + 1, {"heart_rate": 70.0}), received=HOUR))
    ids += [e.episode_id for e in ticked(runs, 2 * HOUR + 60, 9 * HOUR)]
    assert len(ids) == len(set(ids)) == 2


def test_one_who_is_silent_for_a_week_is_gone_and_comes_back_as_new() -> None:
    runs = engine()
    worn(runs)
    last = 59 * 60 + 1
    events = ticked(runs, HOUR, last + 7 * DAY + 120)
    assert announced(events) == [("no_data", "opened", "low"), ("no_data", "closed", "low")]
    gone = events[1]
    assert gone.evidence["reason"] == "gone"
    assert 0 <= (seconds(gone.ended_at) or 0) - last - 7 * DAY < 60
    assert ticked(runs, last + 7 * DAY + 180, last + 9 * DAY) == []
    back = last + 10 * DAY
    assert runs.process(heart([70.0], start=back)[0]) == []
    missed = ticked(runs, back + 60, back + 2 * DAY)
    assert announced(missed) == [("no_data", "opened", "low")]
    assert (seconds(missed[0].detected_at) or 0) - back > DAY - 120  # as for a new patient


def test_that_one_is_gone_survives_a_save() -> None:
    runs = engine()
    worn(runs)
    ticked(runs, HOUR, 3 * HOUR)
    heir = engine()
    heir.load_state("p1", runs.state_of("p1"))
    heir.tick(at(7 * DAY))
    events = ticked(heir, 7 * DAY + 60, 7 * DAY + 2 * HOUR)
    assert [event.evidence.get("reason") for event in events] == ["gone"]
