"""JSON Schemas and the AsyncAPI document, generated from the structs.

``vigil schemas`` writes them to ``docs/``. :func:`breaking_changes` compares what the structs say
now with what is published; a test keeps it empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from vigil import __version__, topics
from vigil.wire import CE_TYPES

Schema = dict[str, Any]


def name_of(ce_type: str) -> str:
    """``org.vigil.event.v1`` → ``event.v1``."""
    return ce_type.removeprefix("org.vigil.")


def json_schemas() -> dict[str, Schema]:
    """One self-contained JSON Schema (2020-12) a message type, by :func:`name_of`."""
    schemas = {}
    for ce_type, struct in CE_TYPES.items():
        (root,), definitions = msgspec.json.schema_components(
            [struct], ref_template="#/$defs/{name}"
        )
        schemas[name_of(ce_type)] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": ce_type,
            **root,
            "$defs": definitions,
        }
    return schemas


def asyncapi() -> Schema:
    """The public topics as an AsyncAPI 3.0 document."""
    channels: Schema = {}
    operations: Schema = {}
    messages: Schema = {}
    for topic in topics.TOPICS.values():
        if not topic.public:
            continue
        ident = topic.name.replace(".", "_")
        carried = [c for c, struct in CE_TYPES.items() if struct in topic.carries]
        for ce_type in carried:
            messages[name_of(ce_type)] = {
                "name": ce_type,
                "contentType": "application/json",
                "headers": {
                    "type": "object",
                    "properties": {
                        name: {"type": "string"}
                        for name in ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time")
                    },
                },
                "payload": {"$ref": f"./schemas/{name_of(ce_type)}.json"},
            }
        channels[ident] = {
            "address": topic.name,
            "description": topic.description,
            "messages": {
                name_of(c): {"$ref": f"#/components/messages/{name_of(c)}"} for c in carried
            },
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


def write(folder: Path) -> list[Path]:
    """Write ``schemas/*.json`` and ``asyncapi.json`` under ``folder``; return the paths."""
    documents = {f"schemas/{name}.json": schema for name, schema in json_schemas().items()}
    documents["asyncapi.json"] = asyncapi()
    paths = []
    for name, document in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        paths.append(path)
    return paths


def breaking_changes(published: Schema, current: Schema) -> Iterator[str]:
    """What a consumer of ``published`` would trip over in ``current``.

    A field may be added; it may not go, change its type, or lose a value of an enumeration that
    a producer may rely on; and a field that was always there may not become optional.
    """
    old, new = published.get("$defs", {}), current.get("$defs", {})
    for name, definition in old.items():
        if name not in new:
            yield f"{name} is gone"
            continue
        yield from _compare(name, definition, new[name])


def _compare(name: str, old: Schema, new: Schema) -> Iterator[str]:
    fields, now = old.get("properties", {}), new.get("properties", {})
    for field, schema in fields.items():
        if field not in now:
            yield f"{name}.{field} is gone"
        elif _shape(schema) != _shape(now[field]):
            yield f"{name}.{field} changed its type"
    for field in old.get("required", []):
        if field in now and field not in new.get("required", []):
            yield f"{name}.{field} was always there and is now optional"
    for field in new.get("required", []):
        if field not in fields:
            yield f"{name}.{field} is new and required, so older messages no longer decode"


def _shape(schema: Any) -> Any:
    """A schema without its prose."""
    if isinstance(schema, dict):
        return {k: _shape(v) for k, v in schema.items() if k not in {"description", "title"}}
    if isinstance(schema, list):
        return [_shape(item) for item in schema]
    return schema
