"""Extracts the *delexicalised* facts of an event: no number, no name, no free text.

The choice of a sentence, the verifier and the language model see nothing else. Numbers and times
are inserted afterwards, through :mod:`explain.facts.slots`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from explain import tables
from explain.facts.evidence import number
from explain.tables import Announcement, Direction, Situation
from vigil.domain.alert import Audience
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, Category, Priority
from vigil.domain.reading import Activity

NO_RECOVERY: Mapping[str, Announcement] = MappingProxyType(
    {"rule_withdrawn": "withdrawn", "gone": "gone", "late_end": "late"}
)
"""The evidence's ``reason`` of an end that is not a recovery → how the end is announced. Where late
readings end, it is only known that the finding existed."""

TECHNICAL_REASONS = (
    *("stuck", "out_of_range", "systolic_not_above_diastolic", "far_from_recent"),
    *("devices_disagree", "motion", "from_the_future", "from_the_past"),
)
"""The detectors' reasons that the tables have words for."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One event for one audience in one locale. Every field has a closed set of values."""

    kind: str
    """A row of ``tables/kinds.toml``; a kind unknown to it becomes ``other_<category>``."""
    category: Category
    direction: Direction
    phase: Phase
    situation: Situation
    """``now`` while it lasts, ``late`` for late data, ``ended`` once closed."""
    late: bool
    announcement: Announcement
    """Which of a block's lists of sentences applies."""
    priority: Priority
    activity: Activity
    reason: str
    """Why, for a technical finding; one of :data:`TECHNICAL_REASONS`, or empty."""
    audience: Audience
    locale: str
    synthetic: bool
    slots: tuple[str, ...]
    """Names of the slots that can be filled, sorted."""
    also: str = ""
    """A further finding to announce with this one, as ``kind.direction``; empty: none."""


class EventFacts(Struct, frozen=True):
    """What an event's facts are made of, for whichever reader: quick to make and to look up."""

    kind: str
    category: Category
    direction: Direction
    phase: Phase
    late: bool
    announcement: Announcement
    priority: Priority
    activity: Activity
    reason: str
    synthetic: bool
    also: str
    slots: tuple[str, ...]


def extract_event_facts(event: Event, slots: Iterable[str]) -> EventFacts:
    """The facts of an event for any reader; ``slots`` names the slots that can be filled."""
    return EventFacts(
        kind=row_of(event.kind, event.category),
        category=event.category,
        direction=direction_of(event),
        phase=event.phase,
        late=event.retrospective,
        announcement=announcement_of(event),
        priority=event.priority,
        activity=event.context.activity,
        reason=_reason(event),
        synthetic=event.synthetic,
        also=_further_finding(event),
        slots=tuple(slots),
    )


def facts_for_reader(what: EventFacts, audience: Audience, locale: str) -> Facts:
    """The facts for an audience in a locale."""
    situation: Situation = "now"
    if what.phase == "closed":
        situation = "ended"
    elif what.late:
        situation = "late"
    return Facts(
        kind=what.kind,
        category=what.category,
        direction=what.direction,
        phase=what.phase,
        situation=situation,
        late=what.late,
        announcement=what.announcement,
        priority=what.priority,
        activity=what.activity,
        reason=what.reason,
        audience=audience,
        locale=locale,
        synthetic=what.synthetic,
        slots=tuple(sorted(what.slots)),
        also=what.also if audience == "patient" else "",
    )


def extract_facts(event: Event, audience: Audience, locale: str, slots: Iterable[str]) -> Facts:
    """The facts of an event; ``slots`` are the names of those that can be filled."""
    return facts_for_reader(extract_event_facts(event, slots), audience, locale)


def announcement_of(event: Event) -> Announcement:
    """The phase, except for late data and for an end that is not a recovery."""
    if event.phase == "closed":
        reason = event.evidence.get("reason")
        return NO_RECOVERY.get(reason, "closed") if isinstance(reason, str) else "closed"
    return "late" if event.retrospective else event.phase


def _further_finding(event: Event) -> str:
    """The first of the event's parts that is about other signals, while it lasts.

    The care team reads all of them, in the slot ``parts``.
    """
    if event.phase == "closed" or event.retrospective or event.kind not in tables.COMBINED_KINDS:
        return ""
    listed = event.evidence.get("parts")
    for part in listed if isinstance(listed, list) else ():
        kind = part.get("kind") if isinstance(part, dict) else None
        if (
            isinstance(kind, str)
            and kind in tables.COMBINED_KINDS
            and _about_other_signals(kind, event.kind)
        ):
            direction = tables.kinds()[kind].direction
            if direction == "measured":
                direction = _side(number(part, "value"), number(part, "limit"))
            return f"{kind}.{direction}"
    return ""


def _about_other_signals(one: str, other: str) -> bool:
    """Whether two kinds are about different signals."""
    return set(KINDS[one].signals).isdisjoint(KINDS[other].signals)


def _reason(event: Event) -> str:
    stated = event.evidence.get("reason")
    known = (
        event.category == "technical" and isinstance(stated, str) and stated in TECHNICAL_REASONS
    )
    return str(stated) if known else ""


def row_of(kind: str, category: Category) -> str:
    """The row of the tables for a kind: its own, or its category's where the kind is unknown."""
    return kind if kind in tables.kinds() else f"other_{category}"


def direction_of(event: Event) -> Direction:
    """Which way the finding points: the kind's own way, or as the numbers show.

    A measured direction compares the furthest value of the episode (else its present one) with the
    limit in force, which lies on the side that was crossed, or with the usual value.
    """
    row = tables.kinds()[row_of(event.kind, event.category)]
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
    return _side(value, reference)


def _side(value: float | None, reference: float | None) -> Literal["above", "below", "none"]:
    if value is None or reference is None or value == reference:
        return "none"
    return "above" if value > reference else "below"
