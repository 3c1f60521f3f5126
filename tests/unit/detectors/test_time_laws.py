"""Laws over time: in what order, in how many pieces, with what gaps and at what date readings come
must not decide what is found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.engine.engine import Engine
from tests.support.patient_logs import Log, logs, run, written
from tests.support.vitals import (
    DAY,
    HOUR,
    MIDNIGHT,
    at,
    config,
    cuff,
    heart,
    measured,
    seconds,
    upload,
)
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

pytestmark = pytest.mark.slow  # laws on hundreds of invented logs

CONFIG = config(
    baseline={"ready_readings": 4, "ready_minutes": 4, "adopt_after_seconds": 7200},
)
PLAIN = config()
UNOBSERVED = PLAIN.everyone.episodes["heart_rate_high"].unobserved_seconds
OBSERVED_GAP = PLAIN.everyone.episodes["heart_rate_high"].observed_gap_seconds

rates = st.lists(
    st.sampled_from([70.0, 104.0, 113.0, 124.0, 131.0, 156.0]), min_size=4, max_size=20
)
pressures = st.lists(
    st.sampled_from(
        [(148.0, 90.0), (162.0, 97.0), (172.0, 101.0), (186.0, 108.0), (92.0, 58.0), (84.0, 48.0)]
    ),
    min_size=4,
    max_size=16,
)


def series(levels: Sequence[float]) -> list[Upload]:
    """Each level for three readings two minutes apart, so that none is a mere step."""
    return heart([rate + i for rate in levels for i in range(3)], every=120.0)


def later(items: Sequence[Upload], begin: float = 30 * HOUR) -> list[Upload]:
    """The same in this order, received one a second, long afterwards."""
    return [replace(one, received_at=at(begin + i)) for i, one in enumerate(items)]


def conclusions(events: Sequence[Event]) -> set[tuple[object, ...]]:
    """Kind, onset and the highest priority of each clinical episode."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.category == "clinical":
            found.setdefault(event.episode_id, []).append(event)
    order = ("high", "medium", "low")
    return {
        (steps[0].kind, steps[-1].onset, min((s.priority for s in steps), key=order.index))
        for steps in found.values()
    }


def settled(log: Sequence[Upload]) -> list[Event]:
    """All events, of late readings too."""
    engine = Engine(PLAIN)
    return run(log, engine) + engine.finish()


@settings(max_examples=30, deadline=None)
@given(rates, st.randoms(use_true_random=False))
def test_behind_the_newest_the_order_of_arrival_changes_no_event(levels, random) -> None:  # type: ignore[no-untyped-def]
    """Of any kind, to its end."""
    items = series([*levels, 70.0])
    *rest, newest = items
    random.shuffle(rest)
    found, expected = settled(later([newest, *rest])), settled(later(items))
    assert [*map(at_last, found)] == [*map(at_last, expected)]


@settings(max_examples=30, deadline=None)
@given(pressures, st.randoms(use_true_random=False))
def test_nor_does_it_for_pressures(pairs, random) -> None:  # type: ignore[no-untyped-def]
    varied = [(s + i % 3, d + i % 2) for i, (s, d) in enumerate(pairs)]
    items = cuff([*varied, (150.0, 90.0)], every=1200.0)
    *rest, newest = items
    random.shuffle(rest)
    found, expected = settled(later([newest, *rest])), settled(later(items))
    assert [*map(at_last, found)] == [*map(at_last, expected)]


def in_chunks(items: Sequence[Upload], size: int) -> list[Upload]:
    """The same, so many readings an upload."""
    return [
        replace(items[i], measurements=tuple(m for one in part for m in one.measurements))
        for i in range(0, len(items), size)
        for part in [items[i : i + size]]
    ]


def vitals(levels: Sequence[float], pairs: Sequence[tuple[float, float]]) -> list[Upload]:
    """Heart rates, and a pressure each half hour."""
    varied = [(s + i % 3, d + i % 2) for i, (s, d) in enumerate(pairs)]
    both = [*series([*levels, 70.0]), *cuff(varied, start=60.0)]
    return sorted(both, key=lambda one: one.measurements[0].time)


@settings(max_examples=40, deadline=None)
@given(rates, pressures, st.booleans(), st.data())
def test_history_in_any_order_gives_the_same_events(
    levels: list[float], pairs: list[tuple[float, float]], apart: bool, data: st.DataObject
) -> None:
    """By reading or by chunk, over what is open at its end, and over gaps."""
    items = vitals(levels, pairs)
    if apart:
        place = data.draw(st.integers(1, len(items) - 1))
        items = with_gap(items, place, data.draw(st.floats(200.0, DAY)))
    chunks = in_chunks(items, data.draw(st.sampled_from([1, 1, 5, 12, 30])))
    begin = 30 * HOUR + DAY
    expected = settled(later(chunks, begin))
    found = settled(later(data.draw(st.permutations(chunks)), begin))
    assert [at_last(event) for event in found] == [at_last(event) for event in expected]


def at_last(event: Event) -> Event:
    """An event without how long its reading was on its way."""
    evidence = {k: v for k, v in event.evidence.items() if k != "signal_delay_seconds"}
    return replace(event, evidence=evidence)


@settings(max_examples=40, deadline=None)
@given(rates, st.integers(3, 30), st.randoms(use_true_random=False), st.booleans())
def test_older_chunks_in_any_order_are_the_beginning_of_what_is_open(
    levels: list[float], size: int, source: Random, far: bool
) -> None:
    """The newest chunk comes while it lasts, fast from beginning to end; the older ones come behind
    it, all at once or an hour apart."""
    fast = [max(rate, 131.0) for rate in levels]
    items = series([70.0, *fast, 156.0, 156.0, 156.0])
    *older, newest = in_chunks(items, size)
    if len(newest.measurements) < 8:
        *older, before = older
        newest = replace(newest, measurements=before.measurements + newest.measurements)
    end = seconds(newest.measurements[-1].time) or 0.0
    if far:
        older.reverse()
    else:
        source.shuffle(older)
    apart = HOUR if far else 1.0
    log = [replace(one, received_at=at(end + i * apart)) for i, one in enumerate([newest, *older])]
    events = [event for event in clocked(log) if event.kind == "heart_rate_high"]
    expected = [event for event in settled(items) if event.kind == "heart_rate_high"]
    assert len({event.episode_id for event in events}) == 1
    assert events[-1].onset == expected[0].onset
    assert [event.sequence for event in events] == [*range(len(events))]
    assert [event.phase for event in events].count("opened") == 1
    if events[0].onset > events[-1].onset:
        assert "earlier" in {event.evidence.get("change") for event in events}


def clocked(log: Sequence[Upload]) -> list[Event]:
    """All events, with a tick a minute between the uploads."""
    engine, events, clock = Engine(PLAIN), list[Event](), log[0].received_at
    for item in log:
        while clock + timedelta(minutes=1) <= item.received_at:
            clock += timedelta(minutes=1)
            events += engine.tick(clock)
        events += engine.process(item)
    return events + engine.finish()


heart_levels = st.lists(
    st.sampled_from([70.0, 104.0, 124.0, 131.0, 156.0, 44.0, 36.0]), min_size=2, max_size=7
)
pressure_levels = st.lists(st.sampled_from([110.0, 130.0, 150.0]), max_size=4)


@settings(max_examples=40, deadline=None)
@given(heart_levels, pressure_levels, st.integers(2, 12))
def test_each_few_minutes_newest_first_is_found_as_in_order(
    levels: list[float], systolic: list[float], size: int
) -> None:
    """A sender that is on time and lists the newest first, of one signal or two, by steps that wait
    for no second reading; but for an alarm by what is known when the newest comes, which stands,
    and for the end of what is open."""
    rates = climbing([70.0, *levels, 70.0], 6)
    pairs = [(value, round(value * 0.62)) for value in climbing(systolic, 4)]
    both = [*heart(rates), *cuff(pairs, start=90.0, every=120.0)]
    items = sorted(both, key=lambda one: one.measurements[0].time)
    parts = [items[i : i + size] for i in range(0, len(items), size)]
    log: list[Upload] = []
    for part in parts:
        end = seconds(part[-1].measurements[0].time) or 0.0
        log += [replace(one, received_at=at(end + 1 + n)) for n, one in enumerate(part[::-1])]
    events = clocked(log)
    assume(all(event.retrospective or event.phase != "opened" for event in events))
    assert conclusions(events) == conclusions(settled(items))


def climbing(levels: Sequence[float], times: int) -> list[float]:
    """So many readings to each level, at most 20 from one to the next."""
    value, found = levels[0] if levels else 0.0, list[float]()
    for level in levels:
        for i in range(times):
            value += max(-20.0, min(20.0, level - value))
            found.append(round(value) + i % 3)
    return found


@settings(max_examples=80, deadline=None)
@given(logs(devices=("d1", "d1", "d2"), apart=(20.0, 400.0, 1500.0)), st.data())
def test_repeated_messages_and_split_uploads_change_nothing(log: Log, data: st.DataObject) -> None:
    changed: Log = []
    for i, item in enumerate(log):
        if isinstance(item, datetime) or len(item.measurements) < 2:
            changed.append(item)
        else:
            cut = data.draw(st.integers(0, len(item.measurements)))
            parts = item.measurements[:cut], item.measurements[cut:]
            changed += [replace(item, measurements=part) for part in parts if part]
        if data.draw(st.booleans()):
            again = log[data.draw(st.integers(0, i))]
            if isinstance(again, Upload) and data.draw(st.booleans()):  # a part of it
                again = replace(
                    again, measurements=again.measurements[data.draw(st.integers(0, 3)) :]
                )
            changed.append(again)
    assert written(run(changed, Engine(CONFIG))) == written(run(log, Engine(CONFIG)))


def test_where_an_upload_of_a_second_device_is_split_decides_nothing() -> None:
    """Its pressures are history; the heart rate of now that came with them is another device's."""
    watch = heart([70.0 + i % 3 for i in range(180)])
    pressures = (
        measured(150 * 60.0, {"systolic": 192.0, "diastolic": 118.0}),
        measured(152 * 60.0, {"systolic": 194.0, "diastolic": 119.0}),
    )
    sent = replace(
        upload(*pressures, measured(169.5 * 60.0, {"heart_rate": 71.0}), received=169.6 * 60.0),
        device_id="cuff",
    )
    before = measured(148 * 60.0, {"systolic": 190.0, "diastolic": 117.0})
    older = replace(upload(before, received=169.7 * 60.0), device_id="cuff")
    whole = run([*watch[:170], sent, older, *watch[170:]], Engine(PLAIN))
    assert [event.onset for event in whole if event.phase == "opened"] == [before.time]
    assert all(event.retrospective for event in whole)
    for cut in (1, 2):
        parts = sent.measurements[:cut], sent.measurements[cut:]
        split = [replace(sent, measurements=part) for part in parts]
        log = [*watch[:170], *split, older, *watch[170:]]
        assert written(run(log, Engine(PLAIN))) == written(whole)


def stretches(events: Sequence[Event], last: datetime) -> list[tuple[datetime, datetime]]:
    """From onset to end of each episode of a fast heart, the calm readings that ended it included:
    where no more come after the first of them, nobody knows how it went on."""
    ends = {e.episode_id: _known_end(e) for e in events if e.phase == "closed"}
    return [
        (e.onset, ends.get(e.episode_id) or last)
        for e in events
        if e.kind == "heart_rate_high" and e.phase == "opened"
    ]


def _known_end(event: Event) -> datetime | None:
    return event.ended_at if event.evidence.get("reason") else event.detected_at


def with_gap(items: Sequence[Upload], place: int, gap: float) -> list[Upload]:
    """Everything from a place on is measured, and received, so much later."""
    return [*items[:place], *(moved(one, gap) for one in items[place:])]


def moved(item: Upload, by: float) -> Upload:
    """The same, so many seconds later."""
    delta = timedelta(seconds=by)
    return replace(
        item,
        received_at=item.received_at + delta,
        measurements=tuple(replace(one, time=one.time + delta) for one in item.measurements),
    )


@settings(max_examples=30, deadline=None)
@given(rates, st.data())
def test_a_gap_that_may_not_be_bridged_lengthens_no_episode(
    levels: list[float], data: st.DataObject
) -> None:
    items = series(levels)
    place = data.draw(st.integers(1, len(items) - 1))
    gap = data.draw(st.floats(UNOBSERVED, 40 * DAY))
    begin = items[place].measurements[0].time
    last = items[-1].measurements[0].time
    whole = stretches(run(items, Engine(PLAIN)), last)
    apart = run(with_gap(items, place, gap), Engine(PLAIN))
    for onset, end in stretches(apart, last + timedelta(seconds=gap)):
        after = onset >= begin
        assert after or end < begin, "none spans the gap"
        shift = timedelta(seconds=gap if after else 0.0)
        assert any(a <= onset - shift and end - shift <= b for a, b in whole)


@settings(max_examples=30, deadline=None)
@given(rates, st.data())
def test_over_a_gap_that_is_bridged_no_duration_is_claimed(
    levels: list[float], data: st.DataObject
) -> None:
    items = series(levels)
    place = data.draw(st.integers(1, len(items) - 1))
    gap = data.draw(st.floats(OBSERVED_GAP, UNOBSERVED - 121.0))
    begin = items[place].measurements[0].time
    spanning = [
        event
        for event in run(with_gap(items, place, gap), Engine(PLAIN))
        if event.kind == "heart_rate_high" and event.onset < begin < event.detected_at
    ]
    for event in spanning:
        if event.phase != "closed" or (event.ended_at and event.ended_at > begin):
            assert event.evidence["duration_observed"] is False
            assert event.evidence["longest_gap_seconds"] >= gap


def timeless(event: Event, by: float) -> tuple[object, ...]:
    """An event, its times moved back, without what names a date."""
    times = (seconds(event.onset), seconds(event.detected_at), seconds(event.ended_at))
    facts = {
        key: value
        for key, value in event.evidence.items()
        if key not in {"parts", "nights", "days", "withdrawal"}
    }
    back = tuple(None if time is None else round(time - by, 6) for time in times)
    return (event.patient_id, event.kind, event.phase, event.priority, event.sequence,
            event.retrospective, back, facts)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(logs(), st.integers(-2000, 2000))
@example([at(0)], 1)
def test_at_another_date_the_same_happens(log: Log, days: int) -> None:
    by = days * DAY
    then = [
        item + timedelta(seconds=by) if isinstance(item, datetime) else moved(item, by)
        for item in log
    ]
    assume(MIDNIGHT + timedelta(days=days) > MIDNIGHT - timedelta(days=9000))
    here = [timeless(event, 0.0) for event in run(log, Engine(CONFIG))]
    assert [timeless(event, by) for event in run(then, Engine(CONFIG))] == here
