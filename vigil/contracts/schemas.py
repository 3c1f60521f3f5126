"""JSON Schemas and the AsyncAPI document, generated from the structs.

``vigil schemas`` writes them to ``docs/``, and refuses to where that would break what is published
there (:func:`breaking_changes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from vigil import __version__
from vigil.contracts import topics
from vigil.contracts.wire import CE_TYPES
from vigil.domain.reading import LARGEST_NUMBER
from vigil.service.errors import WireError

Schema = dict[str, Any]


def schema_name(ce_type: str) -> str:
    """``org.vigil.event.v1`` → ``event.v1``."""
    return ce_type.removeprefix("org.vigil.")


def json_schemas() -> dict[str, Schema]:
    """One self-contained JSON Schema (2020-12) a message type, by :func:`schema_name`."""
    schemas = {}
    for ce_type, struct in CE_TYPES.items():
        (root,), definitions = msgspec.json.schema_components(
            [struct], ref_template="#/$defs/{name}"
        )
        schemas[schema_name(ce_type)] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": ce_type,
            **root,
            "$defs": definitions,
        }
    plain: dict[str, Schema] = json.loads(json.dumps(schemas))  # tuples as lists
    for schema in plain.values():
        _require_older_name(schema)
    return {name: _remove_bounds(schema) for name, schema in plain.items()}


def _require_older_name(schema: Schema) -> None:
    """Every message of version 1 has ``event_id``, although Vigil reads one without it
    (:func:`vigil.domain.ids.fill_episode_names`)."""
    for definition in schema["$defs"].values():
        properties, required = definition.get("properties", {}), definition.get("required", [])
        if "episode_id" in properties and "event_id" in properties:
            del properties["event_id"]["default"]
            required.insert(list(properties).index("event_id"), "event_id")


def _remove_bounds(schema: Any) -> Any:
    """Remove the range of :data:`vigil.domain.reading.Number`, which ``docs/topics.md`` documents:
    within a version a published range remains, and these had none."""
    if isinstance(schema, dict):
        bounds = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        return {
            k: _remove_bounds(v) for k, v in schema.items() if k not in bounds or v != bounds[k]
        }
    return [_remove_bounds(item) for item in schema] if isinstance(schema, list) else schema


CE_HEADERS = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type")
DEAD_LETTER_HEADERS = (
    "vigil_origin",
    "vigil_reason",
    "vigil_detail",
    "vigil_cut",
    "vigil_cut_key",
    "vigil_cut_headers",
)
DEAD_LETTER = "deadletter.v1"


def _headers_schema(names: Iterable[str]) -> Schema:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


def _message_schema(ce_type: str) -> Schema:
    return {
        "name": ce_type,
        "contentType": "application/json",
        "headers": _headers_schema(CE_HEADERS),
        "payload": {
            "schemaFormat": "application/schema+json;version=2020-12",
            "schema": {"$ref": f"./schemas/{schema_name(ce_type)}.json"},
        },
        "bindings": {"kafka": {"key": {"type": "string"}}},
    }


def asyncapi() -> Schema:
    """The public topics as an AsyncAPI 3.0 document, from the reader's point of view."""
    channels: Schema = {}
    operations: Schema = {}
    messages: Schema = {DEAD_LETTER: _dead_letter_schema()}
    for topic in topics.TOPICS.values():
        if not topic.public:
            continue
        ident = topic.name.replace(".", "_")
        carried = [c for c, struct in CE_TYPES.items() if struct in topic.carries]
        messages |= {schema_name(ce_type): _message_schema(ce_type) for ce_type in carried}
        names = [schema_name(ce_type) for ce_type in carried] or [DEAD_LETTER]
        channels[ident] = {
            "address": topic.name,
            "description": topic.description,
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        }
        operations[f"read_{ident}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{ident}"},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vigil's topics",
            "version": __version__,
            "description": "Key: patient_id. Delivery: at least once; ce_id repeats for a repeat.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _dead_letter_schema() -> Schema:
    return {
        "name": f"org.vigil.{DEAD_LETTER}",
        "description": "The original's bytes; its headers, each with `original_` before it.",
        "contentType": "application/octet-stream",
        "headers": _headers_schema([*CE_HEADERS, *DEAD_LETTER_HEADERS]),
    }


def write_schemas(folder: Path) -> list[Path]:
    """Write ``schemas/*.json`` and ``asyncapi.json`` under ``folder``; return the paths.

    Raises:
        WireError: a schema that is there would be broken. Give the changed type a new version, or
            delete the file of one that nobody has read yet.
    """
    schemas = json_schemas()
    for path in sorted((folder / "schemas").glob("*.json")):
        current = schemas.get(path.stem, {})
        if broken := list(breaking_changes(json.loads(path.read_text()), current)):
            raise WireError(
                f"{path.stem} would break: {'; '.join(broken)}.",
                code="wire.breaking_change",
                how_to_fix=f"Make it a new version, or delete {path} if nobody has read it yet.",
            )
    documents = {f"schemas/{name}.json": schema for name, schema in schemas.items()}
    documents["asyncapi.json"] = asyncapi()
    paths = []
    for name, document in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        paths.append(path)
    return paths


def breaking_changes(published: Schema, current: Schema) -> Iterator[str]:
    """How ``current`` would break a reader of ``published``, or a reader of messages written by it.
    Messages stay in the log for weeks, so both matter.

    A field may be added if it may be absent. It may not go, become optional or required, or
    change its type, range or default (an absent field means its default); an enumeration may
    neither lose a value (older messages carry it) nor gain one (readers of today refuse it).
    """
    old, new = published.get("$defs", {}), current.get("$defs", {})
    if _root(published) != _root(current):
        yield "what a message is has changed"
    for name, definition in old.items():
        if name in new:
            yield from _compare_definition(name, definition, new[name])
        else:
            yield f"{name} is gone"


def _root(schema: Schema) -> Any:
    return _remove_texts(
        {key: value for key, value in schema.items() if key[0] != "$" or key == "$ref"}
    )


def _compare_definition(name: str, old: Schema, new: Schema) -> Iterator[str]:
    fields, now = old.get("properties", {}), new.get("properties", {})
    for field, schema in fields.items():
        if field not in now:
            yield f"{name}.{field} is gone"
        else:
            yield from _differences(
                f"{name}.{field}", _remove_texts(schema), _remove_texts(now[field])
            )
    required, still = set(old.get("required", [])), set(new.get("required", []))
    for field in sorted((required - still) & now.keys()):
        yield f"{name}.{field} was always there and is now optional"
    for field in sorted(still - required):
        yield f"{name}.{field} is now required, and older messages may lack it"


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    match old, new:
        case {"enum": values, **rest}, {"enum": now, **others} if rest == others:
            yield from (f"{path} lost the value {v!r}" for v in values if v not in now)
            yield from (f"{path} has the new value {v!r}" for v in now if v not in values)
        case dict(), dict() if old.keys() == new.keys():
            for key in old:
                yield from _differences(path, old[key], new[key])
        case list(), list() if len(old) == len(new):
            for one, other in zip(old, new, strict=True):
                yield from _differences(path, one, other)
        case _ if old != new:
            yield f"{path} changed its type, range or default"


def _remove_texts(schema: Any) -> Any:
    """A schema without its texts."""
    if isinstance(schema, dict):
        return {k: _remove_texts(v) for k, v in schema.items() if k not in {"description", "title"}}
    if isinstance(schema, list):
        return [_remove_texts(item) for item in schema]
    return schema
