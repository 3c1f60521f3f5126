"""Laws that every detector of the registry keeps; a new row there is tested with no line here."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from detectors.configuration.loading import load
from detectors.configuration.patient import PatientConfig
from detectors.contract import BETWEEN, BEYOND, CLEAR, MUTED, Detector, Finding, Moment
from detectors.registry import BUILT_IN
from tests.support.vitals import config, moment
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.domain.signals import NAMES, SIGNALS

Make = Callable[[PatientConfig], Detector]
EAGER = config(
    baseline={"ready_readings": 3, "ready_minutes": 3},
    scorer={
        "grace_blocks": 3, "grace_night_blocks": 0, "blocks": 1, "below": 200.0, "score": 0.3,
        "clear_score": 0.2,
    },
    irregularity={"longest_interval_seconds": 600.0, "window_seconds": 60.0},
    resting={"ready_nights": 2, "least_hours": 0.25},
    pressure_days={"least_days": 1, "least_readings": 1},
    novelty={"ready_readings": 3, "ready_seconds": 60, "together_seconds": 600},
    deterioration={"enabled": True, "ready_seconds": 600, "every_seconds": 60},
    plugins={
        "far": {
            "detector": "river.anomaly.StandardAbsoluteDeviation", "kind": "heart_rate_unusual",
            "signals": ["heart_rate"], "threshold": 2.0, "warmup_readings": 5,
        },
    },
).everyone  # fmt: skip
OPEN = frozenset(KINDS) - {"no_data", "poor_contact", "sensor_fault", "device_clock"}


@pytest.fixture(params=sorted(BUILT_IN))
def make(request: pytest.FixtureRequest) -> Make:
    return BUILT_IN[request.param]


def moments(seed: int = 1, count: int = 400, every: float = 60.0) -> Iterator[Moment]:
    """A varied life: every signal, present or missing, calm or not; ``every`` so many seconds."""
    source = random.Random(seed)  # noqa: S311
    for i in range(count):
        values = {
            name: source.uniform(SIGNALS[name].lowest, SIGNALS[name].highest)
            if source.random() < 0.2
            else {"heart_rate": 70.0, "systolic": 125.0, "diastolic": 80.0}.get(name, 37.0)
            for name in NAMES
            if source.random() < 0.8
        }
        activity = source.choice(["asleep", "rest", "active", "unknown"])
        watched = OPEN if source.random() < 0.3 else ()
        here = moment(i * every, activity, "", watched, **values)  # type: ignore[arg-type]
        for name in values:  # said by the baseline, which examines before those that read it
            here.scores[f"baseline.{name}"] = source.gauss(0.0, 3.0)
        yield here


def live(detector: Detector, memory: Any, history: Iterator[Moment]) -> list[list[Finding]]:
    """Examine and learn, as the engine does."""
    announced = []
    for here in history:
        announced.append(list(detector.examine(here, memory)))
        detector.learn(here, memory, frozenset({"systolic"}) if here.watched else ())
    return announced


def test_its_name_is_its_row(make: Make) -> None:
    assert BUILT_IN[make(EAGER).name] is make


def test_the_same_moments_give_the_same_findings(make: Make) -> None:
    one, two = make(EAGER), make(EAGER)
    assert live(one, one.fresh(), moments()) == live(two, two.fresh(), moments())


def test_findings_are_well_formed(make: Make) -> None:
    detector = make(EAGER)
    rules = set(detector.rules())
    history = (moments(), moments(every=3600.0))  # hours, and weeks
    findings = [f for few in history for t in live(detector, detector.fresh(), few) for f in t]
    assert findings, "these moments must try it"
    for finding in findings:
        rule = finding.rule
        assert rule.name in rules
        assert rule.detector == detector.name
        assert finding.stance in {BEYOND, BETWEEN, CLEAR, MUTED}
        assert PRIORITY_ORDER[rule.priority] <= PRIORITY_ORDER[KINDS[rule.kind].priority]
        assert rule.kind in EAGER.episodes
        assert finding.value is not None
        assert rule.direction in {"above", "below"} or rule.detector == "plugins"


def test_rules_are_named_once() -> None:
    names = [name for make in BUILT_IN.values() for name in make(load().everyone).rules()]
    assert len(names) == len(set(names))


def test_what_it_is_given_is_not_changed(make: Make) -> None:
    detector = make(EAGER)
    history = list(moments())
    before = copy.deepcopy(history)
    live(detector, detector.fresh(), iter(history))
    for here in (*history, *before):  # the one part that it may add to, under its own name
        for key in [key for key in here.scores if key.startswith(detector.name)]:
            del here.scores[key]
    assert history == before


def test_examining_teaches_nothing(make: Make) -> None:
    detector = make(EAGER)
    memory = detector.fresh()
    live(detector, memory, moments())
    before = msgspec.msgpack.encode(detector.dump(memory))
    for here in moments(seed=2):
        list(detector.examine(here, memory))
        for signal in (*NAMES, "shock_index", ""):
            detector.evidence(here, memory, signal)
    assert msgspec.msgpack.encode(detector.dump(memory)) == before


def test_nothing_measured_is_no_finding_and_no_lesson(make: Make) -> None:
    detector = make(EAGER)
    memory = detector.fresh()
    before = detector.dump(memory)
    assert list(detector.examine(moment(), memory)) == []
    detector.learn(moment(), memory, ())
    assert detector.dump(memory) == before


def test_a_memory_saved_and_loaded_goes_on_exactly(make: Make) -> None:
    detector = make(EAGER)
    memory = detector.fresh()
    live(detector, memory, moments(count=150))
    saved = msgspec.msgpack.encode(detector.dump(memory))
    heir = make(EAGER)
    again = heir.load(msgspec.msgpack.decode(saved))
    rest = list(moments(seed=3, count=150))
    assert live(detector, memory, iter(rest)) == live(heir, again, iter(rest))
    assert msgspec.msgpack.encode(detector.dump(memory)) == msgspec.msgpack.encode(heir.dump(again))


def test_evidence_can_be_written_and_is_finite(make: Make) -> None:
    detector = make(EAGER)
    memory = detector.fresh()
    for here in moments():
        detector.learn(here, memory, ())
        for signal in NAMES:
            announced = detector.evidence(here, memory, signal)
            assert msgspec.json.decode(msgspec.json.encode(announced)) == announced


def test_a_memory_stays_small(make: Make) -> None:
    detector = make(EAGER)
    memory = detector.fresh()
    live(detector, memory, moments(count=5000))
    assert len(msgspec.msgpack.encode(detector.dump(memory))) < 4000
