"""Two devices for one person: one is believed, and they may contradict each other."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.admission.sources import Devices, Sources
from detectors.admission.tracks import Track
from detectors.configuration.loading import load
from tests.support.vitals import announced, config, detect, engine, heart, measured, seconds, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

SOURCES = Sources(load().everyone.sources)
RANKED = {"sources": {"priority": {"heart_rate": ["chest-*", "watch-*"]}}}


def taken(log: Iterable[tuple[float, str]], sources: Sources = SOURCES) -> list[str]:
    """Of (time, device), the devices whose heart rates were believed, in order."""
    devices, tracks, believed = Devices(), dict[str, Track](), list[str]()
    for time, device in log:
        if sources.choose(devices, device, time, {"heart_rate": 70.0}, tracks).values:
            tracks["heart_rate"] = Track(70.0, time, time)
            believed.append(device)
    return believed


def test_one_device_is_always_believed() -> None:
    devices = Devices()
    values = {"heart_rate": 70.0}
    assert SOURCES.choose(devices, "a", 0.0, values, {}).values is values
    assert devices == Devices(only="a")


def test_the_first_heard_is_preferred_while_it_delivers() -> None:
    log = [(i * 60.0, "ab"[i % 2]) for i in range(60)]
    runs = engine()
    for time, device in log:
        rate = 70.0 if device == "a" else 74.0
        runs.process(replace(upload(measured(time, {"heart_rate": rate})), device_id=device))
    assert runs._monitors["p1"].state.devices.preferred["heart_rate"].device == "a"
    assert runs._monitors["p1"].state.tracks["heart_rate"].value == 70.0
    assert set(taken(log)) == {"a"}


def test_another_takes_over_from_one_that_is_silent_and_stays() -> None:
    first = [(i * 60.0, "a") for i in range(5)]
    then = [(250.0 + i * 60.0, "b") for i in range(40)]
    both = [(3000.0 + i * 30.0, "ab"[i % 2]) for i in range(40)]
    silent = sum(time <= 240 + 900 for time, _ in then)
    assert taken([*first, *then, *both]) == ["a"] * 5 + ["b"] * (40 - silent) + ["b"] * 20


def test_a_ranked_device_is_believed_at_once_and_named_before_unnamed() -> None:
    ranked = Sources(config(**RANKED).everyone.sources)
    log = [(0.0, "other"), (1.0, "watch-1"), (2.0, "chest-1"), (3.0, "watch-1"), (4.0, "other")]
    assert taken(log, ranked) == ["other", "watch-1", "chest-1"]
    assert taken([*log, (2000.0, "watch-1"), (2001.0, "chest-1")], ranked)[-2:] == [
        "watch-1", "chest-1",
    ]  # fmt: skip


def test_a_pulse_belongs_to_the_pressure_that_it_came_with() -> None:
    devices, watch = Devices(), {"heart_rate": Track(70.0, 0.0, 0.0)}
    SOURCES.choose(devices, "watch", 0.0, {"heart_rate": 70.0}, watch)
    both = {"heart_rate": 75.0, "systolic": 120.0, "diastolic": 80.0}
    assert SOURCES.choose(devices, "cuff", 10.0, both, watch).values == both
    assert SOURCES.choose(devices, "cuff", 20.0, {"heart_rate": 75.0}, watch).values == {}


def _from(device: str, uploads: Iterable[Upload]) -> list[Upload]:
    return [replace(item, device_id=device) for item in uploads]


def _both(one: Iterable[float], two: Iterable[float]) -> list[Event]:
    log = [*_from("a", heart(one)), *_from("b", heart(two, start=20.0))]
    return detect(sorted(log, key=lambda item: item.received_at))


def test_the_second_devices_values_are_not_judged() -> None:
    assert _both([70.0 + i % 3 for i in range(9)], [165.0 + i % 3 for i in range(9)]) == []


def test_devices_that_disagree_for_long_are_a_fault_until_they_agree() -> None:
    one = [70.0 + i % 3 for i in range(60)]
    two = [rate + (35.0 if i < 30 else 0.0) for i, rate in enumerate(one)]
    events = _both(one, two)
    assert announced(events) == [
        ("sensor_fault", "opened", "low"),
        ("sensor_fault", "closed", "low"),
    ]
    assert events[0].evidence["reason"] == "devices_disagree"
    assert (seconds(events[0].onset), seconds(events[0].detected_at)) == (20, 620)
    small = [rate + 12.0 for rate in one]
    assert _both(one, small) == []


def test_it_can_be_switched_off() -> None:
    off = Sources(config(sources={"enabled": False}).everyone.sources)
    assert taken([(0.0, "a"), (1.0, "b"), (2.0, "a")], off) == ["a", "b", "a"]


@given(st.lists(st.tuples(st.integers(0, 1200), st.sampled_from("abc")), max_size=60))
def test_between_equals_the_believed_one_changes_only_after_its_silence(
    steps: list[tuple[int, str]],
) -> None:
    devices, tracks, now, last = Devices(), dict[str, Track](), 0.0, ("", 0.0)
    for gap, device in steps:
        now += gap
        if SOURCES.choose(devices, device, now, {"heart_rate": 70.0}, tracks).values:
            tracks["heart_rate"] = Track(70.0, now, now)
            assert last[0] in {"", device} or now - last[1] > 900
            last = (device, now)
        else:
            assert last[0] != device
            assert now - last[1] <= 900
