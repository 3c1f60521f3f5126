"""A state outlives the version that wrote it, and what is broken in it costs little."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.contract import LONG_AGO
from detectors.engine.state import FORMS, VERSION
from detectors.engine.state_versions import STEPS, upgraded
from tests.support.patient_logs import run
from tests.support.state_stories import STORIES, resumed, story
from tests.support.vitals import announced, cuff, engine, heart, measured, upload
from vigil.service.errors import WireError

VERSION_1 = b64decode(
    "mQGDqWRpYXN0b2xpY8tB2mk7NIAAAKpoZWFydF9yYXRly0HaaTlhAAAAqHN5c3RvbGljy0HaaTs0gAAAwss/8AAAAA"
    "AAAJTLQdppOzSAAACkcmVzdMDLwm0alKIAAACUy0HaaTs0wAAAy0HaaTs0wAAAy0BXv752yLQ6MoOpZGlhc3RvbGlj"
    "lVrLQdppOzSAAADLQdppOzSAAAABwKpoZWFydF9yYXRllctAYCAAAAAAAMtB2mk5YQAAAMtB2mk5YQAAAAHAqHN5c3"
    "RvbGljlcyqy0HaaTs0gAAAy0HaaTs0gAAAAcCSgrNibG9vZF9wcmVzc3VyZV9oaWdo3AAUga1zeXN0b2xpY19oaWdo"
    "lctB2mk7NIAAAMtB2mk7NIAAAAEBzKr/ywAAAAAAAAAAo2xvdwCgoKDAwMsAAAAAAAAAAMsAAAAAAAAAAADLQdppOz"
    "SAAAAAwMDLAAAAAAAAAACgAa9oZWFydF9yYXRlX2hpZ2jcABSBr2hlYXJ0X3JhdGVfaGlnaJXLQdppOEQAAADLQdpp"
    "OWEAAAAUFMtAYMAAAAAAAADLQdppOEQAAACmbWVkaXVtAK9oZWFydF9yYXRlX2hpZ2iqaGVhcnRfcmF0ZaVhYm92Zc"
    "tAYMAAAAAAAMtAYMAAAAAAAMtB2mk42gAAAMsAAAAAAAAAAADLQdppOWEAAAAUy0BeAAAAAAAAy0BbgAAAAAAAy0CC"
    "wAAAAAAAoAKAg6hiYXNlbGluZZKDqWRpYXN0b2xpY4GqcmVzdDpuaWdodJTLQFbAAAAAAADLQFRUZUZUZUbLQCLnDi"
    "1dkzgCqmhlYXJ0X3JhdGWBqnJlc3Q6bmlnaHSUy0BgQAAAAAAAy0BSCIu619OWy0AdsTabypukRqhzeXN0b2xpY4Gq"
    "cmVzdDpuaWdodJTLQFbAAAAAAADLQGDW4w8iyY7LQDGTSfjA49MCg6lkaWFzdG9saWPLQdppOzSAAACqaGVhcnRfcm"
    "F0ZctB2mk4ywAAAKhzeXN0b2xpY8tB2mk7NIAAAKtjb21iaW5hdGlvbsCmbGltaXRzwA=="
)
"""Written by the first version's engine: a fast heart since minute 60, told at minute 70, and one
high pressure; baselines of 70 heart rates and of two pressures."""


def broken(**changed: object) -> bytes:
    """The same state with fields replaced, by their place."""
    fields = msgspec.msgpack.decode(VERSION_1)
    for place, value in changed.items():
        fields[int(place.removeprefix("at"))] = value
    return msgspec.msgpack.encode(fields)


def test_a_state_of_the_first_version_goes_on() -> None:
    runs = engine()
    assert runs.load_state("p1", VERSION_1) == ()
    calm = heart([70.0 + i % 3 for i in range(20)], start=111 * 60)
    events = [event for item in calm for event in runs.process(item)]
    assert announced(events) == [("heart_rate_high", "closed", "medium")]
    assert events[0].evidence["baseline"]["n"] >= 70
    again = upload(measured(140 * 60.0, {"systolic": 171.0, "diastolic": 91.0}, "rest"))
    assert announced(runs.process(again)) == [("blood_pressure_high", "opened", "medium")]


def test_one_detector_that_cannot_read_its_memory_begins_afresh_alone() -> None:
    runs = engine()
    assert runs.load_state("p1", broken(at8={"baseline": "?", "limits": None})) == ("baseline",)
    events = [e for item in heart([70.0, 71.0] * 8, start=111 * 60) for e in runs.process(item)]
    assert announced(events) == [("heart_rate_high", "closed", "medium")]


def test_what_is_open_is_kept_where_the_rest_cannot_be_read() -> None:
    runs = engine()
    lost = runs.load_state("p1", broken(at4="?", at6=[], at8=0))
    assert {"context", "tracks", "baseline"} <= set(lost)
    assert runs.process(heart([131.0], start=60)[0]) == []  # taken before: not judged again
    events = [e for item in heart([70.0, 71.0] * 8, start=111 * 60) for e in runs.process(item)]
    assert announced(events) == [("heart_rate_high", "closed", "medium")]


@pytest.mark.parametrize("state", [broken(at0=0), broken(at7="?"), b"", b"{}", VERSION_1[:-3]])
def test_what_is_no_state_is_refused(state: bytes) -> None:
    with pytest.raises(WireError, match="state cannot be read") as refused:
        engine().load_state("p1", state)
    assert refused.value.code == "wire.broken_message"


@pytest.mark.parametrize("later", [VERSION + 1, 99])
def test_a_later_one_is_refused_and_says_whose_it_is(later: int) -> None:
    with pytest.raises(WireError, match=f"of version {later}") as refused:
        engine().load_state("p1", broken(at0=later))
    assert refused.value.code == "wire.newer_state"
    assert "newer Vigil wrote it" in refused.value.how_to_fix


def _of_today(event: dict[str, Any]) -> dict[str, Any]:
    """An event as it is written now: its episode's id under both names."""
    return {**event, "episode_id": event["event_id"]}


WRITTEN = sorted((Path(__file__).parent / "data" / "states").glob("v*/*.bin"))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_any_version_wrote_goes_on_as_it_did_then(path: Path) -> None:
    one = story(path.stem)
    runs = one.engine()
    assert runs.load_state("p1", path.read_bytes()) == ()
    lines = path.with_suffix(".jsonl").read_bytes().splitlines()
    assert resumed(one, runs) == [_of_today(msgspec.json.decode(line)) for line in lines]
    assert msgspec.msgpack.decode(runs.state_of("p1"))[0] == VERSION


def test_each_version_left_its_states() -> None:
    assert {path.parent.name for path in WRITTEN} == {f"v{n}" for n in range(1, VERSION + 1)}
    assert {path.stem for path in WRITTEN if path.parent.name == f"v{VERSION}"} == set(STORIES)
    assert len(STEPS) == VERSION - 1


@pytest.mark.parametrize("name", sorted(STORIES))
def test_the_newest_versions_states_are_what_this_code_writes(name: str) -> None:
    one, path = story(name), Path(__file__).parent / "data" / "states" / f"v{VERSION}"
    runs = one.engine()
    run(one.before, runs)
    assert runs.state_of("p1") == (path / f"{name}.bin").read_bytes()


def test_a_step_of_the_chain_takes_one_version_further() -> None:
    first = [1, {}, False, 1.0, [], [], {}, [{}, {}], {}]
    second = [2, *first[1:], {}, ["", {}], LONG_AGO, None, None]
    third = [3, *second[1:], [{}, {}], []]
    assert upgraded(first) == upgraded([*first, {}]) == third
    assert upgraded([*first, {}, ["", {}]]) == upgraded(second) == upgraded(third) == third


def test_memories_that_hold_nothing_are_left_out() -> None:
    runs = engine()
    runs.process(cuff([(120, 80)])[0])
    memories = msgspec.msgpack.decode(runs.state_of("p1"))[8]
    assert set(memories) == {"baseline", "early_warning", "novelty", "pressure_days"}


@pytest.mark.parametrize("kind", FORMS, ids=lambda kind: kind.__name__)
def test_a_saved_form_has_each_field_once(kind: type) -> None:
    assert sorted(FORMS[kind].fields) == sorted(kind.__slots__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("field", "broken"),
    [
        (4, {}),
        (4, ""),
        (5, {}),
        (5, b""),
        (5, [0.0, 0.0, 0.0, -1]),
        (6, {"heart_rate": {}}),
        (6, {"heart_rate": ""}),
        (6, {"heart_rate": []}),
        (6, {"heart_rate": [125.0, 1.0]}),
    ],
)
def test_what_is_no_list_of_fields_is_lost_and_named(field: int, broken: object) -> None:
    runs = engine()
    run(heart([70.0, 71.0, 72.0]), runs)
    plain = msgspec.msgpack.decode(runs.state_of("p1"))
    plain[field] = broken
    assert engine().load_state("p1", msgspec.msgpack.encode(plain))
