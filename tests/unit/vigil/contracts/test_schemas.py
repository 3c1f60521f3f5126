"""The published contracts equal the structs, and a change that breaks one is caught."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vigil.contracts import schemas, topics
from vigil.service.errors import WireError

ROOT = Path(__file__).parents[4]
PUBLISHED = {path.stem: json.loads(path.read_text()) for path in (ROOT / "docs/schemas").iterdir()}
ASYNCAPI = json.loads(
    gzip.decompress((Path(__file__).parent / "data/asyncapi-3.0.0.json.gz").read_bytes())
)


def test_what_is_checked_in_is_what_the_structs_say(tmp_path: Path) -> None:
    written = {p.relative_to(tmp_path): p.read_text() for p in schemas.write_schemas(tmp_path)}
    assert written == {p: (ROOT / "docs" / p).read_text() for p in written}
    assert {p.stem for p in written if p.parts[0] == "schemas"} == set(PUBLISHED)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_each_schema_is_valid_and_breaks_nothing(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(PUBLISHED[name])
    assert list(schemas.breaking_changes(PUBLISHED[name], schemas.json_schemas()[name])) == []


def change(name: str, path: str, value: Any = ...) -> list[str]:
    """What would break if the place in a schema's definitions were this; ``...``: if it went."""
    current = copy.deepcopy(PUBLISHED[name])
    *parents, last = path.split("/")
    place = current["$defs"]
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return list(schemas.breaking_changes(PUBLISHED[name], current))


PHASES = ["opened", "updated", "closed"]
EVENT = PUBLISHED["event.v1"]["$defs"]["Event"]


@pytest.mark.parametrize(
    ("name", "path", "value", "reported"),
    [
        ("event.v1", "Event/properties/onset", ..., "Event.onset is gone"),
        ("event.v1", "Context", ..., "Context is gone"),
        (
            "event.v1", "Event/properties/sequence", {"type": "string"},
            "Event.sequence changed its type, range or default",
        ),
        (
            "event.v1", "Event/properties/patient_id/maxLength", 64,
            "Event.patient_id changed its type, range or default",
        ),
        (
            "action.v1", "Action/properties/comment/default", "none",
            "Action.comment changed its type, range or default",
        ),
        (
            "event.v1", "Event/properties/phase", {"enum": sorted(PHASES)[:-1]},
            "Event.phase lost the value 'updated'",
        ),
        (
            "event.v1", "Event/properties/phase", {"enum": sorted([*PHASES, "paused"])},
            "Event.phase has the new value 'paused'",
        ),
        (
            "event.v1", "Event/required", [f for f in EVENT["required"] if f != "kind"],
            "Event.kind was always there and is now optional",
        ),
        (
            "event.v1", "Event/required", [*EVENT["required"], "synthetic"],
            "Event.synthetic is now required, and older messages may lack it",
        ),
    ],
)  # fmt: skip
def test_a_breaking_change_is_named(name: str, path: str, value: Any, reported: str) -> None:
    assert change(name, path, value) == [reported]


def test_a_new_required_field_breaks_and_a_new_optional_one_does_not() -> None:
    current = copy.deepcopy(PUBLISHED["event.v1"])
    current["$defs"]["Event"]["properties"]["ward"] = {"type": "string"}
    assert list(schemas.breaking_changes(PUBLISHED["event.v1"], current)) == []
    current["$defs"]["Event"]["required"].append("ward")
    assert list(schemas.breaking_changes(PUBLISHED["event.v1"], current)) == [
        "Event.ward is now required, and older messages may lack it"
    ]


def test_prose_may_change() -> None:
    assert change("event.v1", "Event/description", "In other words.") == []


def test_what_a_message_is_may_not_change() -> None:
    current = copy.deepcopy(PUBLISHED["directory.v1"])
    current["anyOf"].append({"$ref": "#/$defs/WardEntry"})
    assert list(schemas.breaking_changes(PUBLISHED["directory.v1"], current)) == [
        "what a message is has changed"
    ]


def test_the_command_does_not_write_over_a_promise(tmp_path: Path) -> None:
    schemas.write_schemas(tmp_path)
    path = tmp_path / "schemas/event.v1.json"
    promised = copy.deepcopy(PUBLISHED["event.v1"])
    promised["$defs"]["Event"]["properties"]["bed"] = {"type": "string"}
    path.write_text(json.dumps(promised))
    with pytest.raises(WireError) as caught:
        schemas.write_schemas(tmp_path)
    assert caught.value.code == "wire.breaking_change"
    assert "Event.bed is gone" in str(caught.value)
    (tmp_path / "schemas/bed.v1.json").write_text(json.dumps(promised))
    path.unlink()
    with pytest.raises(WireError, match=r"bed\.v1"):
        schemas.write_schemas(tmp_path)


def test_the_asyncapi_document_is_valid_and_names_every_public_topic() -> None:
    document = json.loads((ROOT / "docs/asyncapi.json").read_text())
    jsonschema.Draft7Validator(ASYNCAPI).validate(document)
    public = {topic.name for topic in topics.TOPICS.values() if topic.public}
    assert {channel["address"] for channel in document["channels"].values()} == public
    for channel in document["channels"].values():
        assert channel["messages"]
        for reference in channel["messages"].values():
            name = reference["$ref"].removeprefix("#/components/messages/")
            message = document["components"]["messages"][name]
            if "payload" in message:
                assert (ROOT / "docs" / message["payload"]["schema"]["$ref"]).is_file()
    for operation in document["operations"].values():
        ident = operation["channel"]["$ref"].removeprefix("#/channels/")
        assert ident in document["channels"]


def test_the_asyncapi_schema_refuses_nonsense() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(ASYNCAPI).validate({"asyncapi": "3.0.0", "channels": 3})
