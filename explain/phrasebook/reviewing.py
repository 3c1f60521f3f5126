"""What a reviewer of the phrasebook reads: a signature in words, a sentence as it would be read.

The figures of an example are made up, plain ones that fit the finding; nobody's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from explain import tables
from explain.facts import extraction as facts
from explain.facts import slots
from explain.facts.signature import Signature
from explain.language_model.prompt import DOING, TOLD
from explain.phrasebook import book as phrasebook
from explain.tables import SLOT
from explain.templates.drafts import around, sentence_of
from explain.verifier import RULES
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, Category, Priority
from vigil.domain.reading import Context

MOMENT = datetime(2026, 3, 2, 10, 40, tzinfo=UTC)
"""When the example is told; it began 40 minutes before."""
LASTED = timedelta(minutes=40)
CALM: MappingProxyType[str, float] = MappingProxyType(
    {
        "heart_rate": 74,
        "systolic": 124,
        "diastolic": 78,
        "spo2": 97,
        "respiratory_rate": 15,
        "temperature": 36.8,
        "pulse_pressure": 46,
        "mean_arterial_pressure": 93,
        "shock_index": 0.6,
        "score": 1,
    }
)
FOUND: MappingProxyType[tuple[str, str], float] = MappingProxyType(
    {
        ("heart_rate", "above"): 118,
        ("heart_rate", "below"): 44,
        ("systolic", "above"): 182,
        ("systolic", "below"): 84,
        ("diastolic", "above"): 108,
        ("diastolic", "below"): 52,
        ("pulse_pressure", "above"): 104,
        ("pulse_pressure", "below"): 22,
        ("mean_arterial_pressure", "below"): 58,
        ("shock_index", "above"): 1.2,
        ("score", "above"): 7,
    }
)
"""Quantity and direction → a figure that such a finding could have."""
NEAREST = 0.94
"""The limit of an example, as a share of what was found above it; the inverse below."""
REASONS: MappingProxyType[str, str] = MappingProxyType(
    {
        **{rule.code: rule.what for rule in RULES},
        phrasebook.UNKNOWN_SIGNATURE: "It says what this version has no alert for.",
        phrasebook.WRONG_ID: "Its name is not that of its words.",
    }
)
"""Reason code → what it means to a reader."""


class Example(NamedTuple):
    """A sentence as it would be read, and the message that it would stand in."""

    sentence: str
    title: str
    body: str
    action: str


def in_words(signature: Signature) -> tuple[str, ...]:
    """What a sentence must say, part by part.

    >>> from explain.facts.signature import parse
    >>> in_words(parse("en/patient/heart_rate_high.above/opened/rest/-/heart_rate"))
    ('Patient', 'Heart rate high', 'new', 'at rest')
    """
    parts = [
        signature.audience.replace("_", " ").capitalize(),
        _finding(signature.kind, signature.direction),
        TOLD[signature.telling],
    ]
    if signature.activity:
        parts.append(DOING[signature.activity])
    if signature.also:
        parts.append("told with: " + _finding(*signature.also.split(".")))
    return tuple(parts)


def label(kind: str) -> str:
    """A kind's name, also where this version has no row for it."""
    return KINDS[kind].label if kind in KINDS else kind.replace("_", " ").capitalize()


def _finding(kind: str, direction: str) -> str:
    row = tables.kinds().get(kind)
    told = direction if row and row.direction == "measured" and direction != "none" else ""
    return f"{label(kind)}, {told}" if told else label(kind)


def example(signature: Signature, text: str) -> Example:
    """A sentence with plain figures, on its own and in the message around it."""
    event = event_for(signature)
    measured = slots.measure(event)
    told = facts.for_reader(facts.told(event, measured), signature.audience, signature.locale)
    draft = around(told, sentence_of(text, ""), also_told=bool(signature.also))
    rendered = slots.render(event, signature.locale)
    return Example(
        _filled(text, rendered), draft.title, _filled(draft.body, rendered), draft.action
    )


def _filled(text: str, rendered: dict[str, str]) -> str:
    """Filled as far as it can be: what a reviewer looks at may be wrong."""
    return SLOT.sub(lambda match: rendered.get(match[1], match[0]), text)


def pieces(text: str) -> list[tuple[str, bool]]:
    """The parts of a sentence, each with whether it is a slot.

    >>> pieces("Now {heart_rate}.")
    [('Now ', False), ('{heart_rate}', True), ('.', False)]
    """
    found = re.split(f"({SLOT.pattern.replace('(', '(?:')})", text)
    return [(part, bool(SLOT.fullmatch(part))) for part in found if part]


def event_for(signature: Signature) -> Event:
    """An event that the signature could be of."""
    known = KINDS.get(signature.kind)
    category: Category = "technical" if signature.kind == "other_technical" else "clinical"
    priority: Priority = known.priority if known else "medium"
    closed = signature.telling not in {"opened", "updated", "late"}
    phase: Phase = "closed" if closed else "updated" if signature.telling == "updated" else "opened"
    return Event(
        event_id="example",
        patient_id="example",
        kind=signature.kind,
        category=known.category if known else category,
        phase=phase,
        sequence=0,
        priority=priority,
        onset=MOMENT - LASTED,
        detected_at=MOMENT,
        ended_at=MOMENT if closed else None,
        retrospective=signature.telling == "late",
        signals=known.signals if known else (),
        evidence=_evidence(signature),
        context=Context(signature.activity or "unknown"),  # type: ignore[arg-type]
        detector_version="example",
        config_hash="example",
    )


def _evidence(signature: Signature) -> dict[str, Any]:
    values = dict(CALM)
    findings: list[tuple[str, str]] = [(signature.kind, signature.direction)]
    if signature.also:
        kind, _, direction = signature.also.partition(".")
        findings.insert(0, (kind, direction))  # the finding itself has the last word
    for kind, direction in findings:
        for quantity in (*(KINDS[kind].signals if kind in KINDS else ()), _quantity(kind)):
            values[quantity] = FOUND.get((quantity, direction), CALM.get(quantity, 0))
    signal = _quantity(signature.kind)
    made: dict[str, Any] = {
        "values": {name: value for name, value in values.items() if name in CALM},
        "average": {"systolic": values["systolic"], "diastolic": values["diastolic"]},
        "samples": 41,
        "duration_seconds": LASTED.total_seconds(),
        "contributions": {"heart_rate": 2, "respiratory_rate": 1},
        "direction": signature.direction,
        "parts": [{"kind": "shock_index_high", "signal": "shock_index", "value": 1.2}],
    }
    if signal:
        made |= {"signal": signal, **_judged(signal, values[signal], signature.direction)}
    if signature.also:
        made["parts"] = [_part(signature.also)]
    return made


def _quantity(kind: str) -> str:
    row = tables.kinds().get(kind)
    quantity = row.quantity if row else ""
    return "systolic" if quantity == "pressure" else quantity


def _judged(signal: str, value: float, direction: str) -> dict[str, Any]:
    calm = CALM[signal]
    nearest = value / NEAREST if direction == "below" else value * NEAREST
    return {
        "value": value,
        "extreme": value,
        "limit": nearest,
        "baseline": {
            "median": calm,
            "low": calm * NEAREST,
            "high": calm / NEAREST,
            "confidence": 1.0,
        },
    }


def _part(also: str) -> dict[str, Any]:
    kind, _, direction = also.partition(".")
    signal = _quantity(kind)
    if not signal:
        return {"kind": kind}
    value = FOUND.get((signal, direction), CALM[signal])
    limit = CALM[signal]
    return {"kind": kind, "signal": signal, "value": value, "limit": limit}
