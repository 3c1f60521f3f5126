"""Clocks of devices that send rarely, and old readings that may be history or of a wrong clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import cycle
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.patient_logs import Log, run
from tests.support.vitals import (
    DAY,
    HOUR,
    announced,
    at,
    cuff,
    detect,
    engine,
    heart,
    measured,
    upload,
)
from tests.support.vitals import seconds as seconds_of
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

MINUTE = 60.0
OFFSETS = (HOUR, 5 * HOUR + 180.0, 960.0)


def received(items: Iterable[Upload], late: Sequence[float]) -> list[Upload]:
    """Each received so many seconds after it was measured."""
    return [
        replace(item, received_at=item.measurements[-1].time + timedelta(seconds=by))
        for item, by in zip(items, cycle(late), strict=False)
    ]


def twice_a_day(days: int, severe: Sequence[int] = ()) -> list[Upload]:
    """A pressure each twelve hours; severe ones by their number."""
    pairs = [(196, 124) if i in severe else (128 + i % 5, 80 + i % 3) for i in range(2 * days)]
    return cuff(pairs, every=12 * HOUR)


def watched(items: Sequence[Upload]) -> list[Event]:
    """All events, with a tick a minute for ten minutes after each upload and two hours at the
    end."""
    log: Log = []
    for item in items:
        log += [item, *(item.received_at + timedelta(minutes=m) for m in range(1, 11))]
    log += [items[-1].received_at + timedelta(minutes=m) for m in range(11, 120)]
    return run(log, engine())


def of_clock(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == "device_clock"]


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_cuff_twice_a_day_shows_it_with_its_third_upload(offset: float) -> None:
    items = received(twice_a_day(3), [offset, offset + 40.0, offset + 20.0])
    (found,) = of_clock(watched(items))
    assert found.detected_at - items[2].received_at == timedelta(minutes=5)
    assert (found.evidence["offset_seconds"], found.evidence["offset_uploads"]) == (offset, 3)
    assert announced(of_clock(detect(items[:4]))) == [("device_clock", "opened", "low")]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_from_the_second_upload_on_a_severe_pressure_is_no_history(number: int) -> None:
    """A step of a cuff that nothing follows is judged after 90 minutes, and then pages."""
    items = received(twice_a_day(3, severe=[number])[: number + 1], [5 * HOUR])
    events = [event for event in watched(items) if event.kind == "blood_pressure_high"]
    assert [(event.phase, event.retrospective) for event in events] == [("opened", False)]
    assert events[0].evidence["time_uncertain"] is True
    assert events[0].evidence["offset_seconds"] == 5 * HOUR


def test_what_is_late_by_another_amount_each_time_is_history() -> None:
    items = received(twice_a_day(3, severe=[4])[:5], [5 * HOUR, 5 * HOUR + 400.0, 4 * HOUR])
    events = watched(items)
    assert of_clock(events) == []
    found = [event for event in events if event.kind == "blood_pressure_high"]
    assert found
    assert all(event.retrospective for event in found)
    assert all("time_uncertain" not in event.evidence for event in found)


def test_by_chance_three_rare_uploads_are_hardly_ever_as_late_as_each_other() -> None:
    """Someone opens the app at any time within the hour after a measurement: 4,000 uploads."""
    source = Random(7)  # noqa: S311
    late = [source.uniform(60.0, HOUR) for _ in range(4000)]
    findings = of_clock(detect(received(heart([70.0, 73.0] * 2000, every=6 * HOUR), late)))
    found = [event for event in findings if event.phase == "opened"]
    by_three = [event for event in found if event.evidence["offset_uploads"] == 3]
    assert (len(by_three), len(found)) == (2, 8)


def history(days: float, every: float = HOUR) -> list[Upload]:
    """Right readings up to the present."""
    count = int(days * DAY / every)
    return heart([70.0 + i % 4 for i in range(count)], start=100 * DAY - count * every, every=every)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_history_of_months_is_no_wrong_clock(data: st.DataObject) -> None:
    """In one upload, in parts of it, by chunk the oldest first, or reading by reading."""
    items = history(data.draw(st.sampled_from([31.0, 60.0, 90.0])))
    size = data.draw(st.sampled_from([1, 24, 400, len(items)]))
    every = data.draw(st.sampled_from([0.0, 1.0, 60.0]))
    log = [
        replace(part[0], received_at=at(100 * DAY + n * every), measurements=rows)
        for n, start in enumerate(range(0, len(items), size))
        for part in [items[start : start + size]]
        for rows in [tuple(one.measurements[0] for one in part)]
    ]
    runs = engine()
    events = run(log, runs)
    last = log[-1].received_at
    events += run([last + timedelta(minutes=m) for m in range(1, 30)], runs)
    assert of_clock(events) == []


@pytest.mark.parametrize("every", [MINUTE, 2 * HOUR])
def test_nothing_but_old_readings_is_a_wrong_clock_after_five_minutes(every: float) -> None:
    items = received(heart([70.0, 72.0] * 2, every=every), [400 * DAY])
    events = of_clock(watched(items))
    assert announced(events)[0] == ("device_clock", "opened", "low")
    assert events[0].evidence["reason"] == "from_the_past"
    assert events[0].onset == items[0].received_at
    assert events[0].detected_at == items[0].received_at + timedelta(minutes=5)


def test_it_is_known_with_the_next_upload_too_and_ends_with_a_right_one() -> None:
    old = upload(measured(0.0, {"heart_rate": 70.0}), received=400 * DAY)
    right = upload(measured(400 * DAY + HOUR, {"heart_rate": 71.0}))
    assert announced(of_clock(detect([old, right]))) == [
        ("device_clock", "opened", "low"),
        ("device_clock", "closed", "low"),
    ]


@pytest.mark.parametrize("off", [-400 * DAY, 2 * HOUR])
def test_another_device_does_not_end_it(off: float) -> None:
    """Whose clock is right: one would otherwise open and close with every second upload."""
    rates = [70.0 + i % 3 for i in range(14)]
    right = [replace(item, device_id="d2") for item in heart(rates, start=400 * DAY)]
    wrong = received(heart(rates, start=400 * DAY + off + 30.0), [1.0 - off])
    log = sorted([*right, *wrong], key=lambda item: item.received_at)
    assert announced(of_clock(watched(log))) == [("device_clock", "opened", "low")]


def test_ticks_more_often_or_less_often_date_it_alike() -> None:
    items = received(twice_a_day(2), [5 * HOUR])

    def detected(every: float) -> list[float | None]:
        runs, found = engine(), list[Event]()
        for item in items:
            found += runs.process(item)
            begin = seconds_of(item.received_at) or 0.0
            found += run([at(begin + i * every) for i in range(1, int(HOUR / every))], runs)
        return [seconds_of(event.onset) for event in of_clock(found)]

    assert detected(30.0) == detected(600.0) != []
