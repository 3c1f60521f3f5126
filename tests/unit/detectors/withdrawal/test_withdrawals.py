"""Readings that are withdrawn: what rested on them is judged again, once, and marked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.engine.engine import Engine
from detectors.episodes.memory import EpisodesByKind
from explain.templates.compose import compose
from notify.planning.policy import decide
from store.notifications.notified_episodes import PagedEpisode
from tests.support.patient_logs import run, written
from tests.support.vitals import (
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
from tests.support.withdrawals import rested_on, withdrawal
from vigil.domain import ids
from vigil.domain.episode import Event
from vigil.domain.reading import Measurement, Upload
from vigil.values import timestamps

CLOSED = ("blood_pressure_high", "closed", "high")


def severe(start: float = 0.0) -> list[Upload]:
    """A usual pressure, and two of somebody else's."""
    return cuff([(126.0, 80.0), (214.0, 131.0), (212.0, 128.0)], start=start, every=300.0)


def test_an_alarm_that_rested_on_withdrawn_readings_is_closed_and_marked() -> None:
    runs, log = engine(), severe()
    events = run([*log], runs)
    assert ("blood_pressure_high", "updated", "high") in announced(events)
    (closed,) = [e for e in runs.withdraw(withdrawal(log, (1, 2), events)) if e.phase == "closed"]
    assert announced([closed]) == [CLOSED]
    assert closed.evidence["reason"] == "reading_withdrawn"
    assert closed.evidence["withdrawal"] == {
        "withdrawal_id": "w-[1, 2]", "reason": "wrong_patient", "readings": 2,
    }  # fmt: skip
    assert closed.episode_id == events[0].episode_id
    assert closed.sequence == events[-1].sequence + 1
    assert seconds(closed.ended_at) == 600.0
    assert seconds(closed.detected_at) == 600.0
    assert not closed.retrospective


def test_it_is_applied_once_however_often_it_is_read() -> None:
    runs, log = engine(), severe()
    events = run([*log], runs)
    message = withdrawal(log, (1, 2), events)
    assert runs.withdraw(message)
    state = runs.state_of("p1")
    assert runs.withdraw(message) == []
    assert runs.state_of("p1") == state


def test_a_crash_between_repeats_the_same_events() -> None:
    runs, log = engine(), severe()
    events = run([*log], runs)
    saved, message = runs.state_of("p1"), withdrawal(log, (1, 2), events)
    other = engine()
    other.load_state("p1", saved)
    first = runs.withdraw(message)
    assert written(first) == written(other.withdraw(message))
    assert runs.state_of("p1") == other.state_of("p1")


def test_an_alarm_that_stands_without_it_goes_on_and_pages_nobody_again() -> None:
    runs = engine()
    log = heart([131.0 + i % 4 for i in range(40)])
    log[20] = upload(measured(20 * 60.0, {"heart_rate": 144.0}, "rest"))
    events = run([*log], runs)
    assert [event.phase for event in events] == ["opened", "updated"]
    (corrected,) = runs.withdraw(withdrawal(log, (20,), events))
    assert (corrected.phase, corrected.priority) == ("updated", "medium")
    assert corrected.evidence["change"] == "corrected"
    assert corrected.evidence["extreme"] == 134.0
    assert corrected.episode_id == events[0].episode_id
    assert corrected.evidence["withdrawal"]["readings"] == 1
    ended = run([*heart([70.0 + i % 3 for i in range(15)], start=40 * 60.0)], runs)
    assert announced(ended) == [("heart_rate_high", "closed", "medium")]
    assert ended[0].sequence == corrected.sequence + 1


def test_where_its_beginning_is_withdrawn_the_rest_is_an_alarm_of_its_own() -> None:
    runs = engine()
    log = heart([131.0 + i % 4 for i in range(40)])
    events = run([*log], runs)
    closed, opened = runs.withdraw(withdrawal(log, range(5), events))
    assert announced([closed, opened]) == [
        ("heart_rate_high", "closed", "medium"), ("heart_rate_high", "opened", "medium"),
    ]  # fmt: skip
    assert closed.evidence["reason"] == "reading_withdrawn"
    assert seconds(opened.onset) == 5 * 60.0
    assert opened.episode_id != closed.episode_id
    assert not opened.retrospective
    assert opened.sequence == 0


def test_a_worsening_that_was_somebody_elses_is_taken_back_with_its_priority() -> None:
    runs = engine()
    log = cuff([(164, 96), (165, 97), (214, 131), (212, 128)], every=300.0)
    events = run([*log], runs)
    assert announced(events)[-1] == ("blood_pressure_high", "updated", "high")
    (corrected,) = [
        e for e in runs.withdraw(withdrawal(log, (2, 3), events))
        if e.kind == "blood_pressure_high"
    ]  # fmt: skip
    assert (corrected.phase, corrected.priority) == ("updated", "medium")
    assert corrected.evidence["extreme"] == 165.0
    assert corrected.evidence["highest_priority"] == "high"


def test_an_alarm_that_was_over_long_ago_is_marked_by_a_last_step() -> None:
    runs = engine()
    log = [*severe(), *cuff([(124, 79), (125, 80), (123, 78)], start=1200.0, every=300.0)]
    events = run([*log], runs)
    assert announced(events)[-1] == CLOSED
    marked = runs.withdraw(withdrawal(log, (1, 2), events, when=6 * HOUR))
    assert [(e.kind, e.phase, e.sequence) for e in marked] == [
        (e.kind, "closed", e.sequence + 1) for e in events if e.phase == "closed"
    ]
    assert {e.evidence["reason"] for e in marked} == {"reading_withdrawn"}
    assert [e.ended_at for e in marked] == [e.ended_at for e in events if e.phase == "closed"]
    assert {seconds(e.detected_at) for e in marked} == {6 * HOUR}
    assert runs.withdraw(withdrawal(log, (1, 2), marked, when=7 * HOUR, withdrawal_id="w2")) == []


def test_an_alarm_that_was_over_and_stands_is_not_marked() -> None:
    runs = engine()
    log = heart([*(131.0 + i % 4 for i in range(40)), *(70.0 + i % 3 for i in range(20))])
    events = run([*log], runs)
    assert announced(events)[-1][1] == "closed"
    assert runs.withdraw(withdrawal(log, (20,), events)) == []


def test_what_was_on_its_way_does_not_open_on_a_withdrawn_reading() -> None:
    log = cuff([(164, 96), (126, 80)], every=300.0)
    kept, without = engine(), engine()
    run(log[:1], kept)
    kept.withdraw(withdrawal(log[:1], (0,)))
    later = cuff([(166, 97)], start=300.0)
    assert run([*later], kept) == run([*later], without) == []


def test_a_withdrawn_step_no_longer_decides_what_is_too_far() -> None:
    """A reading is held back where it lies far from the last one: not from a withdrawn one."""
    runs = engine()
    log = cuff([(126, 80), (125, 79), (214, 131)], every=300.0)
    run([*log], runs)
    assert runs._monitors["p1"].state.held
    runs.withdraw(withdrawal(log, (2,)))
    assert not runs._monitors["p1"].state.held


def test_a_withdrawn_step_confirms_no_other() -> None:
    runs, without = engine(), engine()
    log = cuff([(126, 80), (125, 79), (214, 131)], every=300.0)
    run([*log], runs)
    runs.withdraw(withdrawal(log, (2,)))
    run(log[:2], without)
    later = cuff([(212, 130)], start=1500.0)
    assert run([*later], runs) == run([*later], without) == []


def test_a_pressure_that_was_sent_again_confirms_nothing_when_it_is_judged_again() -> None:
    log = cuff([(190, 122), (214, 131), (214, 131), (192, 123)], every=60.0)
    runs = engine()
    events = run([*log], runs)
    found = runs.withdraw(withdrawal(log, (0, 3), events))
    assert "high" not in {e.priority for e in found if e.phase == "opened"}


@pytest.mark.parametrize("who", ["p1", "never-seen"])
def test_a_withdrawal_of_what_was_never_judged_changes_nothing(who: str) -> None:
    runs = engine()
    log = heart([70.0 + i % 4 for i in range(30)])
    run([*log], runs)
    unknown = Measurement("r-0", at(DAY_BEFORE), {"systolic": 240.0, "diastolic": 140.0})
    message = withdrawal(log, (), readings=(unknown,), patient_id=who)
    assert runs.withdraw(message) == []
    later = heart([72.0] * 5, start=30 * 60.0)
    assert run([*later], runs) == []


DAY_BEFORE = -86_400.0
RATES = st.lists(st.sampled_from([70.0, 105.0, 131.0, 155.0]), min_size=8, max_size=60)


@settings(max_examples=60)
@given(rates=RATES, data=st.data())
def test_what_stands_afterwards_is_what_the_remaining_readings_alone_show(
    rates: list[float], data: st.DataObject
) -> None:
    """The open episode has the figures of a log in which the withdrawn readings never were."""
    log = heart([rate + i % 3 for i, rate in enumerate(rates)])
    places = st.sets(st.integers(0, len(log) - 1), min_size=1, max_size=len(log) // 2)
    gone = data.draw(places)
    runs, without = calm_engine(), calm_engine()
    events = run([*log], runs)
    after = runs.withdraw(withdrawal(log, gone, events))
    run([one for i, one in enumerate(log) if i not in gone], without)
    shown = without._monitors["p1"].state.episodes.by_kind if len(gone) < len(log) else {}
    expected = shown.get("heart_rate_high")
    found = runs._monitors["p1"].state.episodes.by_kind.get("heart_rate_high")
    touched = any(e.kind == "heart_rate_high" for e in after)
    if touched and expected is not None and expected.open:
        assert found is not None
        assert found.open
        assert (found.extreme, found.priority) == (expected.extreme, expected.priority)
    steps = [(e.episode_id, e.sequence) for e in [*events, *after]]
    assert len(steps) == len(set(steps))


def calm_engine() -> Engine:
    """An engine that holds nothing back and judges by limits alone."""
    off = {"enabled": False}
    return engine(
        admission={"jump": {"heart_rate": off}, "stuck": {"heart_rate": off}},
        early_warning=off, irregularity=off, novelty=off, resting=off,
    )  # fmt: skip


def test_the_same_log_gives_the_same_events() -> None:
    log = severe()
    one, two = engine(), engine()
    events = run([*log], one)
    run([*log], two)
    message = replace(withdrawal(log, (1, 2), events), remaining=(log[0].measurements[0],))
    assert written(one.withdraw(message)) == written(two.withdraw(message))


def test_a_device_that_was_not_this_persons_is_preferred_no_more() -> None:
    """The neighbour's watch came first: this person's own is listened to at once afterwards."""
    runs = engine()
    foreign = [replace(one, device_id="d9") for one in heart([150.0 + i % 3 for i in range(30)])]
    run([*foreign], runs)
    runs.withdraw(withdrawal(foreign, range(30), device_id="d9"))
    devices = runs._monitors["p1"].state.devices
    assert "d9" not in {devices.only, *(row.device for row in devices.preferred.values())}
    own = heart([131.0 + i % 4 for i in range(20)], start=30 * 60.0)
    assert announced(run([*own], runs)) == [("heart_rate_high", "opened", "medium")]


@settings(max_examples=40)
@given(rates=RATES, data=st.data())
def test_one_after_the_other_or_all_at_once_is_the_same_in_the_end(
    rates: list[float], data: st.DataObject
) -> None:
    places = st.lists(st.integers(0, len(rates) - 1), min_size=2, max_size=6, unique=True)
    assert_order_changes_nothing(rates, data.draw(places))


@pytest.mark.parametrize(
    ("rates", "gone"),
    [
        ([70, 70, 155, 70, 70, 155, 70, 131], [0, 3, 4, 1, 2]),
        ([70, 70, 70, 70, 70, 131, 70, 70, 131], [0, 1, 6, 8, 7]),
        ([155, 131, 70, 131, 131], [4, 2]),
        ([*[70] * 7, 155, 70, 155, 70, 70, 155], [0, 10, 11, 8]),
        ([*[70] * 7, 155, 70, 155, 155, 70, 70], [11, 9, 0, 12, 8]),
        ([155, 131, 155, 70, 131, 131, 131, 155, 70, 131, 131, 131], [1, 3, 0, 6, 4]),
    ],
)
def test_what_a_withdrawal_ended_or_hid_is_on_its_way_again(
    rates: list[float], gone: list[int]
) -> None:
    assert_order_changes_nothing(rates, gone)


def assert_order_changes_nothing(rates: list[float], gone: list[int]) -> None:
    """One withdrawal of each in turn leaves what one of all of them does."""
    log = heart([rate + i % 3 for i, rate in enumerate(rates)])
    at_once, singly = calm_engine(), calm_engine()
    events = run([*log], at_once)
    run([*log], singly)
    at_once.withdraw(withdrawal(log, gone, events))
    for number, place in enumerate(gone):
        left = [r for i, one in enumerate(log) if i not in gone[: number + 1]
                for r in one.measurements]  # fmt: skip
        message = withdrawal(
            log, (place,), events, withdrawal_id=f"w-{number}", remaining=tuple(left)
        )
        events = [*events, *singly.withdraw(message)]
    one, other = (each._monitors["p1"].state.episodes.by_kind for each in (at_once, singly))
    assert shown(one) == shown(other)
    steps = [(e.episode_id, e.sequence) for e in events]
    assert len(steps) == len(set(steps))


def shown(by_kind: EpisodesByKind) -> dict[str, Any]:
    """What is open, with its figures, and what is on its way."""
    return {
        kind: (one.extreme, one.priority) if one.open else one.runs for kind, one in by_kind.items()
    }


@pytest.mark.parametrize(
    ("rates", "gone"),
    [
        ([131, 155, 105, 155, 131, 155, 155, 70, 131, 131, 155, 131], [9, 8, 4, 10, 3, 2]),
        ([155, 131, 155, 131, 155], [0, 1, 2]),
        ([155, 105, 131, 131], [1, 2, 3]),
    ],
)
def test_what_the_remaining_readings_show_is_open_or_on_its_way(
    rates: list[float], gone: list[int]
) -> None:
    """Also where the alarm's first reading is withdrawn, and others show that it began earlier."""
    log = heart([rate + i % 3 for i, rate in enumerate(rates)])
    runs, without = calm_engine(), calm_engine()
    events = run([*log], runs)
    runs.withdraw(withdrawal(log, gone, events))
    run([one for i, one in enumerate(log) if i not in gone], without)
    found, expected = (each._monitors["p1"].state.episodes.by_kind for each in (runs, without))
    assert shown(found) == shown(expected)


@settings(max_examples=60)
@given(rates=RATES, data=st.data())
@example(rates=[155.0, 105.0, 131.0, *[155.0] * 7], data=None)
def test_no_alarm_that_stands_began_at_a_withdrawn_reading(
    rates: list[float], data: st.DataObject | None
) -> None:
    """Where others show that it began earlier too, and where only its onset differs."""
    places = st.lists(st.integers(0, len(rates) - 1), min_size=1, max_size=6, unique=True)
    gone = [2, 1, 9] if data is None else data.draw(places)
    log = heart([rate + i % 3 for i, rate in enumerate(rates)])
    runs = calm_engine()
    events = run([*log], runs)
    events += runs.withdraw(withdrawal(log, gone, events))
    last = {event.episode_id: event for event in events if event.category == "clinical"}
    standing = [e for e in last.values() if e.evidence.get("reason") != "reading_withdrawn"]
    assert {event.onset for event in standing}.isdisjoint(
        log[place].measurements[0].time for place in gone
    )
    for event in standing:
        named = event.evidence.get("first_onset")
        opened = timestamps.parse(named) if named else event.onset
        assert event.episode_id == ids.episode_id("p1", event.kind, opened)


def test_what_goes_on_after_a_withdrawn_alarm_opens_without_a_new_delay() -> None:
    """The alarm had rested on one reading; the rest lacks one more, and has an id of its own."""
    runs, log = calm_engine(), heart([131.0 + i % 4 for i in range(30)])
    events = list[Event]()
    begun = -1
    while not events:
        begun += 1
        events += runs.process(log[begun])
    closed = runs.withdraw(withdrawal(log[: begun + 1], (begun,), events))
    assert [event.phase for event in closed] == ["closed"]
    (opened, *_) = runs.process(log[begun + 1])
    assert announced([opened]) == [("heart_rate_high", "opened", "medium")]
    assert opened.episode_id != events[0].episode_id


@pytest.mark.parametrize(
    ("pairs", "gone", "after", "begins"),
    [  # minute → pressure
        ({5: (166, 96), 8: (86, 48), 13: (124, 79), 23: (68, 50)}, [2, 3], {33: (86, 48)}, 33),
        (
            {0: (104, 64), 4: (101, 62), 8: (89, 54), 13: (98, 60), 18: (69, 46)},
            [3, 4],
            {25: (86, 50)},
            25,
        ),
        ({0: (122, 78), 13: (86, 48), 23: (68, 50)}, [2], {33: (86, 48)}, 33),
        ({0: (100, 62), 8: (88, 50), 13: (97, 60), 23: (69, 45)}, [2, 3], {33: (86, 48)}, 33),
    ],
)
def test_what_opens_after_a_withdrawn_alarm_has_an_id_of_its_own_and_pages(
    pairs: dict[int, tuple[int, int]],
    gone: list[int],
    after: dict[int, tuple[int, int]],
    begins: int,
) -> None:
    """No reading that counts came since the alarm: the next one opens another, and pages."""
    runs, log = engine(), pressures(pairs)
    events = run([*log], runs)
    old = {e.episode_id for e in events if e.kind == "blood_pressure_low"}
    assert len(old) == 1
    closed = [e for e in runs.withdraw(withdrawal(log, gone, events)) if e.episode_id in old]
    assert [(e.phase, e.evidence["reason"]) for e in closed] == [("closed", "reading_withdrawn")]
    opened, *_ = [e for e in run([*pressures(after)], runs) if e.kind == "blood_pressure_low"]
    assert announced([opened]) == [("blood_pressure_low", "opened", "high")]
    assert opened.episode_id not in old
    assert seconds(opened.onset) == begins * 60.0
    decided = decide(compose(opened), opened.detected_at, PagedEpisode(), demo=False)
    assert decided.page is not None
    assert (decided.page.reason, decided.page.priority) == ("opened", "high")


def test_what_a_second_withdrawal_shows_begins_at_a_reading_that_counts() -> None:
    """The reading that a further alarm began with is withdrawn as well."""
    pairs = {0: (122, 78), 13: (86, 48), 23: (68, 50), 28: (87, 49)}
    runs, log = engine(), pressures(pairs)
    events = run([*log[:3]], runs)
    events += runs.withdraw(withdrawal(log[:3], [2], events))
    state = runs.state_of("p1")
    runs = engine()
    runs.load_state("p1", state)
    (opened,) = run([*log[3:]], runs)
    assert seconds(opened.onset) == 28 * 60.0
    remaining = tuple(one.measurements[0] for one in log[:2])
    closed = runs.withdraw(withdrawal(log, [3], [*events, opened], remaining=remaining))
    assert [(e.episode_id, e.phase) for e in closed] == [(opened.episode_id, "closed")]
    (again,) = run([*pressures({33: (86, 48)})], runs)
    assert again.phase == "opened"
    assert seconds(again.onset) == 33 * 60.0
    assert again.episode_id not in {e.episode_id for e in [*events, opened]}


def test_what_a_later_withdrawal_uncovers_begins_at_a_reading_that_counts() -> None:
    """The first withdrawn alarm's id is taken, and the reading after it is withdrawn later."""
    pairs = {5: (156, 97), 6: (89, 50), 9: (86, 49), 12: (122, 79), 22: (89, 48), 32: (190, 97)}
    runs, log = engine(), pressures(pairs)
    events = run([*log[:4]], runs)
    left = [log[place].measurements[0] for place in (1, 3)]
    first = withdrawal(log[:4], [0, 2], events, remaining=tuple(left))
    events += runs.withdraw(first)
    events += run([*log[4:]], runs)
    left = [log[place].measurements[0] for place in (1, 4)]
    found = runs.withdraw(withdrawal(log, [3, 5], events, remaining=tuple(left)))
    opened = [e for e in found if e.phase == "opened"]
    assert [(e.kind, seconds(e.onset)) for e in opened] == [("blood_pressure_low", 22 * 60.0)]
    assert not {e.episode_id for e in opened} & {e.episode_id for e in events}


def test_an_onset_that_is_no_time_is_passed_over() -> None:
    runs, log = engine(), pressures({0: (100, 62), 8: (88, 50), 13: (97, 60), 23: (69, 45)})
    events = run([*log], runs)
    odd = [
        replace(one, evidence={**one.evidence, "first_onset": "no time"})
        for one in rested_on(events)
    ]
    closed = runs.withdraw(withdrawal(log, [2, 3], episodes=tuple(odd)))
    assert "closed" in {e.phase for e in closed}


def pressures(pairs: dict[int, tuple[int, int]]) -> list[Upload]:
    """One upload a blood pressure, by its minute."""
    return [one for minute, pair in pairs.items() for one in cuff([pair], start=minute * 60.0)]


def test_late_readings_that_wait_are_withdrawn_too() -> None:
    runs = engine()
    run([*heart([70.0 + i % 4 for i in range(60)]), *heart([71.0, 72.0], start=3 * HOUR)], runs)
    late = [
        replace(one, received_at=at(3 * HOUR + 300.0))
        for one in heart([131.0 + i % 4 for i in range(20)], start=HOUR + 600)
    ]
    run([*late], runs)
    waiting = runs._monitors["p1"].state.late
    assert waiting is not None
    assert len(waiting.waiting) == 20
    assert runs.withdraw(withdrawal(late, range(20), when=3 * HOUR + 360)) == []
    assert waiting.waiting == []
    later = run([at(3 * HOUR + 300 + i * 60) for i in range(40)], runs)
    assert [event for event in later if event.category == "clinical"] == []


@pytest.mark.parametrize(
    "odd",
    [
        {"episode_id": "of-somebody-else"}, {"sequence": -1}, {"sequence": 2**40},
        {"kind": "of_a_newer_vigil"},
    ],
)  # fmt: skip
def test_an_episode_that_is_none_of_ours_is_passed_over(odd: dict[str, Any]) -> None:
    runs = engine()
    log = [*severe(), *cuff([(124.0, 79.0), (125.0, 80.0), (123.0, 78.0)], 1200.0, every=300.0)]
    events = run([*log], runs)
    listed = tuple(replace(one, **odd) for one in rested_on(events))
    assert runs.withdraw(withdrawal(log, (1, 2), episodes=listed)) == []


def test_a_signal_of_a_newer_vigil_is_passed_over() -> None:
    runs = engine()
    log = [upload(measured(0.0, {"heart_rate": 70.0, "glucose": 5.1}))]
    run([*log], runs)
    assert runs.withdraw(withdrawal(log, (0,), remaining=log[0].measurements)) == []


def test_time_goes_on_after_a_withdrawal_left_a_part_that_is_no_longer_so() -> None:
    """A mean arterial pressure that the remaining readings show as over is no part of an alarm."""
    pairs = [(84.0, 52.0), (127.0, 81.0), (82.0, 50.0), (118.0, 78.0)]
    times = [0.0, 300.0, 360.0, 660.0]
    log = [
        upload(measured(time, {"systolic": systolic, "diastolic": diastolic}))
        for time, (systolic, diastolic) in zip(times, pairs, strict=True)
    ]
    runs = engine()
    events = run([*log], runs)
    assert ("blood_pressure_low", "opened", "high") in announced(events)
    runs.withdraw(withdrawal(log, (1,), events))
    waited = [event for minute in range(14, 60) for event in runs.tick(at(minute * 60.0))]
    assert [event.kind for event in waited] == ["no_data"]
