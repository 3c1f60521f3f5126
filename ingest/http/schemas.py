"""JSON schemas and examples of requests, in OpenAPI's form.

Bodies are read by msgspec, not by FastAPI, so their schemas are given here; the ranges and units
come from the signals table.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ingest import validate
from ingest.http.answers import Answer, Rejected
from ingest.http.batch import MAX_READINGS
from vigil.domain.signals import SIGNALS, STEPS_PER_MINUTE_RANGE, Signal
from vigil.web.problems import Problem

TEMPLATE = "#/components/schemas/{name}"
TIME = "2026-11-21T06:02:00Z"


def ref(name: str) -> dict[str, str]:
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


_SENT_AT = {
    "type": "string",
    "format": "date-time",
    "description": "When the request is sent, by the clock that the readings' times are of: RFC "
    "3339 with an offset. How far it is from the time of receipt is how far that clock is off. "
    "Set it anew for each attempt.",
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
            "properties": {signal.name: _value_schema(signal) for signal in SIGNALS.values()},
            "additionalProperties": False,
            "dependentRequired": {"diastolic": ["systolic"]},
            "description": "Systolic must be above diastolic; it may come alone (palpated).",
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
                    "description": "A boolean. False: the sensor reports poor skin contact, so the "
                    "values are not judged. Also read: 1 and 0; true, t, yes, y, false, f, no and "
                    "n in any case; null, an empty text, NaN, NA and n/a: not known. Anything else "
                    "of any type counts as false, and the result has a `note`; a reading without "
                    "values is refused then.",
                },
            },
            "additionalProperties": False,
        },
        "reading_id": _IDENTIFIER
        | {
            "description": "Your own id, so that a repeated request changes nothing. Left out, "
            "one is derived from the content, to the same end."
        },
        "sequence": {
            "type": "integer",
            "minimum": 0,
            "maximum": validate.LARGEST_SEQUENCE,
            "description": "The device's own number of this measurement: a pressure with another "
            "number is a second measurement, even where it is equal.",
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
            "items": ref("Reading"),
            "minItems": 1,
            "maxItems": MAX_READINGS,
        },
        "sent_at": _SENT_AT,
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
        for row in SIGNALS.values()
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


def schemas() -> dict[str, Any]:
    """Every schema that the operations name."""
    _, answered = msgspec.json.schema_components([Answer, Problem, Rejected], ref_template=TEMPLATE)
    return {"Reading": _READING, "Readings": _READINGS, "Signal": _SIGNAL, **answered}
