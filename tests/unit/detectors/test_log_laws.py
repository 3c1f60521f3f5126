"""Laws of one log: where its ticks fall, and what is sent again, must not decide what is found."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.engine import missing_data
from detectors.engine.engine import Engine
from tests.support.patient_logs import Log, run, written
from tests.support.vitals import HOUR, at, config, heart, seconds
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

pytestmark = pytest.mark.slow  # laws on dozens of invented logs

PLAIN = config()

rates = st.lists(
    st.sampled_from([70.0, 104.0, 113.0, 124.0, 131.0, 156.0]), min_size=4, max_size=12
)


def minutes(levels: Sequence[float]) -> list[Upload]:
    """Each level for six minutes, by steps that a heart can make."""
    rate, found = levels[0], list[float]()
    for level in levels:
        for i in range(6):
            rate += max(-9.0, min(9.0, level - rate))
            found.append(rate + i % 3)
    return heart(found)


def clinical(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.kind != missing_data.KIND]


@settings(max_examples=25, deadline=None)
@given(rates, st.sampled_from([0.0, 40.0, HOUR, 10 * HOUR, 9000 * HOUR]), st.data())
def test_ticks_anywhere_change_nothing_of_readings_in_order(
    levels: list[float], ahead: float, data: st.DataObject
) -> None:
    """By a clock that is far ahead of what is received too, as where a recording is replayed."""
    items = minutes(levels)
    log: Log = []
    for item in items:
        log.append(item)
        if data.draw(st.booleans()):
            log.append(at((seconds(item.received_at) or 0.0) + ahead))
    found, expected = run(log, Engine(PLAIN)), run(items, Engine(PLAIN))
    assert written(clinical(found)) == written(expected)


fast = st.lists(st.sampled_from([112.0, 131.0, 156.0]), min_size=3, max_size=6)


@settings(max_examples=40, deadline=None)
@given(fast, st.sampled_from([HOUR, 10 * HOUR]), st.data())
def test_nor_does_a_clock_ahead_make_history_of_readings_that_come_late(
    levels: list[float], ahead: float, data: st.DataObject
) -> None:
    """Whether late readings are history is by when each was received, not by the ticks around."""
    items = minutes([70.0, *levels])
    begin = data.draw(st.integers(3, len(items) - 3))
    end = data.draw(st.integers(begin + 1, min(begin + 12, len(items) - 2)))
    back = data.draw(st.integers(end + 1, min(end + 8, len(items))))
    delayed = [replace(one, received_at=items[back - 1].received_at) for one in items[begin:end]]
    last = seconds(items[back - 1].received_at) or 0.0

    def events(by: float) -> list[bytes]:
        ticks = [at(last + by + 60 * i) for i in range(1, 20)]
        log: Log = [at(by), *items[:begin], *items[end:back], *delayed, *ticks]
        return written(clinical(run(log, Engine(PLAIN))))

    assert events(ahead) == events(0.0)
