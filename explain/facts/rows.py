"""Which row of the reviewed tables an event has: its words, its direction, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from explain import tables
from explain.facts.evidence import number
from explain.tables import Direction
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS

if TYPE_CHECKING:
    from explain.facts.extraction import Facts


def row_of(event: Event) -> str:
    """The row of the tables for an event.

    It is its kind's own, that of its reason where the kind has one, else (as of one that ended
    unobserved, or was withdrawn) that of its rule, or its category's where the kind is unknown.
    """
    row = tables.kinds().get(event.kind)
    if row is None or event.kind not in KINDS:
        return f"other_{event.category}"
    if not row.reasons:
        return event.kind
    reason, rule = event.evidence.get("reason"), event.evidence.get("rule")
    if isinstance(reason, str) and reason in row.reasons:
        return row.reasons[reason]
    if isinstance(rule, str) and rule.startswith(f"{event.kind}."):
        return row.rules.get(rule.rpartition(".")[2], event.kind)
    return event.kind


def action_rows(facts: Facts) -> str:
    """Which rows of the tables say what to do; a pressure measured once asks for another."""
    if facts.basis == "single" and facts.situation == "now":
        return tables.SINGLE_PRESSURE
    return tables.kinds()[facts.kind].action or facts.category


def direction_of(event: Event) -> Direction:
    """Which way the finding points: the kind's own way, or as the numbers show.

    A measured direction compares the furthest value of the episode (else its present one) with the
    limit in force, which lies on the side that was crossed, or with the usual value.
    """
    row = tables.kinds()[row_of(event)]
    if row.direction != "measured":
        return row.direction
    match event.evidence.get("direction"):
        case "above":
            return "above"
        case "below":
            return "below"
    value = number(event.evidence, "extreme")
    if value is None:
        value = number(event.evidence, "value")
    reference = number(event.evidence, "baseline", "median")
    if reference is None:
        reference = number(event.evidence, "limit")
    return side(value, reference)


def side(value: float | None, reference: float | None) -> Literal["above", "below", "none"]:
    """The side of the reference that a value lies on; ``none`` where either is unknown."""
    if value is None or reference is None or value == reference:
        return "none"
    return "above" if value > reference else "below"
