"""Laws of order: episodes of minutes to hours between ordinary readings, sent as an app sends them
that lists the newest first, or in shuffled parts, while they last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine
from tests.support.patient_logs import Log, run, written
from tests.support.vitals import HOUR, at, config, measured, seconds, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Activity, Context, Measurement, Upload

pytestmark = pytest.mark.slow  # laws on hundreds of invented logs

PLAIN = config()
CUFF = config(profile="home_cuff")
KINDS = {"heart_rate_high", "heart_rate_low", "blood_pressure_high", "blood_pressure_low"}
ORDER = ("high", "medium", "low")
LEVELS = {
    "heart_rate": (165.0, 150.0, 126.0, 44.0, 38.0, 34.0),
    "systolic": (205.0, 186.0, 172.0, 88.0, 84.0, 76.0),
}


@dataclass(frozen=True)
class Conclusion:
    """One episode, as far as order must not decide it."""

    kind: str
    begin: float
    end: float
    priority: str

    def is_of(self, other: Conclusion) -> bool:
        """Whether both are of one kind, at one time."""
        return self.kind == other.kind and self.begin <= other.end and other.begin <= self.end


def conclusions(events: Sequence[Event]) -> list[Conclusion]:
    """Of the kinds by limits, each with its highest priority."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.kind in KINDS:
            found.setdefault(event.episode_id, []).append(event)
    return [
        Conclusion(
            steps[0].kind,
            begin=seconds(steps[-1].onset) or 0.0,
            end=seconds(steps[-1].ended_at) or 1e12,
            priority=min(
                (p for step in steps for p in (step.priority, step.highest_priority) if p),
                key=ORDER.index,
            ),
        )
        for steps in found.values()
    ]


def paging(events: Sequence[Event]) -> set[str]:
    """The kinds of which a step pages."""
    return {
        event.kind
        for event in events
        if event.category == "clinical" and not event.retrospective and event.priority != "low"
        if event.phase == "opened" or event.evidence.get("change") in {"raised", "continues"}
    }


def episode(random: Random, signal: str, every: float, minutes: Sequence[int]) -> list[Measurement]:
    """Ordinary, beyond a limit, ordinary: so many minutes each, one reading in ``every`` seconds,
    by steps that wait for no second reading."""
    usual = 72.0 if signal == "heart_rate" else 124.0
    level, found = random.choice(LEVELS[signal]), list[Measurement]()
    value = usual if minutes[0] else level
    for target, length in zip((usual, level, usual), minutes, strict=True):
        for _ in range(round(length * 60 / every)):
            value += max(-24.0, min(24.0, target - value))
            shown = value + len(found) % 3  # no pressure is the last one again
            values = {signal: shown}
            if signal == "systolic":
                values["diastolic"] = round(shown * 0.62)
            found.append(measured(len(found) * every, values, "rest"))
    return found


def history(seed: int, activity: Activity = "rest") -> list[Measurement]:
    """20 minutes to 4 hours of one finding, at 1 to 10 minutes, with what was around it."""
    random = Random(seed)  # noqa: S311
    signal = random.choice(["heart_rate", "systolic"])
    every = random.choice([60.0, 120.0, 180.0, 300.0, 600.0] if signal == "heart_rate" else [300.0])
    before, after = random.choice([0, 30, 60, 180]), random.choice([0, 0, 10, 30, 180])
    found = episode(random, signal, every, (before, random.choice([30, 45, 60, 120, 240]), after))
    return [replace(one, context=Context(activity)) for one in found]


def sent(parts: Sequence[Sequence[Measurement]], apart: float = 1.0) -> list[Upload]:
    """The parts in this order, the first as soon as the newest reading was measured."""
    end = max(seconds(one.time) or 0.0 for part in parts for one in part) + 20.0
    return [upload(*part, received=end + i * apart) for i, part in enumerate(parts)]


def parts_of(readings: Sequence[Measurement], size: int) -> list[list[Measurement]]:
    return [[*readings[i : i + size]] for i in range(0, len(readings), size)]


def found(log: Sequence[Upload], settled: DetectionConfig = PLAIN) -> list[Event]:
    """All events, with ticks for an hour afterwards."""
    engine, end = Engine(settled), seconds(log[-1].received_at) or 0.0
    ticks: Log = [at(end + 60.0 * i) for i in range(1, 61)]
    return run([*log, *ticks], engine) + engine.finish()


def lost(expected: Sequence[Event], events: Sequence[Event]) -> list[Conclusion]:
    """What was concluded in order, and is not."""
    known = conclusions(events)
    return [one for one in conclusions(expected) if not any(one.is_of(other) for other in known)]


def less_urgent(expected: Sequence[Event], events: Sequence[Event]) -> list[Conclusion]:
    """What was more urgent in order."""
    known = conclusions(events)
    return [
        one
        for one in conclusions(expected)
        if all(
            ORDER.index(other.priority) > ORDER.index(one.priority)
            for other in known
            if one.is_of(other)
        )
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5, 30]), st.sampled_from([1.0, 20.0]))
def test_nothing_is_lost_newest_first(seed: int, size: int, apart: float) -> None:
    readings = history(seed)
    expected = found(sent(parts_of(readings, 1)))
    newest_first = [part[::-1] for part in parts_of(readings[::-1], size)]
    events = found(sent(newest_first, apart))
    assert lost(expected, events) == []
    assert lost(events, expected) == [], "and nothing is added"
    assert less_urgent(expected, events) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 5, 30]))
def test_what_pages_in_order_and_lasts_pages_newest_first(seed: int, size: int) -> None:
    readings = history(seed)
    expected = found(sent(parts_of(readings, 1)))
    assume(any(one.end > 1e11 for one in conclusions(expected)))
    newest_first = [part[::-1] for part in parts_of(readings[::-1], size)]
    assert paging(expected) <= paging(found(sent(newest_first)))


@pytest.mark.parametrize("activity", ["rest", "unknown"])
@pytest.mark.parametrize("size", [1, 5, 30])
def test_nothing_is_lost_of_shuffled_parts(size: int, activity: Activity) -> None:
    for seed in range(40):
        readings = history(seed, activity)
        parts = parts_of(readings, size)
        Random(seed).shuffle(parts)  # noqa: S311
        expected = found(sent(parts_of(readings, 1)))
        assert lost(expected, found(sent(parts))) == [], seed


def sittings(seed: int) -> list[Measurement]:
    """A cuff used twice a day, two measurements each, the last ones beyond a limit."""
    random = Random(seed)  # noqa: S311
    usual, beyond = (124, 78, 72), random.choice([(84, 50, 80), (168, 104, 80), (120, 78, 33)])
    count, readings = random.randint(2, 6), list[Measurement]()
    for i in range(count):
        for again in range(2):
            level = beyond if i == count - 1 or random.random() < 0.5 else usual
            systolic, diastolic, rate = (float(value + random.randint(-2, 2)) for value in level)
            values = {"heart_rate": rate, "systolic": systolic, "diastolic": diastolic}
            readings.append(measured(i * 12 * HOUR + again * 120.0, values))
    return readings


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5]))
def test_what_pages_of_a_cuff_in_order_pages_newest_first(seed: int, size: int) -> None:
    readings = sittings(seed)
    expected = found(sent(parts_of(readings, 1)), CUFF)
    newest_first = [part[::-1] for part in parts_of(readings[::-1], size)]
    assert paging(expected) <= paging(found(sent(newest_first), CUFF))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 5]), st.randoms(use_true_random=False))
def test_sent_again_and_saved_between_it_is_the_same(seed: int, size: int, random: Random) -> None:
    """Each upload twice, and a worker's end after any of them."""
    parts = parts_of(history(seed)[:80], size)
    random.shuffle(parts)
    log = sent(parts)
    engine, events = Engine(PLAIN), list[Event]()
    for item in log:
        events += engine.process(item)
        heir = Engine(PLAIN)
        heir.load_state("p1", engine.state_of("p1"))
        engine = heir
        events += engine.process(replace(item, received_at=item.received_at))
    plain = Engine(PLAIN)
    assert written(events + engine.finish()) == written(run(log, plain) + plain.finish())
    steps = [(event.episode_id, event.sequence) for event in events]
    assert len(steps) == len({*steps}), "and no step is made twice"
