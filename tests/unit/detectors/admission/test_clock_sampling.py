"""A clock that is off is found whatever the interval between readings and between uploads, and
lateness that has other causes is no wrong clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import inf, nan
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import msgpack
from msgspec.structs import replace

from detectors.admission.clocks.memory import DeviceClock
from detectors.engine.state import Saved
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
YEAR = 365 * DAY
OPENED = ("device_clock", "opened", "low")
ZONES = [HOUR, 5 * HOUR, 5.5 * HOUR, 5.75 * HOUR, -3.5 * HOUR, -HOUR, YEAR]
"""Seconds by which a clock is behind: whole zones, half ones, quarters, and a wrong year."""
laws = settings(max_examples=25, deadline=None)


def watch(
    every: float,
    syncs: Iterable[float],
    *,
    behind: float = 0.0,
    phase: float = 0.0,
    delays: Sequence[float] = (2.0,),
    fast_from: float = inf,
) -> list[Upload]:
    """What a watch measures at an interval, sent at each of some times of upload."""
    log, number = list[Upload](), 0
    for n, sync in enumerate(syncs):
        rows = []
        while phase + number * every <= sync:
            time = phase + number * every
            rate = (160.0 if time >= fast_from else 70.0) + number % 4
            rows.append(measured(time - behind, {"heart_rate": rate}, "rest"))
            number += 1
        if rows:
            log.append(upload(*rows, received=sync + delays[n % len(delays)]))
    return log


def clocked(log: Sequence[Upload]) -> list[Event]:
    """All events, with a tick a few minutes after each upload."""
    ticked: Log = []
    for item in log:
        ticked += [item, item.received_at + timedelta(minutes=5, seconds=1)]
    return run(sorted(ticked, key=_when), engine())


def _when(item: Any) -> Any:
    return item.received_at if isinstance(item, Upload) else item


def of_clock(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == "device_clock"]


def found(events: Iterable[Event]) -> Event:
    """The step by which the offset is known."""
    return next(e for e in of_clock(events) if e.evidence["reason"] == "constant_offset")


# ---- found


@laws
@given(
    every=st.sampled_from([MINUTE, 300.0, 600.0, 900.0, 1200.0, 1800.0]),
    sync=st.floats(300.0, 4 * HOUR),
    behind=st.sampled_from(ZONES),
    share=st.floats(0.0, 0.99),
    delays=st.lists(st.floats(0.0, 120.0), min_size=1, max_size=5),
)
@example(every=600.0, sync=900.0, behind=5 * HOUR, share=0.0, delays=[2.0])
@example(every=300.0, sync=HOUR, behind=HOUR, share=0.5, delays=[2.0])
@example(every=1800.0, sync=2400.0, behind=5 * HOUR, share=0.0, delays=[2.0])
def test_at_any_interval_the_offset_is_known_within_it(
    every: float, sync: float, behind: float, share: float, delays: list[float]
) -> None:
    syncs = [sync * (n + 1) for n in range(max(24, int(24 * every / sync)))]
    events = detect(watch(every, syncs, behind=behind, phase=share * every, delays=delays))
    offset = found(events).evidence["offset_seconds"]
    assert behind <= offset + 1 <= behind + every + max(delays) + 1


@laws
@given(
    every=st.sampled_from([MINUTE, 300.0, 600.0]),
    sync=st.floats(300.0, HOUR),
    share=st.floats(0.0, 0.99),
)
def test_sixteen_minutes_are_found_where_they_are_more_than_the_interval(
    every: float, sync: float, share: float
) -> None:
    syncs = [sync * (n + 1) for n in range(max(24, int(24 * every / sync)))]
    offset = found(detect(watch(every, syncs, behind=960.0, phase=share * every)))
    assert 959 <= offset.evidence["offset_seconds"] <= 960 + every + 3


@settings(max_examples=25, deadline=None)
@given(
    every=st.sampled_from([MINUTE, 300.0, 600.0]),
    share=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    behind=st.sampled_from([HOUR, 5 * HOUR, 5.75 * HOUR, -5 * HOUR]),
)
def test_and_then_a_severe_alarm_pages_in_its_time(
    every: float, share: float, behind: float
) -> None:
    sync = min(900.0, every * share)
    syncs = [sync * (n + 1) for n in range(int(8 * HOUR / sync))]
    log = watch(every, syncs, behind=behind, phase=7.0, fast_from=6 * HOUR)
    opened = next(e for e in clocked(log) if e.kind == "heart_rate_high")
    assert (opened.phase, opened.retrospective, opened.priority) == ("opened", False, "high")
    assert opened.time_uncertain


def sittings(late: Sequence[float], every: float, severe: int = -1) -> list[Upload]:
    """A pressure each few hours, so late; two severe ones at one of the sittings."""
    log = list[Upload]()
    for n, by in enumerate(late):
        pairs = [(188.0, 124.0), (186.0, 123.0)] if n == severe else [(126.0 + n % 4, 80.0 + n % 3)]
        for item in cuff(pairs, start=n * every, every=120.0):
            log.append(replace(item, received_at=item.measurements[0].time + timedelta(seconds=by)))
    return log


@laws
@given(
    delays=st.lists(st.floats(30.0, 480.0), min_size=10, max_size=10),
    every=st.floats(4 * HOUR, 12 * HOUR),
    behind=st.sampled_from([HOUR, 5 * HOUR, 5.5 * HOUR, 5.75 * HOUR]),
)
def test_a_cuff_whose_app_takes_half_a_minute_to_eight_pages(
    delays: list[float], every: float, behind: float
) -> None:
    late = [behind + delay for delay in delays]
    events = clocked(sittings(late, every, severe=9))
    offset = found(events).evidence["offset_seconds"]
    assert behind + 29 <= offset <= behind + 481
    severe = [e for e in events if e.kind == "blood_pressure_high"]
    assert [e.phase for e in severe] == ["opened", "updated"]
    assert not any(e.retrospective for e in severe)


def test_from_a_few_alike_on_a_severe_pressure_is_no_history_though_the_clock_is_not_known() -> (
    None
):
    late = [5 * HOUR + by for by in (40.0, 300.0, 200.0)]
    events = clocked(sittings(late, 12 * HOUR, severe=2))
    assert of_clock(events) == []
    severe = [e for e in events if e.kind == "blood_pressure_high"]
    assert not any(e.retrospective for e in severe)
    assert {e.time_uncertain for e in severe} == {True}


def test_the_offset_comes_down_to_the_least() -> None:
    """What is on its way adds to it: the last upload is the least late of all."""
    delays = [400.0, 300.0, 420.0, 310.0, 405.0, 330.0, 410.0, 20.0]
    log = watch(MINUTE, [900.0 * n for n in range(1, 16)], behind=5 * HOUR, delays=delays,
                fast_from=3 * HOUR)  # fmt: skip
    opened = next(e for e in detect(log) if e.kind == "heart_rate_high")
    assert opened.evidence["offset_seconds"] == 5 * HOUR + 20


@pytest.mark.parametrize("every", [MINUTE, 600.0, 1200.0])
def test_a_clock_that_is_put_right_ends_it_at_any_interval(every: float) -> None:
    wrong = watch(every, [1.5 * every * n for n in range(1, 60)], behind=HOUR)
    right = [replace(one, measurements=tuple(replace(m, time=m.time + timedelta(hours=1))
                                             for m in one.measurements))
             for one in wrong[40:]]  # fmt: skip
    assert announced(of_clock(detect([*wrong[:40], *right]))) == [
        OPENED,
        ("device_clock", "closed", "low"),
    ]


# ---- none


@laws
@given(
    every=st.floats(MINUTE, HOUR),
    times=st.floats(2.0, 20.0),
    share=st.floats(0.0, 0.9),
    varied=st.booleans(),
    source=st.randoms(use_true_random=False),
)
@example(every=2341.3723645225714, times=7.0, share=0.0, varied=False, source=Random(0))  # noqa: S311
def test_a_right_clock_that_measures_rarely_is_none(
    every: float, times: float, share: float, varied: bool, source: Random
) -> None:
    """The newest reading is up to an interval old when it is sent, each time by as much where both
    are by the same clock."""
    steps = [source.uniform(1.0, 4.0) if varied else 1.0 for _ in range(40)]
    syncs = [every * times * sum(steps[: n + 1]) for n in range(40)]
    assert of_clock(detect(watch(every, syncs, phase=share * every))) == []


@laws
@given(st.sampled_from([MINUTE, 300.0]), st.randoms(use_true_random=False))
def test_a_watch_that_is_synced_every_one_to_four_hours_is_none(
    every: float, source: Random
) -> None:
    syncs, now = list[float](), 0.0
    for _ in range(20):
        now += source.uniform(HOUR, 4 * HOUR)
        syncs.append(now)
    assert of_clock(detect(watch(every, syncs, phase=source.uniform(0, every)))) == []


@laws
@given(
    every=st.sampled_from([300.0, 600.0, 900.0]),
    offline=st.floats(HOUR, 12 * HOUR),
    chunk=st.sampled_from([1, 12, 1000]),
)
def test_a_phone_that_is_offline_each_night_is_none(
    every: float, offline: float, chunk: int
) -> None:
    """In the morning it sends what it has kept, at once or in parts, the oldest first."""
    log = list[Upload]()
    for day in range(5):
        begin = day * DAY
        night = heart([60.0 + i % 4 for i in range(int(offline / every))], begin, every)
        for n, start in enumerate(range(0, len(night), chunk)):
            rows = tuple(m for one in night[start : start + chunk] for m in one.measurements)
            log.append(upload(*rows, received=begin + offline + 2.0 * n))
        last = begin + offline + 3600.0
        log += heart([70.0 + i % 4 for i in range(20)], start=last, every=every)
    assert of_clock(detect(log)) == []


@pytest.mark.parametrize(
    ("width", "most"), [(900.0, 8.0), (1800.0, 5.0), (HOUR, 2.0), (2 * HOUR, 0.5), (12 * HOUR, 0.2)]
)
def test_lateness_by_chance_is_hardly_ever_one(width: float, most: float) -> None:
    """An app that is opened at any time within so long: findings per thousand uploads, of 6,000."""
    source, log = Random(11), list[Upload]()  # noqa: S311
    for n in range(6000):
        item = heart([70.0 + n % 4], start=n * 1.2 * width)[0]
        late = timedelta(seconds=source.uniform(0.0, width))
        log.append(replace(item, received_at=item.measurements[0].time + late))
    opened = [e for e in of_clock(detect(sorted(log, key=_when))) if e.phase == "opened"]
    assert len(opened) / 6 <= most


@pytest.mark.parametrize(("spread", "most"), [(1200.0, 1.5), (1800.0, 0.5), (HOUR, 0.5)])
def test_habits_of_people_are_hardly_ever_one(spread: float, most: float) -> None:
    """A pressure each morning that is sent each evening, each give or take so much: findings per
    thousand days, of 6,000."""
    source, log = Random(13), list[Upload]()  # noqa: S311
    for day in range(6000):
        item = cuff([(126.0, 80.0 + day % 3)], start=day * DAY + source.gauss(8 * HOUR, spread))[0]
        log.append(replace(item, received_at=at(day * DAY + source.gauss(21 * HOUR, spread))))
    opened = [e for e in of_clock(detect(log)) if e.phase == "opened"]
    assert len(opened) / 6 <= most


# ---- laws


@laws
@given(
    every=st.sampled_from([MINUTE, 600.0, 1800.0]),
    share=st.floats(1.1, 6.0),
    behind=st.sampled_from([0.0, 960.0, *ZONES, -YEAR]),
    source=st.randoms(use_true_random=False),
)
def test_splitting_and_repeating_uploads_changes_nothing(
    every: float, share: float, behind: float, source: Random
) -> None:
    syncs = [every * share * n for n in range(1, 40)]
    log = watch(every, syncs, behind=behind, phase=5.0, fast_from=syncs[20])
    split = list[Upload]()
    for item in log:
        cut = source.randint(0, len(item.measurements))
        parts = item.measurements[:cut], item.measurements[cut:]
        split += [replace(item, measurements=part) for part in parts if part]
        if source.random() < 0.4:
            split.append(split[-1])
    expected = detect(log)
    assert detect(split) == expected
    assert detect([*log, *log]) == expected
    assert clocked(split) == clocked(log)


def of_two(source: Random) -> list[Upload]:
    """What two devices send, whose clocks are off or not, and one of which may be put right."""
    log = list[Upload]()
    for device in ("d1", "d2"):
        every = source.choice([MINUTE, 600.0, 900.0, 1800.0])
        behind = source.choice([0.0, 960.0, HOUR, 5.5 * HOUR, -5 * HOUR, -HOUR, YEAR, -YEAR])
        syncs = [every * source.choice([1.0, 1.5, 2.0]) * n for n in range(1, 31)]
        sent = watch(every, syncs, behind=behind, phase=source.uniform(0.0, every),
                     delays=[source.uniform(0.0, 60.0) for _ in range(5)])  # fmt: skip
        right = watch(every, syncs, phase=source.uniform(0.0, every))
        change = source.choice([len(sent), len(sent) // 2])
        log += [replace(one, device_id=device) for one in [*sent[:change], *right[change:]]]
    return sorted(log, key=_when)


@pytest.mark.parametrize("seed", range(24))
def test_of_two_devices_neither_splitting_nor_a_save_nor_reading_again_changes_anything(
    seed: int,
) -> None:
    source = Random(seed)  # noqa: S311
    log, split = of_two(source), list[Upload]()
    for item in log:
        cut = source.randint(0, len(item.measurements))
        parts = item.measurements[:cut], item.measurements[cut:]
        split += [replace(item, measurements=part) for part in parts if part]
        split += split[-1:] if source.random() < 0.3 else []
    expected = detect(log)
    assert detect(split) == expected
    assert detect([*log, *log]) == expected
    runs, events = engine(), list[Event]()
    for n, item in enumerate(log):
        events += runs.process(item)
        if n % 11 == seed % 11:
            heir = engine()
            heir.load_state("p1", runs.state_of("p1"))
            runs = heir
    assert events + runs.finish() == expected


# ---- what is damaged


def damaged(field: int, value: object) -> tuple[bytes, int]:
    """A state with a clock that is off, one of whose fields holds something else."""
    runs = engine()
    for item in watch(MINUTE, [300.0 * n for n in range(1, 12)], behind=5 * HOUR):
        runs.process(item)
    plain = msgpack.decode(runs.state_of("p1"))
    clock = plain[Saved.__struct_fields__.index("devices")][2][0]["d1"]
    clock[field] = value
    return msgpack.encode(plain), len(clock)


FLOATS = [
    i for i, name in enumerate(DeviceClock.__struct_fields__)
    if DeviceClock.__annotations__[name] == "float"
]  # fmt: skip


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e308, -1e300])
@pytest.mark.parametrize("field", FLOATS)
def test_a_damaged_number_is_forgotten_with_its_device(field: int, value: float) -> None:
    state, _ = damaged(field, value)
    runs = engine()
    assert runs.load_state("p1", state) == ("clocks",)
    assert runs._monitors["p1"].state.devices.clocks.by_device == {}
    log = watch(MINUTE, [3600.0 + 300.0 * n for n in range(1, 20)], behind=5 * HOUR)
    events = [event for item in log for event in runs.process(item)]
    assert all(abs(e.evidence["offset_seconds"]) < DAY for e in of_clock(events))


def test_a_state_of_before_has_no_such_fields() -> None:
    state, fields = damaged(0, at(HOUR).timestamp())
    plain = msgpack.decode(state)
    clock = plain[Saved.__struct_fields__.index("devices")][2][0]["d1"]
    del clock[fields - 2 :]
    runs = engine()
    assert runs.load_state("p1", msgpack.encode(plain)) == ()
    assert runs._monitors["p1"].state.devices.clocks.by_device["d1"].spread == 0.0


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e308])
def test_a_shift_that_is_no_number_moves_nothing(value: float) -> None:
    log = [
        replace(one, clock_shift_seconds=value) for one in heart([158.0 + i % 3 for i in range(9)])
    ]
    events = detect(log)
    assert {event.kind for event in events} == {"heart_rate_high"}
    assert not any("offset_seconds" in event.evidence for event in events)
    assert seconds_of(events[0].onset) == 0.0
