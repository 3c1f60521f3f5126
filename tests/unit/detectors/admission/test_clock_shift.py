"""A clock whose times cannot be used as they are: what it measures is judged all the same, at its
time by the offset, and marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as laws_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.engine.engine import Engine
from tests.support.vitals import DAY, HOUR, announced, at, cuff, detect, engine, heart, seconds
from vigil.contracts.device_clock import with_usable_times
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

YEAR = 365 * DAY
AHEAD = [5 * HOUR, HOUR, 1800.0, 960.0, 310.0, DAY, 26 * HOUR, YEAR]
"""Seconds."""
MARKS = ("time_uncertain", "offset_seconds", "offset_applied")
laws = laws_settings(max_examples=40, deadline=None)


def shown_by(
    items: Iterable[Upload], ahead: float, *, stated: bool = True, device: str = "d1"
) -> list[Upload]:
    """The same uploads of a device whose clock is ahead by so much; negative: behind."""
    by = timedelta(seconds=ahead)
    return [
        replace(
            item,
            device_id=device,
            sent_at=item.received_at + by if stated else None,
            measurements=tuple(replace(one, time=one.time + by) for one in item.measurements),
        )
        for item in items
    ]


def clinical(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.category == "clinical"]


def of_clock(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == "device_clock"]


def unmarked(events: Iterable[Event]) -> list[Event]:
    return [
        replace(event, evidence={k: v for k, v in event.evidence.items() if k not in MARKS})
        for event in events
    ]


def fast() -> list[Upload]:
    """Calm, fast for a quarter of an hour, calm."""
    return heart([*[70.0, 72.0] * 15, *[160.0, 163.0] * 8, *[71.0, 74.0] * 10])


@pytest.mark.parametrize("ahead", [*AHEAD, -31 * DAY, -YEAR, -10 * YEAR])
def test_by_a_stated_time_of_sending_nothing_but_the_mark_differs(ahead: float) -> None:
    right, wrong = clinical(detect(fast())), clinical(detect(shown_by(fast(), ahead)))
    assert unmarked(wrong) == right
    assert [event.kind for event in right] == ["heart_rate_high"] * 2
    assert {event.time_uncertain for event in wrong} == {True}
    assert {event.evidence["offset_seconds"] for event in wrong} == {-ahead}
    assert {event.evidence["offset_applied"] for event in wrong} == {True}
    assert not any(event.retrospective for event in wrong)


@pytest.mark.parametrize("ahead", AHEAD)
def test_the_clock_itself_is_announced_once_with_its_offset(ahead: float) -> None:
    (opened,) = of_clock(detect(shown_by(fast(), ahead)))
    evidence = opened.evidence
    assert (evidence["reason"], evidence["offset_seconds"]) == ("constant_offset", -ahead)


@pytest.mark.parametrize("ahead", [*AHEAD, -31 * DAY, -YEAR])
def test_without_it_the_offset_is_known_from_the_fourth_upload_on(ahead: float) -> None:
    events = detect(shown_by(fast(), ahead, stated=False))
    past = "from_the_past" if ahead < 0 else "from_the_future"
    assert [(e.phase, e.evidence["reason"]) for e in of_clock(events)] == [
        ("opened", past), ("updated", "constant_offset"),
    ]  # fmt: skip
    assert abs(of_clock(events)[-1].evidence["offset_seconds"] + ahead) <= 1
    opened = clinical(events)[0]
    assert (opened.kind, opened.priority) == ("heart_rate_high", "high")
    assert opened.time_uncertain
    assert not opened.retrospective
    assert abs((seconds(opened.onset) or 0) - 30 * 60) <= 1


def test_one_reading_of_the_future_is_still_not_judged() -> None:
    glitch = shown_by(heart([170.0], start=1800.0), YEAR, stated=False)
    events = detect([*heart([70.0, 72.0] * 15), *glitch, *heart([71.0, 74.0] * 15, start=1860.0)])
    assert clinical(events) == []
    assert announced(of_clock(events)) == [
        ("device_clock", "opened", "low"),
        ("device_clock", "closed", "low"),
    ]


def falls_back(stated: bool) -> list[Upload]:
    """At two hours the clock falls back by one; a fast heart begins half an hour later."""
    before, after = heart([70.0, 72.0] * 60), heart([75.0, 77.0] * 15, start=2 * HOUR)
    raised = heart([160.0, 163.0] * 8, start=2 * HOUR + 1800.0)
    return [
        *shown_by(before, 0.0, stated=stated),
        *shown_by([*after, *raised], -HOUR, stated=stated),
    ]


@pytest.mark.parametrize("stated", [True, False])
def test_the_hour_that_a_clock_repeats_is_judged(stated: bool) -> None:
    opened = clinical(detect(falls_back(stated)))[0]
    assert (opened.kind, opened.priority, opened.retrospective) == (
        "heart_rate_high",
        "high",
        False,
    )
    assert abs((seconds(opened.onset) or 0) - 2.5 * HOUR) <= 1
    assert abs(opened.evidence["offset_seconds"] - HOUR) <= 1


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_clock_that_is_put_right_again_spoils_nothing(by: float, stated: bool) -> None:
    wrong = shown_by(heart([70.0, 72.0] * 20), by, stated=stated)
    right = shown_by(heart([160.0, 163.0] * 8, start=2400.0), 0.0, stated=stated)
    events = detect([*wrong, *right])
    (opened,) = clinical(events)
    assert opened.kind == "heart_rate_high"
    assert 2400 <= (seconds(opened.onset) or 0) <= 2460
    assert not opened.time_uncertain
    assert of_clock(events)[-1].phase == "closed"


def test_a_right_device_beside_one_that_is_ahead_is_judged() -> None:
    wrong = shown_by(heart([71.0, 73.0] * 20), 5 * HOUR, device="d9")
    right = heart([160.0, 163.0] * 8, start=2400.0 + 1200.0)
    (opened,) = clinical(detect([*wrong, *right]))
    assert seconds(opened.onset) == 3600.0
    assert not opened.time_uncertain


def test_a_severe_pressure_of_a_clock_ahead_that_was_held_back_is_marked() -> None:
    runs = engine()
    items = cuff([(126, 80), (125, 79), (214, 131)], every=600.0)
    events = [e for item in shown_by(items, 5 * HOUR) for e in runs.process(item)]
    events += [e for i in range(300) for e in runs.tick(at(1200.0 + i * 60.0))]
    opened = next(e for e in events if e.kind == "blood_pressure_high")
    assert opened.time_uncertain
    assert not opened.retrospective
    assert seconds(opened.onset) == 1200.0


def test_late_readings_of_a_clock_ahead_are_history() -> None:
    """A buffer of an hour, by a clock that is five hours ahead."""
    buffered = [replace(one, received_at=at(2 * HOUR)) for one in heart([160.0, 163.0] * 15)]
    events = clinical(detect(shown_by(buffered, 0.0)))
    wrong = [
        replace(one, sent_at=one.received_at + timedelta(hours=5))
        for one in shown_by(buffered, 5 * HOUR)
    ]
    found = clinical(detect(wrong))
    assert {event.retrospective for event in found} == {True}
    assert unmarked(found) == events


def test_a_door_or_topic_that_has_shifted_them_gives_the_same_events() -> None:
    wrong = shown_by(fast(), 5 * HOUR)
    assert detect([with_usable_times(one) for one in wrong]) == detect(wrong)
    assert all(with_usable_times(with_usable_times(one)) == with_usable_times(one) for one in wrong)


def test_a_time_of_sending_before_the_readings_is_by_another_clock() -> None:
    odd = [replace(one, sent_at=one.received_at - timedelta(days=365)) for one in fast()]
    assert unmarked(clinical(detect(odd))) == clinical(detect(fast()))
    assert detect([with_usable_times(one) for one in odd]) == detect(odd)


rates = st.lists(st.sampled_from([70.0, 105.0, 131.0, 158.0]), min_size=8, max_size=30)
shifts = st.sampled_from([5 * HOUR, HOUR, 960.0, YEAR, -YEAR, -HOUR])


@laws
@given(rates, shifts, st.booleans(), st.data())
def test_repeating_splitting_and_reading_again_change_nothing(
    levels: Sequence[float], ahead: float, stated: bool, data: st.DataObject
) -> None:
    parts = heart([rate + i % 3 for rate in levels for i in range(2)])
    whole, split = list[Upload](), list[Upload]()
    while parts:
        size = data.draw(st.integers(1, 5))
        rows, parts = parts[:size], parts[size:]
        measured = tuple(row.measurements[0] for row in rows)
        item = replace(rows[-1], measurements=measured)
        (one,) = shown_by([item], ahead if len(whole) >= 3 else 0.0, stated=stated)
        whole.append(one)
        cut = data.draw(st.integers(0, len(measured)))
        split += [
            replace(one, measurements=piece)
            for piece in (one.measurements[:cut], one.measurements[cut:])
            if piece
        ]
        if data.draw(st.booleans()):
            split.append(split[-1])
    expected = detect(whole)
    assert detect(split) == expected
    assert detect([*whole, *whole]) == expected


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("until", [60, 80])
def test_a_log_with_a_repeated_hour_that_is_read_again_changes_nothing(
    until: int, stated: bool
) -> None:
    """Also once the clock was put right: what was shifted at first is shifted again."""
    items = heart([*[70.0, 72.0] * 20, *[158.0, 160.0] * 5, *[71.0, 74.0] * 10])
    log = [
        *items[:6],
        *shown_by(items[6:until], -HOUR, stated=stated),
        *shown_by(items[until:], 0.0, stated=stated),
    ]
    events = detect(log)
    assert [event.phase for event in clinical(events)] == ["opened", "closed"]
    assert detect([*log, *log]) == events


@laws
@given(rates, shifts, st.booleans(), st.sets(st.integers(0, 60)))
def test_a_saved_state_goes_on(
    levels: Sequence[float], ahead: float, stated: bool, saves: set[int]
) -> None:
    items = heart([rate + i % 3 for rate in levels for i in range(2)])
    log = [*items[:10], *shown_by(items[10:], ahead, stated=stated)]
    runs, events = engine(), list[Event]()
    for i, item in enumerate(log):
        events += runs.process(item)
        if i in saves:
            runs = _loaded(runs)
    assert events + runs.finish() == detect(log)


def _loaded(runs: Engine) -> Engine:
    other = engine()
    other.load_state("p1", runs.state_of("p1"))
    return other


@pytest.mark.parametrize("correction", [1e11, -1e15, 1e308])
def test_a_time_of_sending_that_no_clock_shows_moves_nothing(correction: float) -> None:
    """As of a field that holds something else: the readings are judged by their own times."""
    log = [
        replace(item, sent_at=item.received_at, clock_correction_seconds=correction)
        for item in heart([158.0 + i % 3 for i in range(8)])
    ]
    events = detect(log)
    assert {event.kind for event in events} == {"heart_rate_high"}
    assert not any("offset_seconds" in event.evidence for event in events)
