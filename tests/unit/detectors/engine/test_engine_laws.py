"""The same log gives the same events: in any batches, across any save and load, read twice."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine
from tests.support import patient_logs
from tests.support.patient_logs import Log, logs, written
from tests.support.vitals import at, config, cuff, measured
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.kinds import PRIORITY_ORDER
from vigil.domain.reading import Measurement, Upload

pytestmark = pytest.mark.slow  # laws on hundreds of invented logs

CONFIG = config(
    baseline={"ready_readings": 4, "ready_minutes": 4, "adopt_after_seconds": 7200},
    admission={"stuck": {"heart_rate": {"readings": 6, "seconds": 120}}},
)


def run(log: Log, engine: Engine | None = None) -> list[Event]:
    return patient_logs.run(log, engine or Engine(CONFIG))


def handed_over(engine: Engine, settings: DetectionConfig = CONFIG) -> Engine:
    """Another worker's engine, from what was saved."""
    heir = Engine(settings)
    heir.watermark = engine.watermark
    for patient_id in engine.patients():
        heir.load_state(patient_id, engine.state_of(patient_id))
    return heir


@settings(max_examples=80, deadline=None)
@given(logs(), st.data())
def test_a_save_and_load_at_any_point_changes_nothing(log: Log, data: st.DataObject) -> None:
    whole = run(log)
    cut = data.draw(st.integers(0, len(log)))
    first = Engine(CONFIG)
    before = run(log[:cut], first)
    second = handed_over(first)
    after = run(log[cut:], second)
    assert written(before + after) == written(whole)
    straight = Engine(CONFIG)
    run(log, straight)
    assert {p: straight.state_of(p) for p in straight.patients()} == {
        p: second.state_of(p) for p in second.patients()
    }


@settings(max_examples=40, deadline=None)
@given(logs())
def test_a_save_and_load_after_every_message_changes_nothing(log: Log) -> None:
    engine, events = Engine(CONFIG), []
    for item in log:
        events += run([item], engine)
        engine = handed_over(engine)
    assert written(events) == written(run(log))


@settings(max_examples=60, deadline=None)
@given(logs())
def test_one_measurement_an_upload_gives_the_same_events(log: Log) -> None:
    apart: Log = []
    for item in log:
        if isinstance(item, datetime):
            apart.append(item)
        else:
            apart += [replace(item, measurements=(m,)) for m in item.measurements]
    assert written(run(apart)) == written(run(log))


@settings(max_examples=50, deadline=None)
@given(logs())
def test_a_log_read_twice_tells_nothing_new(log: Log) -> None:
    engine = Engine(CONFIG)
    run(log, engine)
    states = {patient: engine.state_of(patient) for patient in engine.patients()}
    engine.take_changed()
    assert run(log, engine) == []
    assert {patient: engine.state_of(patient) for patient in engine.patients()} == states
    assert engine.take_changed() == set()


@settings(max_examples=80, deadline=None)
@given(logs())
def test_every_story_is_whole(log: Log) -> None:
    episodes: dict[str, list[Event]] = {}
    for event in run(log):
        episodes.setdefault(event.episode_id, []).append(event)
    for steps in episodes.values():
        assert [step.sequence for step in steps] == list(range(len(steps)))
        assert steps[0].phase == "opened"
        assert len({(s.patient_id, s.kind) for s in steps}) == 1
        for one, next_ in pairwise(steps):
            earlier = next_.evidence.get("change") == "earlier"
            assert one.phase != "closed" or (earlier and next_.phase == "closed")
            assert next_.phase != "opened"
            assert next_.onset < one.onset if earlier else next_.onset == one.onset
        for one, next_ in pairwise(steps):
            assert PRIORITY_ORDER[next_.priority] <= PRIORITY_ORDER[one.priority]
            assert next_.detected_at >= one.detected_at
        assert (steps[-1].ended_at is not None) == (steps[-1].phase == "closed")


@settings(max_examples=40, deadline=None)
@given(logs())
def test_the_input_is_not_changed(log: Log) -> None:
    before = [encode(item) for item in log]
    run(log)
    assert [encode(item) for item in log] == before


def test_a_state_of_another_version_or_none_is_refused_in_words() -> None:
    import msgspec
    import pytest

    from vigil.service.errors import WireError

    engine = Engine(CONFIG)
    run([Upload("p1", "d1", at(0), (measured(0.0, {"heart_rate": 70.0}),))], engine)
    newer = msgspec.msgpack.encode([99, *msgspec.msgpack.decode(engine.state_of("p1"))[1:]])
    for broken in (newer, b"", b"\x80", engine.state_of("p1")[:-3], b"{}"):
        with pytest.raises(WireError, match="state cannot be read"):
            Engine(CONFIG).load_state("p1", broken)


def test_what_a_wrong_clock_makes_known_shows_what_is_usual() -> None:
    """A part that joined is told with the next event, be it about no reading at all."""

    def upload(seconds: float, *measurements: Measurement) -> Upload:
        return Upload("p1", "d1", at(seconds), measurements)

    calm = (
        measured(
            i * 60.0, {"heart_rate": 66.0 + i % 5, "systolic": 104.0 + i % 5, "diastolic": 66.0}
        )
        for i in range(40)
    )
    low = (measured(2400 + i * 60.0, {"systolic": 88.0 - i, "diastolic": 60.0}) for i in range(3))
    fast = (measured(2550 + i * 60.0, {"heart_rate": 124.0 + i % 5}, "rest") for i in range(12))
    log: Log = [
        upload(3300, *calm, *low, *fast),
        upload(4500, measured(30000.0, {"heart_rate": 70.0})),
    ]
    announced = run(log)
    assert [(event.kind, event.phase) for event in announced] == [
        ("blood_pressure_low", "opened"),
        ("blood_pressure_low", "updated"),
        ("device_clock", "opened"),
    ]
    joined = announced[1]
    assert joined.detected_at == at(4500)
    assert joined.evidence["last_reading"] == "2026-03-02T00:42:00Z", "nothing of it was measured"
    assert [part["kind"] for part in joined.evidence["parts"]] == ["heart_rate_high"]
    assert joined.evidence["baseline"]["bin"] == "unknown:night"


@given(st.permutations(["systolic", "diastolic", "heart_rate"]))
def test_the_order_of_a_readings_values_means_nothing(names: list[str]) -> None:
    rows = [(201, 128), (203, 125), (204, 126), (199, 128), (120, 70), (118, 70), (119, 71)]
    log = cuff(rows, every=300, heart_rate=70.0)

    def announced(order: list[str]) -> list[bytes]:
        engine, found = Engine(config()), []
        for item in log:
            rows = tuple(
                replace(row, values={name: row.values[name] for name in order})
                for row in item.measurements
            )
            found += engine.process(replace(item, measurements=rows))
        return [encode(event) for event in found]

    assert announced(names) == announced(sorted(names)) != []
