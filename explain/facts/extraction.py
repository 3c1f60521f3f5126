"""What an event says, without a single number, name or word of anyone's: *delexicalised*.

This is all that the choice of a sentence, the verifier and the language model ever see. Numbers
and times come in afterwards, through :mod:`explain.facts.slots`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from msgspec import Struct

from explain import tables
from explain.facts.evidence import number
from explain.tables import Direction, Situation, Telling
from vigil.domain.alert import Audience
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, Category, Priority
from vigil.domain.reading import Activity

NO_RECOVERY: Mapping[str, Telling] = MappingProxyType(
    {"rule_withdrawn": "withdrawn", "gone": "gone", "late_end": "late"}
)
"""The evidence's ``reason`` of an end that says nothing of the person → how it is told. Where late
readings end, that it was so is all that is known."""

REASONS = (
    *("stuck", "out_of_range", "systolic_not_above_diastolic", "far_from_recent"),
    *("devices_disagree", "motion", "from_the_future", "from_the_past"),
)
"""The detectors' reasons that the tables have words for."""


class Facts(Struct, frozen=True):
    """One event for one audience in one locale. Every field is one of a closed set of words."""

    kind: str
    """A row of ``tables/kinds.toml``; a kind unknown to it becomes ``other_<category>``."""
    category: Category
    direction: Direction
    phase: Phase
    situation: Situation
    """``now`` while it lasts, ``late`` where it was told late, ``ended`` once closed."""
    late: bool
    telling: Telling
    """Which of a block's lists of sentences speaks."""
    priority: Priority
    activity: Activity
    reason: str
    """Why, for a technical finding; one of :data:`REASONS`, or empty."""
    audience: Audience
    locale: str
    synthetic: bool
    slots: tuple[str, ...]
    """Names of the slots that can be filled, sorted."""
    also: str = ""
    """A further finding to be told with this one, as ``kind.direction``; empty: none."""


class Told(NamedTuple):
    """What an event's facts are made of, for whichever reader: quick to make and to look up."""

    kind: str
    category: Category
    direction: Direction
    phase: Phase
    late: bool
    telling: Telling
    priority: Priority
    activity: Activity
    reason: str
    synthetic: bool
    also: str
    slots: tuple[str, ...]


def told(event: Event, slots: Iterable[str]) -> Told:
    """What is told of an event; ``slots`` are the names of those that can be filled."""
    return Told(
        row_of(event.kind, event.category),
        event.category,
        direction_of(event),
        event.phase,
        event.retrospective,
        telling_of(event),
        event.priority,
        event.context.activity,
        _reason(event),
        event.synthetic,
        _also(event),
        tuple(slots),
    )


def for_reader(what: Told, audience: Audience, locale: str) -> Facts:
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
        telling=what.telling,
        priority=what.priority,
        activity=what.activity,
        reason=what.reason,
        audience=audience,
        locale=locale,
        synthetic=what.synthetic,
        slots=tuple(sorted(what.slots)),
        also=what.also if audience == "patient" else "",
    )


def of(event: Event, audience: Audience, locale: str, slots: Iterable[str]) -> Facts:
    """The facts of an event; ``slots`` are the names of those that can be filled."""
    return for_reader(told(event, slots), audience, locale)


def telling_of(event: Event) -> Telling:
    """The phase, but for what was told late, and for an end that is no recovery."""
    if event.phase == "closed":
        reason = event.evidence.get("reason")
        return NO_RECOVERY.get(reason, "closed") if isinstance(reason, str) else "closed"
    return "late" if event.retrospective else event.phase


def _also(event: Event) -> str:
    """The first of the event's parts that is about other signals, while it lasts.

    The care team reads all of them, in the slot ``parts``.
    """
    if event.phase == "closed" or event.retrospective or event.kind not in tables.TOLD_TOGETHER:
        return ""
    listed = event.evidence.get("parts")
    for part in listed if isinstance(listed, list) else ():
        kind = part.get("kind") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind in tables.TOLD_TOGETHER and _apart(kind, event.kind):
            direction = tables.kinds()[kind].direction
            if direction == "measured":
                direction = _side(number(part, "value"), number(part, "limit"))
            return f"{kind}.{direction}"
    return ""


def _apart(one: str, other: str) -> bool:
    """Whether two kinds are about different signals."""
    return set(KINDS[one].signals).isdisjoint(KINDS[other].signals)


def _reason(event: Event) -> str:
    stated = event.evidence.get("reason")
    known = event.category == "technical" and isinstance(stated, str) and stated in REASONS
    return str(stated) if known else ""


def row_of(kind: str, category: Category) -> str:
    """The row that speaks for a kind: its own, or the category's where it is not known."""
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
