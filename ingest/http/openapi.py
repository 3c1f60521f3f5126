"""The gateway's part of ``/openapi.json`` and ``/docs``. Bodies are read by msgspec, not by
FastAPI, so their schemas are given here; the ranges and units come from the signals table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from ingest import validate
from ingest.http import answers
from ingest.http.answers import Answer, Rejected, Result
from ingest.http.batch import MAX_READINGS
from vigil.domain.signals import SIGNALS as TABLE
from vigil.domain.signals import STEPS_PER_MINUTE_RANGE, Signal
from vigil.service.errors import AccessError, InputError, VigilError
from vigil.web.problems import CONTENT_TYPE as PROBLEM
from vigil.web.problems import Fault, Problem, fault_of, problem_of

if TYPE_CHECKING:
    from fastapi import FastAPI

TEMPLATE = "#/components/schemas/{name}"
TIME = "2026-11-21T06:02:00Z"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": TEMPLATE.format(name=name)}


def _units(signal: Signal) -> list[str]:
    return [signal.ucum, *(name for name, _, _ in signal.accepted_units)]


def _value_schema(signal: Signal) -> dict[str, Any]:
    return {
        "description": f"{signal.label} (LOINC {signal.loinc}), in {signal.ucum} unless a unit "
        f"is given. Possible: {signal.lowest:g} to {signal.highest:g} {signal.ucum}.",
        "oneOf": [
            {"type": "number", "minimum": signal.lowest, "maximum": signal.highest},
            {
                "type": "object",
                "properties": {
                    "value": {"type": "number"},
                    "unit": {"type": "string", "enum": _units(signal)},
                },
                "required": ["value"],
                "additionalProperties": False,
            },
        ],
    }


_IDENTIFIER = {"type": "string", "pattern": f"^{validate.IDENTIFIER}$", "maxLength": 128}
_READING = {
    "type": "object",
    "description": "One moment of one patient. At least one value or some context.",
    "properties": {
        "patient_id": _IDENTIFIER
        | {"description": "May be left out by a device that is assigned to one patient."},
        "time": {
            "type": "string",
            "format": "date-time",
            "description": "When it was measured: RFC 3339 with an offset; from the year 2000, "
            "not in the future.",
        },
        "values": {
            "type": "object",
            "properties": {signal.name: _value_schema(signal) for signal in TABLE.values()},
            "additionalProperties": False,
            "dependentRequired": {"systolic": ["diastolic"], "diastolic": ["systolic"]},
            "description": "Systolic must be above diastolic.",
        },
        "context": {
            "type": "object",
            "properties": {
                "activity": {"type": "string", "enum": list(validate.ACTIVITIES)},
                "steps_per_min": {
                    "type": "number",
                    "minimum": STEPS_PER_MINUTE_RANGE[0],
                    "maximum": STEPS_PER_MINUTE_RANGE[1],
                },
                "posture": {"type": "string", "pattern": f"^{validate.POSTURE}$"},
                "contact": {
                    "type": "boolean",
                    "description": "False: the sensor reports poor skin contact.",
                },
            },
            "additionalProperties": False,
        },
        "reading_id": _IDENTIFIER
        | {
            "description": "Your own id, so that a repeated request changes nothing. Left out, "
            "one is derived from the content, to the same end."
        },
    },
    "required": ["time"],
    "anyOf": [{"required": ["values"]}, {"required": ["context"]}],
    "additionalProperties": False,
}
_READINGS = {
    "type": "object",
    "properties": {
        "readings": {
            "type": "array",
            "items": _ref("Reading"),
            "minItems": 1,
            "maxItems": MAX_READINGS,
        }
    },
    "required": ["readings"],
    "additionalProperties": False,
}

_ONE = {
    "patient_id": "p1",
    "time": TIME,
    "values": {"heart_rate": 72, "systolic": 118, "diastolic": 76},
    "context": {"activity": "rest", "steps_per_min": 0},
}
REQUEST_EXAMPLES: dict[str, Any] = {
    "one": {"summary": "One reading", "value": _ONE},
    "batch": {
        "summary": "A batch with ids of the device's own",
        "value": {
            "readings": [
                {
                    "patient_id": "p1",
                    "time": TIME,
                    "values": {"heart_rate": 72},
                    "reading_id": "watch-7-000041",
                },
                {
                    "patient_id": "p1",
                    "time": "2026-11-21T06:03:00Z",
                    "values": {"heart_rate": 75},
                    "reading_id": "watch-7-000042",
                },
            ]
        },
    },
    "kilopascal": {
        "summary": "Other units, converted at the door",
        "value": _ONE
        | {
            "values": {
                "systolic": {"value": 16, "unit": "kPa"},
                "diastolic": {"value": 10.5, "unit": "kPa"},
                "temperature": {"value": 98.6, "unit": "[degF]"},
            }
        },
    },
    "assigned": {
        "summary": "From a device that is assigned to one patient; poor skin contact",
        "value": {"time": TIME, "context": {"contact": False}},
    },
}

_ID = "5b1c6f0e-6d0c-5a3f-9a51-1f4f3f1e2d10"
_HOW = "Check the sensor and the unit; send the reading without a faulty value."
_IMPOSSIBLE = Fault(
    code="input.impossible_value",
    message="420 /min is outside what is possible (20 to 300).",
    how_to_fix=_HOW,
    mend=_HOW,
    field="values.heart_rate",
)
_TAKEN = Result(0, "accepted", _ID)


def _response(description: str, kind: str, schema: Any, **examples: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if examples:
        shown = {name: {"value": msgspec.to_builtins(body)} for name, body in examples.items()}
        content["examples"] = shown
    return {"description": description, "content": {kind: content}}


def _answer(description: str, **examples: Answer) -> dict[str, Any]:
    return _response(description, "application/json", _ref("Answer"), **examples)


def _problem(description: str, error: VigilError) -> dict[str, Any]:
    """An answer that is always this problem."""
    status = answers.HTTP_STATUS[error.code]
    example = problem_of(status, fault_of(error))
    return _response(description, PROBLEM, _ref("Problem"), error=example)


def _rejected_example(status: int, fault: Fault) -> Rejected:
    body = Answer(
        accepted=0, duplicates=0, rejected=1, results=[Result(0, "rejected", error=fault)]
    )
    return answers.rejected(status, fault, body)


RESPONSES: dict[int, dict[str, Any]] = {
    200: _answer(
        "Every reading was accepted, or is a duplicate of one that was.",
        accepted=Answer(accepted=1, duplicates=0, rejected=0, results=[_TAKEN]),
        again=Answer(accepted=0, duplicates=1, rejected=0, results=[Result(0, "duplicate", _ID)]),
    ),
    207: _answer(
        "Some were accepted, some rejected.",
        mixed=Answer(
            accepted=1,
            duplicates=0,
            rejected=1,
            results=[
                _TAKEN,
                Result(
                    1,
                    "rejected",
                    error=replace(_IMPOSSIBLE, field="readings[1].values.heart_rate"),
                ),
            ],
        ),
    ),
    400: _problem(
        "The body is not JSON.",
        InputError(
            "The body is not JSON: JSON is malformed: trailing comma in array (byte 3).",
            code="input.broken_json",
            how_to_fix="Send UTF-8 JSON; numbers must be finite.",
            field="body",
        ),
    ),
    401: _problem(
        "No device key, or a wrong one.",
        AccessError(
            "The request carries no device key.",
            code="access.no_key",
            how_to_fix="Send the header `Authorization: Bearer vk_…`, or `X-API-Key: vk_…`.",
            field="Authorization",
        ),
    ),
    403: _response(
        "Every reading is for a patient whom the device is not assigned to.",
        PROBLEM,
        _ref("Rejected"),
    ),
    413: _problem(
        "The body or the list is too large.",
        InputError(
            "The body is larger than 1048576 bytes.",
            code="input.too_large",
            how_to_fix="Send fewer readings in a request.",
            field="body",
        ),
    ),
    415: _problem(
        "The body is not plain application/json.",
        InputError(
            "The content type is text/plain.",
            code="input.wrong_content_type",
            how_to_fix="Send application/json.",
            field="Content-Type",
        ),
    ),
    422: _response(
        "Every reading was rejected (Rejected), or the body has the wrong form (Problem).",
        PROBLEM,
        {"anyOf": [_ref("Rejected"), _ref("Problem")]},
        rejected=_rejected_example(422, _IMPOSSIBLE),
    ),
    503: _response(
        "The broker is unavailable. Nothing is known about any reading: send all again.",
        PROBLEM,
        _ref("Problem"),
        unavailable=problem_of(503, fault_of(answers.UNAVAILABLE)),
    )
    | {"headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}},
}

READINGS: dict[str, Any] = {
    "tags": ["devices"],
    "summary": "Send readings",
    "description": f"One reading, or up to {MAX_READINGS}. Answered once the broker has them; "
    "repeating a request changes nothing.",
    "response_model": None,
    "responses": RESPONSES,
    "openapi_extra": {
        "security": [{"deviceKey": []}, {"deviceKeyHeader": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [_ref("Reading"), _ref("Readings")]},
                    "examples": REQUEST_EXAMPLES,
                }
            },
        },
    },
}
SIGNALS: dict[str, Any] = {
    "tags": ["devices"],
    "summary": "The signals that Vigil takes",
    "response_model": None,
    "responses": {
        200: {
            "description": "Each signal with its LOINC code, UCUM unit, possible range, and the "
            "units that are converted.",
            "content": {"application/json": {"schema": {"type": "array", "items": _ref("Signal")}}},
        }
    },
}
SIGNALS_BODY = msgspec.json.encode(
    [
        {
            "name": row.name,
            "label": row.label,
            "loinc": row.loinc,
            "unit": row.ucum,
            "lowest": row.lowest,
            "highest": row.highest,
            "decimals": row.decimals,
            "accepted_units": _units(row),
        }
        for row in TABLE.values()
    ]
)
_SIGNAL = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "label", "loinc", "unit")},
        **{name: {"type": "number"} for name in ("lowest", "highest")},
        "decimals": {"type": "integer"},
        "accepted_units": {"type": "array", "items": {"type": "string"}},
    },
    "required": [
        "name",
        "label",
        "loinc",
        "unit",
        "lowest",
        "highest",
        "decimals",
        "accepted_units",
    ],
}

_SECURITY = {
    "deviceKey": {"type": "http", "scheme": "bearer", "description": "A device key, `vk_…`."},
    "deviceKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def schemas() -> dict[str, Any]:
    """Every schema that the operations name."""
    _, answered = msgspec.json.schema_components([Answer, Problem, Rejected], ref_template=TEMPLATE)
    return {"Reading": _READING, "Readings": _READINGS, "Signal": _SIGNAL, **answered}


def describe(api: FastAPI) -> None:
    """Add the schemas and the key's forms to the application's OpenAPI document."""
    generate = api.openapi  # replaced as FastAPI's own guide does

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(schemas())
        components.setdefault("securitySchemes", {}).update(_SECURITY)
        return document

    api.openapi = openapi  # type: ignore[method-assign]
