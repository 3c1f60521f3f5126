"""What a reviewer of the phrasebook reads: a signature in words, a sentence in its message.

The figures of an example are invented to fit the finding; they are no patient's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from explain import tables
from explain.facts.extraction import SPAN_SLOTS, extract_event_facts, facts_for_reader
from explain.facts.signature import Signature
from explain.facts.slots import measure_slots, render_slots
from explain.language_model.prompt import ACTIVITIES, STATES
from explain.phrasebook.book import UNKNOWN_SIGNATURE, WRONG_ID
from explain.tables import SLOT
from explain.templates.drafts import draft_around, make_sentence
from explain.verifier import RULES
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, Category, Priority
from vigil.domain.reading import Context

EXAMPLE_TIME = datetime(2026, 3, 2, 10, 40, tzinfo=UTC)
"""When the example was detected; its onset is 40 minutes earlier."""
EXAMPLE_DURATION = timedelta(minutes=40)
USUAL_FIGURES: MappingProxyType[str, float] = MappingProxyType(
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
FINDING_FIGURES: MappingProxyType[tuple[str, str], float] = MappingProxyType(
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
LIMIT_SHARE = 0.94
"""The limit of an example, as a share of what was found above it; the inverse below."""
REFUSAL_REASONS: MappingProxyType[str, str] = MappingProxyType(
    {
        **{rule.code: rule.what for rule in RULES},
        UNKNOWN_SIGNATURE: "It says what this version has no alert for.",
        WRONG_ID: "Its name is not that of its words.",
    }
)
"""Reason code → what it means to a reader."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence with its slots filled, and the message around it."""

    sentence: str
    title: str
    body: str
    action: str


def describe_signature(signature: Signature) -> tuple[str, ...]:
    """The content of a signature in words, part by part.

    >>> from explain.facts.signature import parse_signature
    >>> signature = parse_signature("en/patient/heart_rate_high.above/opened/rest/-/heart_rate")
    >>> describe_signature(signature)
    ('Patient', 'Heart rate high', 'new', 'at rest')
    """
    parts = [
        signature.audience.replace("_", " ").capitalize(),
        _finding(signature.kind, signature.direction),
        STATES[signature.announcement],
    ]
    if signature.activity:
        parts.append(ACTIVITIES[signature.activity])
    if signature.also:
        parts.append("told with: " + _finding(*signature.also.split(".")))
    return tuple(parts)


def kind_label(kind: str) -> str:
    """A kind's label, also where this version does not know the kind."""
    return KINDS[kind].label if kind in KINDS else kind.replace("_", " ").capitalize()


def _finding(kind: str, direction: str) -> str:
    row = tables.kinds().get(kind)
    side = direction if row and row.direction == "measured" and direction != "none" else ""
    return f"{kind_label(kind)}, {side}" if side else kind_label(kind)


def make_example(signature: Signature, text: str) -> Example:
    """Fill a sentence with plausible figures, alone and in the message around it."""
    event = example_event(signature)
    measured = measure_slots(event)
    facts = facts_for_reader(
        extract_event_facts(event, measured), signature.audience, signature.locale
    )
    draft = draft_around(facts, make_sentence(text, ""), names_further_finding=bool(signature.also))
    rendered = render_slots(event, signature.locale)
    return Example(
        sentence=_filled(text, rendered),
        title=draft.title,
        body=_filled(draft.body, rendered),
        action=draft.action,
    )


def _filled(text: str, rendered: dict[str, str]) -> str:
    """Filled as far as possible: a sentence under review may have unknown slots."""
    return SLOT.sub(lambda match: rendered.get(match[1], match[0]), text)


def split_at_slots(text: str) -> list[tuple[str, bool]]:
    """The parts of a sentence, each with whether it is a slot.

    >>> split_at_slots("Now {heart_rate}.")
    [('Now ', False), ('{heart_rate}', True), ('.', False)]
    """
    found = re.split(f"({SLOT.pattern.replace('(', '(?:')})", text)
    return [(part, bool(SLOT.fullmatch(part))) for part in found if part]


def example_event(signature: Signature) -> Event:
    """An event that the signature could be of."""
    known = KINDS.get(signature.kind)
    category: Category = "technical" if signature.kind == "other_technical" else "clinical"
    priority: Priority = known.priority if known else "medium"
    closed = signature.announcement not in {"opened", "updated", "late"}
    phase: Phase = (
        "closed" if closed else "updated" if signature.announcement == "updated" else "opened"
    )
    return Event(
        episode_id="example",
        patient_id="example",
        kind=signature.kind,
        category=known.category if known else category,
        phase=phase,
        sequence=0,
        priority=priority,
        onset=EXAMPLE_TIME - EXAMPLE_DURATION,
        detected_at=EXAMPLE_TIME,
        ended_at=EXAMPLE_TIME if closed else None,
        retrospective=signature.announcement == "late",
        signals=known.signals if known else (),
        evidence=_evidence(signature),
        context=Context(signature.activity or "unknown"),  # type: ignore[arg-type]
        detector_version="example",
        config_hash="example",
    )


def _evidence(signature: Signature) -> dict[str, Any]:
    values = dict(USUAL_FIGURES)
    findings: list[tuple[str, str]] = [(signature.kind, signature.direction)]
    if signature.also:
        kind, _, direction = signature.also.partition(".")
        findings.insert(0, (kind, direction))  # the finding itself has the last word
    for kind, direction in findings:
        for quantity in (*(KINDS[kind].signals if kind in KINDS else ()), _quantity(kind)):
            values[quantity] = FINDING_FIGURES.get(
                (quantity, direction), USUAL_FIGURES.get(quantity, 0)
            )
    signal = _quantity(signature.kind)
    evidence: dict[str, Any] = {
        "values": {name: value for name, value in values.items() if name in USUAL_FIGURES},
        "average": {"systolic": values["systolic"], "diastolic": values["diastolic"]},
        "samples": 41,
        "readings_beyond": 40,
        "duration_observed": not SPAN_SLOTS.isdisjoint(signature.slots),
        "duration_seconds": EXAMPLE_DURATION.total_seconds(),
        "contributions": {"heart_rate": 2, "respiratory_rate": 1},
        "direction": signature.direction,
        "parts": [{"kind": "shock_index_high", "signal": "shock_index", "value": 1.2}],
    }
    if signal:
        evidence |= {"signal": signal, **_judged(signal, values[signal], signature.direction)}
    if signature.also:
        evidence["parts"] = [_part(signature.also)]
    return evidence


def _quantity(kind: str) -> str:
    row = tables.kinds().get(kind)
    quantity = row.quantity if row else ""
    return "systolic" if quantity == "pressure" else quantity


def _judged(signal: str, value: float, direction: str) -> dict[str, Any]:
    calm = USUAL_FIGURES[signal]
    nearest = value / LIMIT_SHARE if direction == "below" else value * LIMIT_SHARE
    return {
        "value": value,
        "extreme": value,
        "limit": nearest,
        "baseline": {
            "median": calm,
            "low": calm * LIMIT_SHARE,
            "high": calm / LIMIT_SHARE,
            "confidence": 1.0,
        },
    }


def _part(also: str) -> dict[str, Any]:
    kind, _, direction = also.partition(".")
    signal = _quantity(kind)
    if not signal:
        return {"kind": kind}
    value = FINDING_FIGURES.get((signal, direction), USUAL_FIGURES[signal])
    limit = USUAL_FIGURES[signal]
    return {"kind": kind, "signal": signal, "value": value, "limit": limit}
