"""Values that dance on limits, episodes that come again, and readings that come late."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.episodes.tracker import UNOBSERVED
from tests.support.vitals import DAY, cuff, detect, heart, measured, seconds, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

A_DAY = 1440
"""Minutes."""


def opened(events: list[Event]) -> Counter[str]:
    return Counter(event.kind for event in events if event.phase == "opened")


@pytest.mark.parametrize("reach", [3, 8, 12])
def test_a_heart_rate_that_dances_on_a_limit_for_a_day_is_one_episode(reach: int) -> None:
    source = random.Random(reach)  # noqa: S311
    dance = heart([120 + source.randint(-reach, reach) for _ in range(A_DAY)])
    assert opened(detect(dance)) == {"heart_rate_high": 1}


def test_dancing_on_two_limits_is_one_episode_too() -> None:
    source = random.Random(2)  # noqa: S311
    dance = heart([source.choice([118, 122, 148, 152]) for _ in range(A_DAY)])
    events = detect(dance)
    assert opened(events) == {"heart_rate_high": 1}
    assert {event.priority for event in events[-1:]} == {"high"}


def test_a_pressure_that_dances_on_several_limits_is_one_episode() -> None:
    """Systolic on 90, the mean on 65, the shock index on 1, the heart rate on 120."""
    source = random.Random(3)  # noqa: S311
    dance = []
    for minute in range(A_DAY):
        systolic = 90.0 + source.choice([-2, -1, 1, 2])
        diastolic = 53.0 + minute % 2  # a pair that repeats would be the same one again
        values = {"systolic": systolic, "diastolic": diastolic, "heart_rate": systolic + 30}
        dance.append(upload(measured(minute * 60.0, values, "rest")))
    events = detect(dance)
    counts = opened(events)
    assert counts["blood_pressure_low"] == 1
    assert sum(counts.values()) == 1, counts
    assert len(events) <= 2 + DAY / 900, "an update in a quarter of an hour at most"


def test_an_episode_that_comes_again_waits_its_delay_anew_and_has_its_own_id() -> None:
    fast, calm = [130.0 + i % 3 for i in range(15)], [70.0 + i % 3 for i in range(30)]
    events = detect(heart([*calm, *fast, *calm, *fast]))
    starts = [event for event in events if event.phase == "opened"]
    assert [seconds(event.onset) for event in starts] == [30 * 60, 75 * 60]
    assert [seconds(event.detected_at) for event in starts] == [40 * 60, 85 * 60]
    assert len({event.episode_id for event in starts}) == 2
    assert {event.sequence for event in starts} == {0}


def test_an_episode_bridges_a_day_without_its_signal_and_ends_by_its_values() -> None:
    low = cuff([(84, 60), (84, 60)])
    ordinary = cuff([(120, 80), (121, 80), (120, 81)], start=DAY)
    between = heart([70 + i % 4 for i in range(48)], start=7200, every=3600)
    events = [e for e in detect([*low, *between, *ordinary]) if e.category == "clinical"]
    assert [(event.kind, event.phase) for event in events] == [
        ("blood_pressure_low", "opened"),
        ("blood_pressure_low", "closed"),
    ]
    assert seconds(events[1].ended_at) == DAY


def test_an_episode_does_not_outlive_what_was_observed() -> None:
    low = cuff([(84, 60), (84, 60)])
    ordinary = cuff([(120, 80), (121, 80), (120, 81)], start=6 * DAY)
    between = heart([70 + i % 4 for i in range(48)], start=7200, every=3600)
    events = [e for e in detect([*low, *between, *ordinary]) if e.category == "clinical"]
    assert [(event.kind, event.phase) for event in events] == [
        ("blood_pressure_low", "opened"),
        ("blood_pressure_low", "closed"),
    ]
    assert events[1].evidence["reason"] == UNOBSERVED
    assert seconds(events[1].ended_at) == 1800, "its last reading"
    assert "value" not in events[1].evidence, "the reading that shows it is not one of its own"


rates = st.lists(
    st.sampled_from([70.0, 71.0, 112.0, 125.0, 126.0, 155.0, 38.0]), min_size=1, max_size=60
)


def _story(events: list[Event]) -> list[tuple[object, ...]]:
    return [(e.episode_id, e.phase, e.priority, e.detected_at, e.ended_at) for e in events]


def _late(item: Upload, by: float) -> Upload:
    return replace(item, received_at=item.received_at + timedelta(seconds=by))


@settings(max_examples=25, deadline=None)
@given(rates, st.lists(st.sampled_from([0.0, 10.0, 899.0, 900.0, 5000.0]), min_size=60))
def test_what_comes_late_tells_the_same_story_as_history(
    values: list[float], delays: list[float]
) -> None:
    """Read in order of measurement, only the mark and the signal delay depend on receipt (but for
    a lateness so constant that the clock must be off, and the repeat of what came late once it is
    measured live, which other tests are about)."""
    on_time = [x for rate in values for x in [rate, rate + 1, rate]]
    items = heart(on_time, every=120)
    late = [_late(item, delays[i % len(delays)]) for i, item in enumerate(items)]
    once = {"repeat": {"high": 0.0, "medium": 0.0}}
    events = detect(late, clock_offset={"enabled": False}, **once)
    assert _story(events) == _story(detect(items, **once))
    received = {item.measurements[0].time: item.received_at for item in late}
    for event in events:
        delay = (received[event.detected_at] - event.detected_at).total_seconds()
        assert event.retrospective == (delay > 900)
        assert event.evidence["signal_delay_seconds"] == delay


@settings(max_examples=25, deadline=None)
@given(rates, st.randoms(use_true_random=False))
def test_in_any_order_of_arrival_what_is_older_than_the_newest_changes_nothing(
    values: list[float], source: random.Random
) -> None:
    """The live story is that of the readings that were the newest when they came, but for late
    readings that turn out to be its beginning (``test_late`` is about those)."""
    shuffled = heart([x for rate in values for x in [rate, rate + 1]], every=120)
    source.shuffle(shuffled)
    newest, taken = None, []
    for item in shuffled:
        if newest is None or item.measurements[0].time > newest:
            newest = item.measurements[0].time
            taken.append(item)
    alone = {"late": {"enabled": False}}
    assert _story(detect(shuffled, **alone)) == _story(detect(taken, **alone))
