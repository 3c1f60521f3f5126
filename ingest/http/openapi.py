"""The operations in ``/openapi.json`` and ``/docs``: responses, security, descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from ingest.http import answers
from ingest.http.answers import Answer, Rejected, Result
from ingest.http.batch import MAX_READINGS
from ingest.http.schemas import REQUEST_EXAMPLES, ref, schemas
from vigil.service.errors import AccessError, InputError, VigilError
from vigil.web.problems import CONTENT_TYPE as PROBLEM
from vigil.web.problems import Fault, fault_of, problem_of

if TYPE_CHECKING:
    from fastapi import FastAPI

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
    return _response(description, "application/json", ref("Answer"), **examples)


def _problem(description: str, error: VigilError) -> dict[str, Any]:
    """An answer that is always this problem."""
    status = answers.HTTP_STATUS[error.code]
    example = problem_of(status, fault_of(error))
    return _response(description, PROBLEM, ref("Problem"), error=example)


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
        ref("Rejected"),
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
        {"anyOf": [ref("Rejected"), ref("Problem")]},
        rejected=_rejected_example(422, _IMPOSSIBLE),
    ),
    503: _response(
        "The broker is unavailable. Nothing is known about any reading: send all again.",
        PROBLEM,
        ref("Problem"),
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
                    "schema": {"oneOf": [ref("Reading"), ref("Readings")]},
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
            "content": {"application/json": {"schema": {"type": "array", "items": ref("Signal")}}},
        }
    },
}
_SECURITY = {
    "deviceKey": {"type": "http", "scheme": "bearer", "description": "A device key, `vk_…`."},
    "deviceKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


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
