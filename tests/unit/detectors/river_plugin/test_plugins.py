"""Plug-ins: each of river's detectors keeps the laws, and what goes wrong stays small."""

from __future__ import annotations

import copy
import inspect
import pickle
import random
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from river import anomaly, drift
from river.drift import binary
from structlog.testing import capture_logs

from detectors.configuration.loading import DetectionConfig, from_tables
from detectors.contract import BEYOND, CLEAR, Moment
from detectors.river_plugin import pickles, river_models
from detectors.river_plugin.detector import Plugins
from tests.support.vitals import announced, engine, heart
from vigil.service.errors import SettingsError

ROOM = {"largest_bytes": 100_000}
SCALER = "river.preprocessing.StandardScaler"
ANOMALY: dict[str, dict[str, Any]] = {
    "GaussianScorer": {"threshold": 0.99},
    "HalfSpaceTrees": {
        "parameters": {"n_trees": 3, "height": 4, "window_size": 20},
        "transform": ["river.preprocessing.MinMaxScaler"], "threshold": 0.9, "clear": 0.8,
    },
    "LODA": {"parameters": {"n_random_cuts": 10}, "threshold": 6.0},
    "OneClassSVM": {"transform": [SCALER], "threshold": 1.0},
    "QuantileFilter": {
        "parameters": {
            "anomaly_detector": {"detector": "river.anomaly.OneClassSVM", "transform": [SCALER]},
            "q": 0.95,
        },
    },
    "ThresholdFilter": {
        "parameters": {
            "anomaly_detector": {"detector": "river.anomaly.GaussianScorer"}, "threshold": 0.99,
        },
    },
    "StandardAbsoluteDeviation": {"threshold": 3.0},
    "LocalOutlierFactor": {"parameters": {"n_neighbors": 3}, "threshold": 2.0},
    "PredictiveAnomalyDetection": {
        "parameters": {
            "predictive_model": {
                "detector": "river.time_series.HoltWinters", "parameters": {"alpha": 0.3},
            },
            "n_std": 3.0,
        },
        "threshold": 0.9, "signals": ["heart_rate"],
    },
}  # fmt: skip
DRIFT: dict[str, dict[str, Any]] = {
    "ADWIN": {}, "KSWIN": {}, "PageHinkley": {"parameters": {"threshold": 20.0}},
    "DummyDriftDetector": {"parameters": {"t_0": 50}}, "NoDrift": {},
}  # fmt: skip
BINARY = ("DDM", "EDDM", "FHDDM", "HDDMA", "HDDMW")
NOT_DETECTORS = {"DriftRetrainingClassifier"}


def _tables() -> dict[str, dict[str, Any]]:
    shared = {"kind": "pattern_unusual", "warmup_readings": 20, **ROOM}
    found = {}
    for name, own in ANOMALY.items():
        both = {"signals": ["heart_rate", "systolic"]}
        found[name] = {**shared, **both, "detector": f"river.anomaly.{name}", **own}
    one = {"signals": ["heart_rate"]}
    for name, own in DRIFT.items():
        found[name] = {**shared, **one, "detector": f"river.drift.{name}", **own}
    for name in BINARY:
        more = {"detector": f"river.drift.binary.{name}", "event_above": 90.0}
        found[name] = {**shared, **one, **more}
    return found


TABLES = _tables()
POLICY = {"gap_seconds": 3900, "clear_seconds": 600, "clear_readings": 2, "update_step": 10,
          "update_seconds": 900}  # fmt: skip


def configured(table: dict[str, Any], **own: Any) -> DetectionConfig:
    kinds = {"pattern_unusual": POLICY, "heart_rate_unusual": POLICY}
    return from_tables({"plugins": {"tried": table}, "episodes": kinds, **own})


def plugins(table: dict[str, Any]) -> Plugins:
    return Plugins(configured(table).everyone.plugins)


def moments(seed: int = 1, count: int = 300) -> list[Moment]:
    source, found = random.Random(seed), []  # noqa: S311
    for i in range(count):
        centre = 70.0 if i % 120 < 90 else 130.0
        values = {"heart_rate": centre + source.gauss(0, 3), "systolic": 120 + source.gauss(0, 5)}
        if source.random() < 0.1:
            del values[source.choice(sorted(values))]
        watched = {"pattern_unusual"} if source.random() < 0.5 else ()
        found.append(
            Moment(i * 60.0, i * 60.0, values, "rest", "rest:day", None, None, watched)
        )  # fmt: skip
    return found


def live(detector: Plugins, memory: Any, history: list[Moment]) -> list[Any]:
    reported = []
    for here in history:
        here.scores.clear()
        reported.append(
            [(f.stance, f.value, f.since, f.facts) for f in detector.examine(here, memory)]
        )
        detector.learn(here, memory, ())
    return reported


@pytest.fixture(scope="module", params=sorted(TABLES))
def detector(request: pytest.FixtureRequest) -> Plugins:
    return plugins(TABLES[request.param])


def test_every_detector_of_river_is_tried() -> None:
    classes = {
        name
        for module in (anomaly, drift, binary)
        for name in module.__all__
        if inspect.isclass(getattr(module, name, None))  # river lists one that it does not have
    }
    assert classes - NOT_DETECTORS == set(TABLES)


def test_the_same_life_gives_the_same_findings(detector: Plugins) -> None:
    one = live(detector, detector.fresh(), moments())
    assert one == live(detector, detector.fresh(), moments())
    assert any(one), "this life must try it"


def test_what_it_is_given_is_not_changed(detector: Plugins) -> None:
    history = moments(count=100)
    before = copy.deepcopy(history)
    live(detector, detector.fresh(), history)
    for here in history:
        here.scores.clear()
    assert history == before


def test_examining_teaches_nothing(detector: Plugins) -> None:
    memory = detector.fresh()
    live(detector, memory, moments(count=150))
    other = detector.load(detector.dump(memory))
    for here in moments(seed=2, count=50):
        list(detector.examine(here, memory))
    rest = moments(seed=3, count=100)
    assert live(detector, memory, rest) == live(detector, other, rest)


def test_saved_and_loaded_it_goes_on_exactly(detector: Plugins) -> None:
    memory = detector.fresh()
    live(detector, memory, moments(count=150))
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(detector.dump(memory)))
    again, rest = detector.load(saved), moments(seed=3, count=150)
    assert live(detector, memory, rest) == live(detector, again, rest)


def test_nothing_measured_is_no_finding_and_no_lesson(detector: Plugins) -> None:
    memory = detector.fresh()
    empty = Moment(0.0, 0.0, {}, "rest", "rest:day")
    assert list(detector.examine(empty, memory)) == []
    detector.learn(empty, memory, ())
    assert memory["tried"].readings == 0


def test_no_lesson_during_an_episode_on_its_signal(detector: Plugins) -> None:
    memory = detector.fresh()
    detector.learn(moments(count=1)[0], memory, frozenset({"heart_rate"}))
    assert memory["tried"].readings == 0


def test_its_memory_is_bounded(detector: Plugins) -> None:
    memory = detector.fresh()
    live(detector, memory, moments(count=600))
    assert len(msgspec.msgpack.encode(detector.dump(memory))) < ROOM["largest_bytes"]


SAD = {**TABLES["StandardAbsoluteDeviation"], "signals": ["heart_rate"]}


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"detector": "river.anomaly.Unheard"}, "not known. Known: .*HalfSpaceTrees"),
        ({"detector": "os.system"}, "not a class of river.anomaly"),
        ({"detector": "river.datasets.SMTP"}, "not a class of"),
        ({"detector": "river.drift.DriftRetrainingClassifier"}, "no anomaly or drift detector"),
        ({"parameters": {"speed": 3}}, "no parameter 'speed'. It has: sub_stat"),
        ({"parameters": {"sub_stat": {"detector": "os.system"}}}, "not a class of"),
        ({"parameters": {"sub_stat": {"detector": "river.stats.Mean", "x": 1}}}, "no x"),
        ({"transform": ["river.stats.Mean"]}, "transform"),
        ({"kind": "no_data"}, "kind 'no_data' is not known"),
        ({"kind": "fever"}, "kind 'fever' is not known"),
        ({"signals": []}, "one signal or more"),
        ({"signals": ["mood"]}, "signal 'mood' is not known"),
        ({"signals": ["spo2"], "input": "residuals"}, "need .baseline.signals.spo2."),
        ({"threshold": None}, "needs `threshold`"),
        ({"clear": 4.0}, "`clear` not above"),
        ({"event_above": 1.0}, "binary only"),
        ({"largest_bytes": 100}, "`largest_bytes` allows 100"),
        ({"tresholds": 1.0}, "tresholds"),
        ({"detector": "river.drift.ADWIN"}, "decides itself"),
        ({"detector": "river.drift.binary.DDM", "threshold": None}, "needs `event_above`"),
        ({"detector": "river.drift.ADWIN", "threshold": None, "seconds": 9999.0}, "hold_seconds"),
        ({"detector": "river.anomaly.QuantileFilter", "threshold": None}, "cannot be made so"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused_in_words(
    changed: dict[str, Any], reported: str
) -> None:
    with pytest.raises(SettingsError, match=reported) as caught:
        configured({**SAD, **changed})
    assert "[plugins.tried]" in str(caught.value)


UNUSUAL = {**SAD, "kind": "heart_rate_unusual", "seconds": 300.0, "readings": 3}
CALM = [70.0 + (i * 7) % 5 for i in range(200)]


def test_a_plug_in_opens_and_closes_an_episode_with_its_score_in_the_evidence() -> None:
    own = {"baseline": {"signals": {"heart_rate": {"enabled": False}}}}
    runs = engine(plugins={"far": {**UNUSUAL, "threshold": 5.0}}, **own)
    story = heart([*CALM, *[100.0, 101.0] * 10, *CALM])
    events = [event for item in story for event in runs.process(item)]
    assert announced(events) == [
        ("heart_rate_unusual", "opened", "low"), ("heart_rate_unusual", "closed", "low"),
    ]  # fmt: skip
    evidence = events[0].evidence
    assert evidence["rule"] == "plugins.far"
    assert evidence["score"] == pytest.approx(evidence["scores"]["plugins.far"], abs=0.01)
    assert evidence["score"] > evidence["score_limit"] == 5.0
    assert evidence["value"] in {100.0, 101.0}


def test_residuals_are_distances_from_the_personal_baseline() -> None:
    one = plugins({**UNUSUAL, "input": "residuals"})
    memory = one.fresh()
    here = Moment(0.0, 0.0, {"heart_rate": 70.0}, "rest", "rest:day",
                  scores={"baseline.heart_rate": -1.5})  # fmt: skip
    one.learn(here, memory, ())
    assert memory["tried"].model.sub_stat.get() == -1.5


def test_a_drift_is_told_with_the_next_reading_and_holds_for_a_while() -> None:
    one = plugins({**TABLES["PageHinkley"], "hold_seconds": 600.0})
    memory = one.fresh()
    reported = {}
    for i in range(200):
        here = Moment(i * 60.0, 0.0, {"heart_rate": 70.0 if i < 100 else 90.0}, "rest", "")
        for finding in one.examine(here, memory):
            reported[i] = (finding.stance, finding.since)
        one.learn(here, memory, ())
    first = min(reported)
    assert reported[first] == (BEYOND, (first - 1) * 60.0)
    assert 100 < first < 110
    assert list(reported) == list(range(first, first + 9))


class FaultError(Exception):
    """A model's own."""


def test_one_that_raises_is_muted_and_said_once_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> float:
        raise FaultError

    runs = engine(plugins={"far": UNUSUAL})
    monkeypatch.setattr(anomaly.StandardAbsoluteDeviation, "score_one", fail)
    with capture_logs() as lines:
        story = [*heart([*CALM, *[131.0, 132.0] * 10]), *heart([*CALM], patient="p2")]
        events = [event for item in story for event in runs.process(item)]
    assert announced(events)[0] == ("heart_rate_high", "opened", "medium")
    muted = [line for line in lines if line["event"] == "plug-in muted"]
    assert [(m["code"], m["why"]) for m in muted] == [("detection.plugin_muted", "FaultError")]
    heir = engine(plugins={"far": UNUSUAL})
    heir.load_state("p1", runs.state_of("p1"))
    assert heir._monitors["p1"].state.memories["plugins"]["far"].muted == "FaultError"
    changed = engine(plugins={"far": {**UNUSUAL, "threshold": 4.0}})
    changed.load_state("p1", runs.state_of("p1"))
    assert changed._monitors["p1"].state.memories["plugins"]["far"].muted == ""


def test_one_that_grows_past_its_bound_learns_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.river_plugin.detector.SIZED_EVERY", 400)
    window = {"detector": "river.anomaly.GaussianScorer", "signals": ["heart_rate"],
              "kind": "heart_rate_unusual", "threshold": 0.99, "largest_bytes": 9000,
              "parameters": {"window_size": 900}}  # fmt: skip
    one = plugins(window)
    memory = one.fresh()
    live(one, memory, [m for m in moments(count=900) if "heart_rate" in m.values])
    assert memory["tried"].muted == "too_large"


def test_a_muted_plug_in_lets_its_episode_end() -> None:
    one = plugins(UNUSUAL)
    memory = one.fresh()
    memory["tried"].muted = "Fault"
    here = Moment(0.0, 0.0, {"heart_rate": 70.0}, "rest", "", None, None, {"heart_rate_unusual"})
    assert [finding.stance for finding in one.examine(here, memory)] == [CLEAR]


class Evil:
    """A pickle that runs what it likes."""

    def __init__(self, *call: Any):
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize(
    "bad",
    [
        Evil(eval, "1+1"), Evil(print, "x"), Evil(Path, "x"), Evil(getattr, "x", "__class__"),
        Evil(getattr, anomaly.GaussianScorer, "__init__"),
        Evil(getattr, anomaly.GaussianScorer(), "gaussian"), Evil(inspect.getsource, 3),
    ],
)  # fmt: skip
def test_a_pickle_that_names_anything_else_is_refused(bad: Evil) -> None:
    with pytest.raises(ValueError, match="not a model"):
        pickles.loads(pickle.dumps(bad, 5))


@pytest.mark.parametrize("data", [b"", b"x", b"\x80\x05cos\nsystem\n.", b"\x80\x05\x8c\x02os"])
def test_what_is_no_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a model"):
        pickles.loads(data)


def test_a_seed_is_given_where_none_is() -> None:
    model = river_models.build("river.anomaly.LODA", {})
    assert model.seed == 0
    assert river_models.build("river.anomaly.LODA", {"seed": 7}).seed == 7


def test_the_document_s_example_works() -> None:
    document = (Path(__file__).parents[4] / "docs" / "detection.md").read_text("utf-8")
    section = document.split("## Plug-ins\n", 1)[1].split("\n## ", 1)[0]
    tables = tomllib.loads(section.split("```toml\n", 1)[1].split("```", 1)[0])
    runs = engine(**tables)
    source = random.Random(1)  # noqa: S311
    rates = [70 + source.gauss(0, 3) for _ in range(600)]
    story = heart([*rates, *[93 + source.gauss(0, 1) for _ in range(40)]])
    events = [event for item in story for event in runs.process(item)]
    rules = [(event.evidence["rule"], event.phase) for event in events]
    assert ("plugins.half_space_trees", "opened") in rules
