"""Signals that the table does not know: passed over, and the rest judged as if they were absent."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from msgspec.structs import replace

from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from tests.support.vitals import at
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.reading import Context, Measurement, Upload
from vigil.domain.signals import NAMES

CONFIG = load()
STRANGE = (
    "glucose", "context", "device_clock", "pressure", "shock_index", "", "heart_rate ", "é",
    "values", "Heart_Rate", "heart_rate\0", "x" * 300,
)  # fmt: skip
"""Among them names that the engine uses itself."""
FIGURES = (-1e15, -1.0, 0.0, 5e-324, 1.0, 36.6, 60.0, 70.0, 97.0, 120.0, 150.0, 320.0, 1e15)
known = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(FIGURES), max_size=4)
unknown = st.dictionaries(st.sampled_from(STRANGE), st.sampled_from(FIGURES), max_size=3)
contexts = st.builds(
    Context,
    activity=st.sampled_from(("asleep", "rest", "active", "unknown")),
    steps_per_min=st.none() | st.sampled_from(FIGURES),
    posture=st.sampled_from((None, "", "lying", "\0")),
    contact=st.sampled_from((None, True, False)),
)


@st.composite
def stories(draw: Any) -> list[tuple[Upload, Upload]]:
    """Uploads with what is unknown, and the same without it."""
    pairs = []
    for number in range(draw(st.integers(1, 15))):
        rows = []
        for second in range(draw(st.integers(1, 3))):
            time = at(60.0 * number + second - draw(st.sampled_from((0, 0, 0, 500))))
            values = draw(known)
            rows.append(
                (
                    Measurement(f"{number}-{second}", time, values | draw(unknown), draw(contexts)),
                    values,
                )
            )
        device = draw(st.sampled_from(("watch", "cuff")))
        whole = Upload("p1", device, at(60.0 * number + 5), tuple(row for row, _ in rows))
        plain = replace(
            whole, measurements=tuple(replace(row, values=values) for row, values in rows)
        )
        pairs.append((whole, plain))
    return pairs


@given(stories())
@hypothesis_settings(max_examples=60)
def test_the_known_signals_are_judged_as_if_the_unknown_were_absent(
    story: list[tuple[Upload, Upload]],
) -> None:
    one, other = Engine(CONFIG), Engine(CONFIG)
    for whole, plain in story:
        announced: list[Event] = one.process(msgspec.json.decode(encode(whole), type=Upload))
        expected = other.process(plain)
        assert [encode(event) for event in announced] == [encode(event) for event in expected]
    assert one.state_of("p1") == other.state_of("p1")
    unknown_values = sum(
        len(row.values.keys() - set(NAMES)) for whole, _ in story for row in whole.measurements
    )
    assert (one.take_unknown_values(), other.take_unknown_values()) == (unknown_values, 0)


def test_a_reading_of_unknown_signals_alone_raises_nothing() -> None:
    engine = Engine(CONFIG)
    rows = tuple(Measurement(str(n), at(n), {f"signal_{n}": 1e308}) for n in range(3))
    assert engine.process(Upload("p1", "watch", at(5), rows)) == []
    assert engine.take_unknown_values() == 3
    assert len(engine.state_of("p1")) < 1000


@pytest.mark.parametrize("values", [{"glucose": 5.5}, {}], ids=["unknown", "empty"])
def test_who_sends_nothing_that_is_known_is_silent(values: dict[str, float]) -> None:
    """Else a device that measures something else would keep "no data" from being told."""
    engine = Engine(CONFIG)
    events: list[Event] = []
    for minute in range(150):
        time = at(60.0 * minute)
        announced = {"heart_rate": 70.0 + minute % 3} if minute < 60 else values
        row = Measurement(str(minute), time, announced)
        events += engine.process(Upload("p1", "watch", time, (row,)))
        events += engine.tick(time)
    assert [(event.kind, event.phase) for event in events] == [("no_data", "opened")]
