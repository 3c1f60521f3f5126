"""Late readings: judged apart, once, and without touching what goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.engine.engine import Engine
from detectors.engine.late_readings import ENDED
from detectors.engine.state import FORMS
from tests.support.patient_logs import Log, logs, pressures, rates, run, written
from tests.support.vitals import (
    DAY,
    HOUR,
    announced,
    at,
    config,
    cuff,
    engine,
    heart,
    measured,
    seconds,
    upload,
)  # fmt: skip
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Upload

pytestmark = pytest.mark.slow  # laws on hundreds of invented logs

CONFIG = config(
    baseline={"ready_readings": 4, "ready_minutes": 4, "adopt_after_seconds": 7200},
    late={"idle_seconds": 600},
)


def received(items: Iterable[Upload], when: float) -> list[Upload]:
    """The same, received together at ``when``."""
    return [replace(item, received_at=at(when)) for item in items]


def settled(items: Iterable[Upload], runs: Engine) -> list[Event]:
    """What late readings show once no more of them are expected."""
    return run([*items], runs) + runs.finish()


def calm(start: float, minutes: int) -> list[Upload]:
    return heart([70.0 + i % 4 for i in range(minutes)], start=start)


def fast(start: float, minutes: int) -> list[Upload]:
    return heart([131.0 + i % 4 for i in range(minutes)], start=start)


def worn(runs: Engine, back: float = 3 * HOUR) -> list[Event]:
    """An hour of minutes, nothing until ``back``, then ten minutes."""
    return run([*calm(0.0, 60), *calm(back, 10)], runs)


def test_a_buffer_that_comes_after_live_readings_is_judged_in_the_past() -> None:
    runs = engine()
    assert worn(runs) == []
    buffer = received([*fast(HOUR + 600, 20), *calm(HOUR + 1800, 20)], 3 * HOUR + 600)
    events = settled(buffer, runs)
    assert announced(events) == [
        ("heart_rate_high", "opened", "medium"), ("heart_rate_high", "closed", "medium"),
    ]  # fmt: skip
    opened, closed = events
    assert all(event.retrospective for event in events)
    assert opened.episode_id == closed.episode_id
    assert seconds(opened.onset) == HOUR + 600
    assert seconds(opened.detected_at) == HOUR + 1200
    assert seconds(closed.ended_at) == HOUR + 1800
    assert "baseline" not in opened.evidence
    assert opened.evidence["signal_delay_seconds"] == 3 * HOUR + 600 - (HOUR + 1200)
    assert opened.evidence["persistence_seconds"] == 600


def fields(memory: object) -> tuple[object, ...]:
    return FORMS[type(memory)].read(memory)


def test_nothing_that_goes_on_is_touched() -> None:
    with_late, without = engine(), engine()
    worn(with_late)
    worn(without)
    run(received(fast(HOUR + 600, 20), 3 * HOUR + 600), with_late)
    ticks = [at(3 * HOUR + 600 + i * 60) for i in range(30)]
    run([*ticks], with_late)
    run([*ticks], without)
    later = [*fast(3 * HOUR + 2400, 15), *calm(4 * HOUR, 15)]
    assert written(run(later, with_late)) == written(run(later, without))
    one, two = with_late._monitors["p1"].state, without._monitors["p1"].state
    for each in (one, two):  # how near readings usually are is known of late ones too
        each.last_seen.reading_seconds = 0.0
    for part in ("newest", "episodes", "quality", "devices", "held"):
        assert getattr(one, part) == getattr(two, part)
    for part in ("context", "last_seen"):
        assert fields(getattr(one, part)) == fields(getattr(two, part))
    assert {name: fields(row) for name, row in one.tracks.items()} == {
        name: fields(row) for name, row in two.tracks.items()
    }
    for name, row in with_late._pipeline_of["p1"].detectors.items():
        assert row.dump(one.memories[name]) == row.dump(two.memories[name])


def test_it_is_judged_when_no_more_came_for_the_stated_time() -> None:
    runs = engine()
    worn(runs)
    now = 3 * HOUR + 600
    assert run(received(fast(HOUR + 600, 20), now), runs) == []
    assert run([at(now + 60 * i) for i in range(5)], runs) == []
    opened, ended = run([at(now + 300)], runs)
    assert announced([opened, ended]) == [
        ("heart_rate_high", "opened", "medium"), ("heart_rate_high", "closed", "medium"),
    ]  # fmt: skip
    assert ended.evidence["reason"] == ENDED
    assert seconds(ended.ended_at) == HOUR + 600 + 19 * 60
    assert opened.retrospective
    assert ended.retrospective
    assert runs._monitors["p1"].state.late is None
    assert run([at(now + 960 + 60 * i) for i in range(10)], runs) == []


def test_a_late_reading_twice_is_one() -> None:
    runs = engine()
    worn(runs)
    buffer = received(fast(HOUR + 600, 20), 3 * HOUR + 600)
    run(buffer, runs)
    state = runs.state_of("p1")
    runs.take_changed()
    assert run([*buffer, *buffer], runs) == []
    assert runs.state_of("p1") == state
    assert runs.take_changed() == set()


def test_between_readings_as_near_as_usual_nothing_is_judged_again() -> None:
    runs = engine(clock_offset={"enabled": False})  # which remembers how late they were
    run([*calm(0.0, 120)], runs)
    state = runs.state_of("p1")
    assert settled(received(fast(1830.0, 30), 2 * HOUR), runs) == []
    assert runs.state_of("p1") == state


def test_what_an_episode_of_its_time_told_is_not_told_again() -> None:
    runs = engine()
    events = run([*fast(0.0, 20), *fast(2400.0, 10), *calm(3000.0, 20)], runs)
    assert announced(events)[-1] == ("heart_rate_high", "closed", "medium")
    assert settled(received(fast(1260.0, 18), 4200.0), runs) == []
    still = engine()
    run([*fast(0.0, 20), *fast(2400.0, 10)], still)
    assert settled(received(fast(1260.0, 18), 3000.0), still) == []


def test_a_first_upload_does_not_hide_the_buffer_of_the_hours_before() -> None:
    runs = engine()
    run(calm(5 * HOUR, 3), runs)
    buffer = received([*fast(4 * HOUR, 20), *calm(4 * HOUR + 1200, 15)], 5 * HOUR + 200)
    events = settled(buffer, runs)
    assert announced(events) == [
        ("heart_rate_high", "opened", "medium"), ("heart_rate_high", "closed", "medium"),
    ]  # fmt: skip


def test_a_pause_after_the_first_upload_does_not_hide_the_hours_before_it() -> None:
    runs = engine()
    run([*calm(10 * HOUR, 10), *calm(11 * HOUR, 3)], runs)
    buffer = received([*fast(8 * HOUR, 60), *calm(9 * HOUR, 30)], 11 * HOUR + 240)
    events = settled(buffer, runs)
    assert announced(events) == [
        ("heart_rate_high", "opened", "medium"), ("heart_rate_high", "closed", "medium"),
    ]  # fmt: skip
    assert seconds(events[0].onset) == 8 * HOUR


@pytest.mark.parametrize("every", [1, 7, 30, 60])
def test_chunks_that_come_the_newest_first_are_one_run(every: int) -> None:
    def found(size: int, newest_first: bool) -> list[tuple[object, ...]]:
        runs = engine()
        worn(runs, 6 * HOUR)
        items = fast(2 * HOUR, 60)
        chunks = [items[i : i + size] for i in range(0, 60, size)]
        if newest_first:
            chunks.reverse()
        events = settled([x for c in chunks for x in received(c, 6 * HOUR + 600)], runs)
        return [(e.episode_id, e.phase, e.priority, e.detected_at, e.ended_at) for e in events]

    assert found(every, newest_first=True) == found(60, newest_first=False) != []


def test_a_reading_of_its_time_in_between_ends_what_late_ones_show() -> None:
    runs = engine()
    run([*calm(0.0, 60), *calm(3 * HOUR, 10), *calm(6 * HOUR, 10)], runs)
    late = [*fast(2 * HOUR, 50), *fast(4 * HOUR, 50)]
    events = settled(received(late, 6 * HOUR + 600), runs)
    assert [seconds(e.onset) for e in events if e.phase == "opened"] == [2 * HOUR, 4 * HOUR]
    assert [e.evidence["reason"] for e in events if e.phase == "closed"] == [ENDED, ENDED]


@pytest.mark.parametrize("size", [1, 10, 25, 40])
def test_the_end_of_a_fast_hour_before_its_beginning_is_one_episode(size: int) -> None:
    """What goes on is the end of what the late readings begin."""
    items = heart([158.0 + i % 3 for i in range(90)], start=HOUR, activity="unknown")
    chunks = [items[i : i + size] for i in range(0, 90, size)]
    runs = engine()
    events = [
        event
        for n, chunk in enumerate(reversed(chunks))
        for event in run(received(chunk, 2.5 * HOUR + 60 + n), runs)
    ]
    events += run([at(2.5 * HOUR + 600)], runs)
    opened, continues = events
    assert (opened.phase, opened.priority) == ("opened", "high")
    assert seconds(opened.onset) == HOUR
    assert opened.retrospective, "what came late pages nobody"
    assert continues.evidence["change"] == "continues", "but what is so now, as in order"
    assert not continues.retrospective
    assert continues.episode_id == opened.episode_id
    assert run(heart([158.0], start=2.5 * HOUR + 660, activity="unknown"), runs) == []


def test_a_live_episode_that_is_open_is_the_one_that_began_earlier() -> None:
    runs = engine()
    (opened,) = run(fast(3 * HOUR, 20), runs)
    assert announced([opened]) == [("heart_rate_high", "opened", "medium")]
    (earlier,) = settled(received(fast(2 * HOUR, 60), 3 * HOUR + 1300), runs)
    assert (earlier.phase, earlier.evidence["change"]) == ("updated", "earlier")
    assert (earlier.episode_id, earlier.sequence) == (opened.episode_id, 1)
    assert not earlier.retrospective, "it is a live alarm, and stays one"
    assert seconds(earlier.onset) == 2 * HOUR
    assert earlier.evidence["first_onset"] == "2026-03-02T03:00:00Z"
    assert earlier.evidence["samples"] == 80
    assert earlier.evidence["duration_observed"] is True
    closed = run(calm(3 * HOUR + 1800, 15), runs)[-1]
    assert (closed.phase, closed.episode_id) == ("closed", opened.episode_id)
    assert seconds(closed.onset) == 2 * HOUR


def test_different_late_values_at_one_time_are_two_measurements() -> None:
    runs = engine()
    run([*cuff([(120, 80)]), *cuff([(121, 80)], start=5 * HOUR)], runs)
    late = [*cuff([(192, 118)], start=2 * HOUR), *cuff([(196, 121)], start=2 * HOUR)]
    events = settled(received([*late, *late], 5 * HOUR + 60), runs)
    assert announced(events)[:2] == [
        ("blood_pressure_high", "opened", "medium"), ("blood_pressure_high", "updated", "high"),
    ]  # fmt: skip


def test_a_late_pressure_that_was_sent_again_confirms_nothing() -> None:
    def found(*systolic: float) -> list[tuple[str, str, str]]:
        runs = engine()
        run(cuff([(126, 80)], start=6 * HOUR), runs)
        late = cuff([(s, 131) for s in systolic], start=HOUR, every=60.0)
        return announced(settled(received(late, 6 * HOUR + 60), runs))

    kind = "blood_pressure_high"
    once = [(kind, "opened", "medium"), (kind, "closed", "medium")]
    assert found(214) == found(214, 214) == once
    assert (kind, "updated", "high") in found(214, 212)


@pytest.mark.parametrize(("numbers", "confirmed"), [((7, 8), True), ((7, 7), False)])
def test_a_devices_number_tells_whether_an_equal_late_pressure_is_another(
    numbers: tuple[int, int], confirmed: bool
) -> None:
    runs = engine()
    run(cuff([(126, 80)], start=6 * HOUR), runs)
    late = [
        replace(one, measurements=(replace(one.measurements[0], sequence=number),))
        for one, number in zip(
            cuff([(214, 131), (214, 131)], start=HOUR, every=60.0), numbers, strict=True
        )
    ]
    events = settled(received(reversed(late), 6 * HOUR + 60), runs)
    assert ("blood_pressure_high", "updated", "high") in announced(events) or not confirmed
    assert len(events) == (3 if confirmed else 2)


def test_no_more_late_readings_wait_than_stated() -> None:
    runs = engine(late={"most_waiting": 30})
    worn(runs)
    events = run(received(fast(HOUR + 600, 35), 3 * HOUR + 600), runs)
    assert announced(events)[:1] == [("heart_rate_high", "opened", "medium")]
    assert len(runs._monitors["p1"].state.late.waiting) == 5  # type: ignore[union-attr]


def test_those_that_keep_coming_wait_no_longer_than_stated() -> None:
    runs = engine(late={"wait_seconds": 900})
    worn(runs)
    log: Log = []
    for i, item in enumerate(fast(HOUR + 600, 30)):
        now = 3 * HOUR + 600 + 60 * i
        log += [*received([item], now), at(now + 1)]
    events = run(log, runs)
    assert announced(events)[:1] == [("heart_rate_high", "opened", "medium")]


def test_within_one_upload_readings_are_judged_in_order_of_time() -> None:
    items = [item.measurements[0] for item in [*calm(0.0, 30), *fast(1800.0, 20)]]
    forward, backward = engine(), engine()
    whole = upload(*items, received=3000.0)
    turned = replace(whole, measurements=tuple(reversed(items)))
    assert written(forward.process(whole)) == written(backward.process(turned)) != []


def test_a_gap_that_ended_a_month_ago_is_filled_no_more() -> None:
    runs = engine()
    worn(runs)
    month = 3 * HOUR + 29 * DAY
    assert settled(received(fast(HOUR + 600, 20), month), runs) != []
    brief = engine(late={"keep_seconds": DAY})
    worn(brief)
    assert settled(received(fast(HOUR + 600, 20), 3 * HOUR + DAY + 1), brief) == []
    assert settled(received(fast(HOUR + 600, 20), 3 * HOUR + DAY), brief) != []


def test_impossible_late_values_and_poor_contact_show_nothing() -> None:
    runs = engine()
    worn(runs)
    bad = [measured(HOUR + 600 + i * 60, {"heart_rate": 400.0}) for i in range(20)]
    off = [
        measured(HOUR + 2400 + i * 60, {"heart_rate": 140.0}, "rest", None, False)
        for i in range(20)
    ]
    assert settled([upload(*bad, *off, received=3 * HOUR + 600)], runs) == []


def test_a_late_pressure_among_live_heart_rates_is_judged_by_every_limit() -> None:
    runs = engine()
    run([*cuff([(120, 80)]), *calm(60.0, 300), *cuff([(121, 80)], start=301 * 60.0)], runs)
    buffer = received(cuff([(84, 52), (83, 50)], start=2 * HOUR, every=120.0), 302 * 60.0)
    events = settled(buffer, runs)
    assert announced(events) == [
        ("blood_pressure_low", "opened", "high"), ("blood_pressure_low", "closed", "high"),
    ]  # fmt: skip
    (part,) = events[0].evidence["parts"]
    assert part["kind"] == "mean_arterial_pressure_low", "of one cause, as in its time"
    assert all(event.retrospective for event in events)


def test_while_active_a_high_rate_is_muted_there_too() -> None:
    runs = engine()
    worn(runs)
    walk = heart([135.0] * 20, start=HOUR + 600, activity="active")
    assert settled(received(walk, 3 * HOUR + 600), runs) == []


def test_it_can_be_switched_off() -> None:
    runs = engine(late={"enabled": False}, clock_offset={"enabled": False})
    worn(runs)
    state = runs.state_of("p1")
    assert run(received(fast(HOUR + 600, 20), 3 * HOUR + 600), runs) == []
    assert runs.state_of("p1") == state


def test_another_devices_buffer_prefers_nobody() -> None:
    ranked = {"sources": {"priority": {"heart_rate": ["chest", "d1"]}}}
    runs = engine(**ranked)
    worn(runs)
    buffer = [replace(item, device_id="chest") for item in fast(HOUR + 600, 20)]
    assert announced(settled(received(buffer, 3 * HOUR + 600), runs))[:1] == [
        ("heart_rate_high", "opened", "medium")
    ]
    assert runs._monitors["p1"].state.devices.only == "d1"


@st.composite
def with_gap(draw: st.DrawFn) -> tuple[Log, Log, list[Upload]]:
    """What came in time before a gap and after it, and late readings from inside it."""
    live: list[Log] = []
    for start, end in ((0, 14), (300, 312)):
        part: Log = []
        for minute in range(start, end):
            values = {"heart_rate": draw(rates)}
            if minute % 5 == 0:
                values["systolic"], values["diastolic"] = draw(pressures)
            part += [upload(measured(minute * 60.0, values, "rest")), at(minute * 60.0 + 30)]
        live.append(part)
    late = []
    for minute in range(60, 100, draw(st.integers(1, 4))):
        values = {"heart_rate": draw(rates)}
        if draw(st.integers(0, 5)) == 0:
            values["systolic"], values["diastolic"] = draw(pressures)
        late.append(upload(measured(minute * 60.0 + 7, values, "rest"), received=303 * 60.0))
    return live[0], live[1], late


@settings(max_examples=60, deadline=None)
@given(with_gap(), st.randoms(use_true_random=False))
def test_a_late_part_in_any_order_leaves_what_is_told_in_time_as_it_was(parts, random) -> None:  # type: ignore[no-untyped-def]
    before, after, late = parts
    expected = run([*before, *after], Engine(CONFIG))
    mixed: Log = list(after)
    random.shuffle(late)
    for item in late:
        mixed.insert(random.randint(1, len(mixed)), item)
    events = run([*before, *mixed], Engine(CONFIG))
    in_time = [event for event in events if not event.retrospective]
    assert written(in_time) == written([e for e in expected if not e.retrospective])
    of_late = [event for event in events if event.retrospective]
    whole_stories(events)
    assert all(KINDS[event.kind].category == "clinical" for event in of_late)


def whole_stories(events: Sequence[Event]) -> None:
    """Each episode is opened once, and closed once at most, unless it turns out to have begun
    earlier."""
    episodes: dict[str, list[Event]] = {}
    for event in events:
        episodes.setdefault(event.episode_id, []).append(event)
    for steps in episodes.values():
        assert [step.sequence for step in steps] == list(range(len(steps)))
        assert [step.phase for step in steps].count("opened") == 1
        for one, then in pairwise(steps):
            assert one.phase != "closed" or then.evidence.get("change") == "earlier"


@settings(max_examples=40, deadline=None)
@given(with_gap(), st.randoms(use_true_random=False))
def test_duplicates_anywhere_change_nothing(parts, random) -> None:  # type: ignore[no-untyped-def]
    before, after, late = parts
    log: Log = [*before, after[0], *late, *after[1:]]
    expected = run(log, Engine(CONFIG))
    repeated: Log = []
    for i, item in enumerate(log):
        repeated.append(item)
        if random.random() < 0.4:
            again = log[random.randint(0, i)]
            repeated.append(again)
    assert written(run(repeated, Engine(CONFIG))) == written(expected)


@settings(max_examples=40, deadline=None)
@given(with_gap())
def test_batches_do_not_matter(parts) -> None:  # type: ignore[no-untyped-def]
    before, after, late = parts
    apart: Log = [*before, after[0], *late, *after[1:]]
    together = replace(late[0], measurements=tuple(m for u in late for m in u.measurements))
    whole: Log = [*before, after[0], together, *after[1:]]
    assert written(run(whole, Engine(CONFIG))) == written(run(apart, Engine(CONFIG)))


@settings(max_examples=25, deadline=None)
@given(with_gap())
def test_a_save_and_load_between_any_two_messages_changes_nothing(parts) -> None:  # type: ignore[no-untyped-def]
    before, after, late = parts
    ticks = [at(312 * 60.0 + i * 100) for i in range(12)]
    log: Log = [*before, after[0], *late, *after[1:], *ticks]
    expected = run(log, Engine(CONFIG))
    events: list[Event] = []
    runs = Engine(CONFIG)
    for item in log:
        events += run([item], runs)
        heir = Engine(CONFIG)
        heir.watermark = runs.watermark
        for patient in runs.patients():
            assert heir.load_state(patient, runs.state_of(patient)) == ()
        runs = heir
    assert written(events) == written(expected)


@settings(max_examples=60, deadline=None)
@given(logs(), st.integers(0, 25))
def test_the_clock_of_silence_survives_a_restart_at_any_moment(log: Log, cut: int) -> None:
    """Receive time goes on by ticks; whoever takes over goes on from the saved watermark."""
    dense: Log = []
    last = 0.0
    for item in log:
        now = (item if isinstance(item, datetime) else item.received_at).timestamp()
        while last and last + 900 < now:
            last += 900
            dense.append(at(0) + timedelta(seconds=last - at(0).timestamp()))
        dense.append(item)
        last = max(last, now)
    brief = config(silence={"after_seconds": 300, "unknown_seconds": 600, "gone_seconds": 4000,
                            "clock_gap_seconds": 1000})  # fmt: skip
    expected = run(dense, Engine(brief))
    first, second = Engine(brief), Engine(brief)
    events = run(dense[:cut], first)
    second.watermark = first.watermark
    for patient in first.patients():
        second.load_state(patient, first.state_of(patient))
    assert written(events + run(dense[cut:], second)) == written(expected)


@pytest.mark.parametrize("when", [3 * HOUR + 600, 3 * HOUR + 2 * 3600])
def test_no_late_reading_hears_a_silent_patient(when: float) -> None:
    runs = engine()
    worn(runs)
    silent = run([at(3 * HOUR + 600 + i * 60) for i in range(60)], runs)
    assert announced(silent) == [("no_data", "opened", "low")]
    events = run(received(fast(HOUR + 600, 5), max(when, 3 * HOUR + 4200)), runs)
    assert announced(events) == []
    assert runs._monitors["p1"].state.episodes.by_kind.keys() >= {"no_data"}


def newest_first(rows: Iterable[tuple[float, dict[str, float]]], minute: float) -> Log:
    """Readings of some minutes, as a sender on time lists them, and two minutes of ticks."""
    begin = minute * 60.0 + 1
    sent: Log = [
        upload(measured(time * 60.0, values, "rest"), received=begin + i)
        for i, (time, values) in enumerate(sorted(rows, key=lambda row: -row[0]))
    ]
    return [*sent, *(at(begin + 60.0 * i) for i in range(1, 4))]


def test_a_pressure_among_them_does_not_part_late_heart_rates() -> None:
    rates = [33.0, 34.0, 35.0, 71.0, 70.0, 72.0, 71.0, 70.0]
    rows = [(9.0 + i, {"heart_rate": rate}) for i, rate in enumerate(rates)]
    pressures = [(9.5, {"systolic": 124.0, "diastolic": 78.0})]
    before: Log = [*calm(0.0, 8), *cuff([(125.0, 79.0)], start=60.0)]
    before.sort(key=lambda one: one.received_at if isinstance(one, Upload) else one)
    for chunk in (rows, [*rows, *pressures]):
        found = run([*before, *newest_first(chunk, 16.0)], engine())
        (opened,) = [event for event in found if event.phase == "opened"]
        assert (opened.kind, opened.priority) == ("heart_rate_low", "high")
        assert seconds(opened.onset) == 9 * 60.0


def test_a_reading_keeps_its_own_context_behind_a_newer_one_of_another_signal() -> None:
    """At rest 156 is fast after three minutes, and after half an hour where nobody knows."""
    fast = [(time, {"heart_rate": 154.0 + time % 2}) for time in (11.0, 12.0, 13.0, 14.0)]
    pressure = (14.5, {"systolic": 124.0, "diastolic": 78.0})
    for chunk in (fast, [*fast, pressure]):
        log: Log = [*calm(0.0, 8), *newest_first(chunk, 14.5)]
        found = run(log, engine())
        (opened,) = [event for event in found if event.phase == "opened"]
        assert (opened.kind, opened.priority) == ("heart_rate_high", "high")
        assert seconds(opened.onset) == 11 * 60.0
