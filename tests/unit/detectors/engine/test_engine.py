"""Readings in, events out: what a clinician would expect of whole stories."""

from __future__ import annotations

import random
from datetime import timedelta

from msgspec.structs import replace

from tests.support.vitals import (
    DAY,
    RESTING,
    announced,
    at,
    config,
    cuff,
    detect,
    engine,
    heart,
    measured,
    seconds,
    upload,
)
from vigil.domain import ids
from vigil.domain.encoding import encode
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Upload

SOURCE = random.Random(7)  # noqa: S311
CALM = [68 + SOURCE.randint(-3, 3) for _ in range(60)]
FAST = [131 + SOURCE.randint(-3, 3) for _ in range(40)]


def test_a_resting_tachycardia_opens_after_ten_minutes_and_closes_when_it_is_over() -> None:
    events = detect(heart([*CALM, *FAST, *CALM]))
    assert announced(events) == [
        ("heart_rate_high", "opened", "medium"),
        ("heart_rate_high", "closed", "medium"),
    ]
    opened, closed = events
    assert seconds(opened.onset) == 60 * 60
    assert seconds(opened.detected_at) == 70 * 60
    assert seconds(closed.ended_at) == 100 * 60
    assert opened.episode_id == closed.episode_id
    assert opened.episode_id == ids.episode_id("p1", "heart_rate_high", opened.onset)
    assert (opened.sequence, closed.sequence) == (0, 1)
    assert opened.context.activity == "rest"


def test_the_evidence_of_an_opened_event() -> None:
    opened = detect(heart([*CALM, *FAST]))[0]
    evidence = opened.evidence
    assert evidence["rule"] == "heart_rate_high"
    assert (evidence["signal"], evidence["direction"]) == ("heart_rate", "above")
    assert evidence["values"] == {"heart_rate": float(FAST[10])}
    assert evidence["value"] == FAST[10]
    assert evidence["extreme"] == max(FAST[:11])
    assert (evidence["limit"], evidence["limit_clear"]) == (120, 110)
    assert (evidence["persistence_seconds"], evidence["persistence_readings"]) == (600, 2)
    assert evidence["samples"] == 11
    assert evidence["window_seconds"] == evidence["condition_delay_seconds"] == 600
    assert evidence["duration_seconds"] == 600
    assert evidence["signal_delay_seconds"] == 1
    assert evidence["quality"] == 1
    assert evidence["baseline"]["bin"] == "rest:night"
    assert evidence["baseline"]["n"] == 71 - 1
    assert evidence["scores"]["baseline"] > 2


def test_the_scores_are_of_the_signals_that_the_event_is_about() -> None:
    values = {"heart_rate": 118.0, "systolic": 100.0}
    (opened,) = detect(
        [upload(measured(i * 300.0, {**values, "diastolic": 70.0 + i}, "rest")) for i in range(2)]
    )
    assert opened.kind == "shock_index_high"
    assert set(opened.evidence["scores"]) >= {"baseline.heart_rate", "baseline.systolic"}
    assert "baseline.diastolic" not in opened.evidence["scores"]


def test_exercise_is_not_tachycardia_but_what_stays_after_it_is() -> None:
    run = heart(FAST, activity="active")
    assert detect([*run, *heart(CALM, start=2400)]) == []
    events = detect([*run, *heart(FAST, start=2400)])
    assert announced(events) == [("heart_rate_high", "opened", "medium")]
    assert seconds(events[0].onset) == 2400


def test_steps_tell_rest_from_activity() -> None:
    walking = [upload(measured(i * 60.0, {"heart_rate": float(v)}, steps=90))
               for i, v in enumerate(FAST)]  # fmt: skip
    still = [upload(measured(i * 60.0, {"heart_rate": float(v)}, steps=0))
             for i, v in enumerate(FAST)]  # fmt: skip
    assert detect(walking) == []
    assert announced(detect(still)) == [("heart_rate_high", "opened", "medium")]


def test_unknown_activity_waits_an_hour_unless_the_ward_is_in_bed() -> None:
    unknown = heart(FAST * 2, activity="unknown")
    (opened,) = detect(unknown)
    assert seconds(opened.detected_at) == 3600
    (opened,) = detect(unknown, **RESTING)
    assert seconds(opened.detected_at) == 600


def test_steps_from_another_device_count() -> None:
    items = []
    for i, rate in enumerate(FAST):
        items.append(upload(measured(i * 60.0, {}, steps=80)))
        items.append(upload(measured(i * 60.0 + 10, {"heart_rate": float(rate)})))
    assert detect(items) == []


def test_severe_tachycardia_is_high_priority_sooner() -> None:
    events = detect(heart([*CALM, *[158 + i % 3 for i in range(10)]]))
    assert announced(events)[0] == ("heart_rate_high", "opened", "high")
    assert seconds(events[0].detected_at) == 63 * 60


def test_bradycardia() -> None:
    events = detect(heart([*CALM, *[38 + i % 2 for i in range(20)]], activity="asleep"))
    assert announced(events) == [("heart_rate_low", "opened", "medium")]
    assert events[0].evidence["direction"] == "below"


def test_a_value_that_dances_on_its_limit_is_one_episode() -> None:
    dance = [119 + 4 * (i % 2) for i in range(120)]
    events = detect(heart([*CALM, *dance, *CALM]))
    assert [event.phase for event in events] == ["opened", "closed"]


def test_a_single_severe_pressure_asks_for_another_which_confirms_it() -> None:
    first = detect(cuff([(150, 80), (186, 95)]))
    assert announced(first) == [("blood_pressure_high", "opened", "medium")]
    again = detect(cuff([(150, 80), (186, 95), (190, 96)]))
    assert announced(again) == [
        ("blood_pressure_high", "opened", "medium"),
        ("blood_pressure_high", "updated", "high"),
    ]
    assert again[1].evidence["extreme"] == 190


def test_grade_two_pressure_needs_two_readings_also_a_day_apart() -> None:
    assert detect(cuff([(165, 90), (130, 80), (165, 90)])) == []
    events = detect(cuff([(165, 90), (166, 91)], every=DAY))
    assert announced(events) == [("blood_pressure_high", "opened", "medium")]
    assert detect(cuff([(165, 90), (166, 91)], every=3 * DAY)) == []


def test_a_pressure_that_is_low_in_every_way_is_one_alarm() -> None:
    low = cuff([(84, 50), (82, 48), (81, 47)], heart_rate=118.0)
    events = detect([*cuff([(110, 70)]), *[_later(item, DAY) for item in low]])
    assert announced(events) == [("blood_pressure_low", "opened", "high")]


def _later(item: Upload, by: float) -> Upload:
    moved = tuple(replace(m, time=m.time + timedelta(seconds=by)) for m in item.measurements)
    return replace(item, measurements=moved, received_at=item.received_at + timedelta(seconds=by))


def test_shock_index_from_one_reading_of_both() -> None:
    events = detect(cuff([(102, 70), (101, 70)], every=300, heart_rate=112.0))
    assert announced(events) == [("shock_index_high", "opened", "high")]
    assert events[0].signals == ("heart_rate", "systolic")
    assert events[0].evidence["value"] == 1.11
    apart = [*heart([112.0] * 2, every=300), *cuff([(102, 70), (101, 70)], start=10, every=300)]
    assert detect(apart) == []


def test_late_readings_make_history() -> None:
    items = [measured(i * 60.0, {"heart_rate": float(v)}, "rest") for i, v in enumerate(FAST)]
    (late,) = detect([upload(*items, received=DAY)])
    assert late.retrospective
    assert seconds(late.detected_at) == 600
    assert late.evidence["signal_delay_seconds"] == DAY - 600
    (fresh,) = detect([upload(*items[:11], received=600 + 900)])
    assert not fresh.retrospective


def test_what_is_not_newer_is_not_judged_again() -> None:
    runs = engine()
    items = heart([*CALM, *FAST, *CALM])
    first = [event for item in items for event in runs.process(item)]
    assert first
    state = runs.state_of("p1")
    runs.take_changed()
    assert [event for item in items for event in runs.process(item)] == []
    assert runs.state_of("p1") == state
    assert runs.take_changed() == set()


def test_newer_is_judged_signal_by_signal() -> None:
    """A slow cuff's reading arrives after a newer heart rate: it is judged, the rate is not."""
    runs = engine()
    runs.process(upload(measured(600.0, {"heart_rate": 70.0})))
    both = upload(measured(300.0, {"heart_rate": 250.0, "systolic": 190.0, "diastolic": 99.0}))
    assert announced(runs.process(both)) == [("blood_pressure_high", "opened", "medium")]


def test_a_clock_that_goes_back_a_year_is_not_judged_and_is_missed() -> None:
    runs = engine()
    for item in heart(CALM):
        runs.process(item)
    back = [_later(item, -365 * DAY) for item in heart(FAST)]
    assert [event for item in back for event in runs.process(item)] == []


def test_the_report_of_an_impossible_time_ends_although_nothing_was_judged() -> None:
    judge = engine()
    events = judge.process(upload(measured(3600.0, {"heart_rate": 75.0}), received=0.0))
    for minute in range(1, 7 * 24 * 60 + 120):
        events += judge.tick(at(minute * 60.0))
    reports = [event for event in events if event.kind == "device_clock"]
    assert [event.phase for event in reports] == ["opened", "closed"]
    assert seconds(reports[1].detected_at) == 7 * DAY + 60.0


def test_patients_do_not_touch_each_other() -> None:
    alone = detect(heart([*CALM, *FAST]))
    other = heart([*FAST, *CALM], patient="p2")
    mixed = detect([x for pair in zip(heart([*CALM, *FAST]), other, strict=True) for x in pair])
    assert [event for event in mixed if event.patient_id == "p1"] == alone


def test_synthetic_readings_make_synthetic_events() -> None:
    items = [measured(i * 60.0, {"heart_rate": float(v)}, "rest") for i, v in enumerate(FAST)]
    assert detect([upload(*items, synthetic=True)])[0].synthetic
    assert not detect([upload(*items)])[0].synthetic


def test_a_change_of_configuration_lets_go_of_what_it_no_longer_judges() -> None:
    runs = engine()
    for item in heart([*CALM, *FAST]):
        runs.process(item)
    off = engine(limits={"heart_rate_high": {"enabled": False}})
    off.load_state("p1", runs.state_of("p1"))
    (closed,) = off.process(heart([131.0], start=100 * 60.0)[0])
    assert (closed.phase, closed.evidence["reason"]) == ("closed", "rule_withdrawn")


def test_forgotten_patients_begin_afresh() -> None:
    runs = engine()
    for item in heart(CALM):
        runs.process(item)
    runs.forget(["p1", "p2"])
    assert runs.patients() == []
    assert runs.take_changed() == set()
    runs.process(heart([70.0])[0])
    assert runs.take_changed() == {"p1"}
    assert runs.take_changed() == set()


def test_an_event_carries_the_configuration_and_is_a_known_kind() -> None:
    events = detect(heart([*CALM, *FAST]), late_after_seconds=800)
    assert {e.config_hash for e in events} == {config(late_after_seconds=800).config_hash}
    assert all(event.kind in KINDS for event in events)
    assert all(encode(event) for event in events)


def test_context_alone_is_taken_once_and_opens_nothing() -> None:
    runs = engine()
    steps = upload(measured(0.0, {}, steps=0))
    assert runs.process(steps) == []
    assert runs.take_changed() == {"p1"}
    runs.process(steps)
    assert runs.take_changed() == set()


def test_the_end_of_a_recording_closes_nothing() -> None:
    runs = engine()
    events = [event for item in heart([*CALM, *FAST]) for event in runs.process(item)]
    assert [event.phase for event in events] == ["opened"]
    assert runs.finish() == []


def test_all_readings_of_a_month_in_one_upload() -> None:
    items = [measured(i * 60.0, {"heart_rate": 60.0 + i % 11}, "rest") for i in range(20_000)]
    assert detect([upload(*items)]) == []
