"""Patients who wait for nothing leave memory and come back as if they had never left."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.engine.engine import Engine
from detectors.episodes.tracker import UNOBSERVED
from tests.support.patient_logs import Log, logs, run, written
from tests.support.vitals import (
    DAY,
    HOUR,
    announced,
    at,
    config,
    cuff,
    detect,
    engine,
    heart,
    measured,
    upload,
)
from vigil.domain.episode import Event

PLUGIN = {
    "detector": "river.anomaly.StandardAbsoluteDeviation", "kind": "heart_rate_unusual",
    "signals": ["heart_rate"], "threshold": 1.5, "warmup_readings": 3,
}  # fmt: skip
CONFIG = config(
    baseline={"ready_readings": 4, "ready_minutes": 4, "adopt_after_seconds": 7200},
    admission={"stuck": {"heart_rate": {"readings": 6, "seconds": 120}}, "confirm_seconds": 400},
    silence={
        "after_seconds": 100, "unknown_seconds": 200, "gone_seconds": 300,
        "idle_after_seconds": 0, "clock_gap_seconds": 1000,
    },
    plugins={"far": PLUGIN},
    patients={"p2": {"silence": {"enabled": False}}},
)  # fmt: skip


class Ward:
    """An engine whose idle patients leave when asked to, and come back with a reading."""

    def __init__(self) -> None:
        self.engine = Engine(CONFIG)
        self.stored: dict[str, bytes] = {}
        self.now = 0.0

    def take(self, item: object) -> list[Event]:
        if isinstance(item, datetime):
            self.now = max(self.now, item.timestamp())
            return self.engine.tick(item)
        saved = self.stored.pop(item.patient_id, None)  # type: ignore[attr-defined]
        if saved is not None:
            assert self.engine.load_state(item.patient_id, saved) == ()  # type: ignore[attr-defined]
        return run([item], self.engine)  # type: ignore[list-item]

    def evict(self) -> None:
        idle = self.engine.idle(self.now)
        assert idle == sorted(idle)
        self.stored.update({patient: self.engine.state_of(patient) for patient in idle})
        self.engine.forget(idle)

    def states(self) -> dict[str, bytes]:
        here = {patient: self.engine.state_of(patient) for patient in self.engine.patients()}
        return {**self.stored, **here}


def ticked(log: Log, evictions: set[int]) -> Log:
    """The log with a tick, mostly of later, before each message in ``evictions``."""
    more: Log = []
    for i, item in enumerate(log):
        received = item if isinstance(item, datetime) else item.received_at
        device = f"d{i % 3}" if i % 5 == 0 else "d1"
        more.append(item if isinstance(item, datetime) else replace(item, device_id=device))
        if i in evictions:
            more.append(at((received - at(0)).total_seconds() + 450.0 * (i % 4)))
    return more


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(logs(), st.sets(st.integers(0, 25)), st.sets(st.integers(0, 50)))
def test_leaving_and_coming_back_changes_nothing(
    log: Log, ticks: set[int], evictions: set[int]
) -> None:
    log = ticked(log, ticks)
    whole, events = Engine(CONFIG), list[Event]()
    expected = run(log, whole)
    ward = Ward()
    for i, item in enumerate(log):
        events += ward.take(item)
        if i in evictions:
            ward.evict()
    assert written(events) == written(expected)
    assert ward.states() == {patient: whole.state_of(patient) for patient in whole.patients()}


def gone(runs: Engine, rate: float = 70.0) -> float:
    """p1 was worn for an hour and is gone; the time of the last tick."""
    for item in heart([rate + i % 3 for i in range(60)]):
        runs.process(item)
    now = HOUR
    while now < 8 * DAY:
        runs.tick(at(now))
        now += 60
    return now - 60


def test_one_who_is_gone_leaves_an_hour_later() -> None:
    runs = engine()
    last = at(gone(runs)).timestamp()
    assert runs.idle(last) == ["p1"]
    assert runs.idle(at(7 * DAY + HOUR).timestamp()) == []  # gone for less than the hour
    runs.forget(["p1"])
    assert runs.idle(last) == []
    assert runs.patients() == []


def test_one_with_an_open_episode_stays_until_it_ends_unobserved() -> None:
    quiet = {"silence": {"enabled": False, "idle_after_seconds": 0}}
    runs = engine(**quiet)
    for item in heart([131.0 + i % 3 for i in range(60)]):
        runs.process(item)
    last = 59 * 60.0
    ended = [(now, e) for now in range(3600, 4 * 3600, 60) for e in runs.tick(at(now))]
    ((when, closed),) = ended
    assert (closed.kind, closed.phase) == ("heart_rate_high", "closed")
    assert closed.evidence["reason"] == UNOBSERVED
    assert closed.ended_at == at(last)
    assert when - last == pytest.approx(7200, abs=60)
    assert runs.idle(at(when - 60).timestamp()) == []
    assert runs.idle(at(when).timestamp()) == ["p1"]


def test_what_comes_when_an_episode_may_just_still_bridge_goes_on_with_or_without_ticks() -> None:
    pairs = cuff([(192, 124), (190, 123)], every=120.0)
    later = cuff([(194, 125)], start=120.0 + 30 * HOUR)
    kept = engine(silence={"enabled": False})
    for item in pairs:
        kept.process(item)
    for now in range(0, 30 * 3600 + 121, 60):
        kept.tick(at(now + 1.0))
    (known,) = kept.process(later[0])
    assert known.evidence["change"] == "continues"
    assert known == detect([*pairs, *later], silence={"enabled": False})[-1]


def test_an_outage_of_vigils_own_ends_no_episode() -> None:
    runs = engine()
    for item in heart([131.0 + i % 3 for i in range(60)]):
        runs.process(item)
    runs.tick(at(3600))
    assert runs.tick(at(5 * HOUR)) == [], "nobody could have sent anything"
    late = [e for now in range(5 * 3600, 8 * 3600, 60) for e in runs.tick(at(now))]
    assert ("heart_rate_high", "closed", "medium") in announced(late)


@pytest.mark.parametrize("wait", [0.0, 600.0])
def test_whose_silence_is_not_judged_leaves_when_nothing_came_for_so_long(wait: float) -> None:
    runs = engine(silence={"enabled": False, "idle_after_seconds": wait})
    runs.process(heart([70.0])[0])
    runs.process(heart([70.0], start=60.0)[0])
    last_seen = at(61.0).timestamp()
    assert runs.idle(last_seen + wait - 1) == []
    assert runs.idle(last_seen + wait) == ["p1"]


def test_one_whose_reading_is_held_back_stays() -> None:
    runs = engine(silence={"enabled": False})
    for item in heart([70.0, 71.0, 180.0]):
        runs.process(item)
    later = at(DAY)
    assert runs.idle(later.timestamp()) == []
    runs.tick(later)
    assert runs.idle(at(DAY + HOUR).timestamp()) == ["p1"]


def test_one_who_is_missed_stays_until_gone() -> None:
    runs = engine()
    runs.process(upload(measured(0.0, {"heart_rate": 70.0})))
    assert runs.idle(at(30 * DAY).timestamp()) == []


def test_one_who_only_ever_sent_impossible_times_leaves_once_their_report_has_ended() -> None:
    runs, week = engine(), 7 * 86_400 + 3600
    runs.process(upload(measured(90_000.0, {"heart_rate": 70.0}), received=0.0))
    assert runs.idle(at(HOUR).timestamp()) == []
    ended = [event for now in range(60, week, 60) for event in runs.tick(at(float(now)))]
    assert [(event.kind, event.phase) for event in ended] == [("device_clock", "closed")]
    assert runs.idle(at(week + HOUR).timestamp()) == ["p1"]
