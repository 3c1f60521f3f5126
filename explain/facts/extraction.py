"""Extracts the *delexicalised* facts of an event: no number, no name, no free text.

The choice of a sentence, the verifier and the language model see nothing else. Numbers and times
are inserted afterwards, through :mod:`explain.facts.slots`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from explain import tables
from explain.facts.evidence import number
from explain.facts.latest import Latest, lies_within
from explain.facts.rows import direction_of, row_of, side
from explain.facts.units import UNITS
from explain.tables import Announcement, Change, Direction, Situation
from vigil.domain.alert import Audience
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, PRIORITY_ORDER, Category, Priority
from vigil.domain.reading import WITHDRAWAL_LABELS, Activity

NO_RECOVERY: Mapping[str, Announcement] = MappingProxyType(
    {
        "rule_withdrawn": "withdrawn",
        "gone": "gone",
        "late_end": "late",
        "reading_withdrawn": "taken_back",
        "unobserved": "unobserved",
    }
)
"""The evidence's ``reason`` of an end that is not a recovery → how the end is announced. Where late
readings end, it is only known that the finding existed."""

SPAN_SLOTS = frozenset({"duration", "since", "until"})
"""The slots that say how long, or from when to when: an event has them only where its duration was
observed (:func:`duration_observed`)."""
TECHNICAL_REASONS = (
    *("out_of_range", "systolic_not_above_diastolic"),
    *("from_the_future", "from_the_past", "constant_offset"),
)
"""The detectors' reasons that have a sentence of their own (``[frame.reason]``). Those for which a
value is only doubted have rows of the tables (``reasons`` of ``kinds.toml``)."""
Basis = Literal["", "sparse", "systolic", "active", "single", "without_reading", "without_readings"]
"""What a clinical finding rests on, where that is out of the ordinary: fewer readings than a home
protocol asks for; systolic pressures alone; a rate that is judged although the person is active; a
single pressure; readings of which one was, or several were, withdrawn since."""
_CONFIRMED_BY_ANOTHER = frozenset({"blood_pressure_high", "blood_pressure_low"})
"""Kinds of which one reading may be announced, so that another is taken."""

_OF_READINGS = ("poor_contact", "sensor_fault")
"""What the names of rules begin with whose finding is seen in readings."""
_FAULT_GAP_SECONDS = 5400.0
"""Readings of a fault further apart than this on average bear no duration: our own figure, so that
hourly charting does."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One event for one audience in one locale. Every field has a closed set of values."""

    kind: str
    """A row of ``tables/kinds.toml``; a kind unknown to it becomes ``other_<category>``."""
    category: Category
    direction: Direction
    phase: Phase
    situation: Situation
    """``now`` while it lasts, ``late`` for late data, ``ended`` once closed, ``unknown`` where that
    was because nothing was measured any more."""
    late: bool
    announcement: Announcement
    """Which of a block's lists of sentences applies."""
    priority: Priority
    activity: Activity
    reason: str
    """Why: of a technical finding, one of :data:`TECHNICAL_REASONS`; of one that was taken back,
    why its readings were withdrawn; or empty."""
    audience: Audience
    locale: str
    synthetic: bool
    slots: tuple[str, ...]
    """Names of the slots that can be filled, sorted."""
    duration_observed: bool
    """The readings stand close enough to say how long it lasted (:func:`duration_observed`)."""
    also: str = ""
    """A further finding to announce with this one, as ``kind.direction``; empty: none."""
    change: Change = ""
    """What this step announces besides the finding."""
    time_uncertain: bool = False
    """The clock of the device that measured it is off: the times that are shown may be wrong."""
    basis: Basis = ""
    """What it rests on, where that is out of the ordinary."""
    latest: Latest = ""
    """What the reading of this step is, where it does not show the finding."""
    beyond_another: bool = False
    """The reading of this step shows the finding by another limit than the one that is stated."""


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
    duration_observed: bool
    change: Change
    slots: tuple[str, ...]
    time_uncertain: bool = False
    basis: Basis = ""
    latest: Latest = ""
    beyond_another: bool = False


def extract_event_facts(event: Event, slots: Iterable[str]) -> EventFacts:
    """The facts of an event for any reader; ``slots`` names the slots that can be filled."""
    announcement = announcement_of(event)
    return EventFacts(
        kind=row_of(event),
        category=event.category,
        direction=direction_of(event),
        phase=event.phase,
        late=event.retrospective,
        announcement=announcement,
        priority=event.priority,
        activity=event.context.activity,
        reason=_reason(event, announcement),
        synthetic=event.synthetic,
        also=_further_finding(event),
        duration_observed=duration_observed(event),
        change=_change(event),
        slots=tuple(slots),
        time_uncertain=is_time_uncertain(event),
        basis=_without_readings(event) or _basis(event),
        latest=_latest(event),
        beyond_another=event.evidence.get("within_limits") is False,
    )


def facts_for_reader(what: EventFacts, audience: Audience, locale: str) -> Facts:
    """The facts for an audience in a locale."""
    situation: Situation = "now"
    if what.announcement == "unobserved":
        situation = "unknown"
    elif what.phase == "closed":
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
        duration_observed=what.duration_observed,
        change=what.change,
        time_uncertain=what.time_uncertain,
        basis=what.basis,
        latest=what.latest,
        beyond_another=what.beyond_another,
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


def duration_observed(event: Event) -> bool:
    """Whether words may claim how long the condition lasted."""
    return bears_duration(event.category, event.evidence)


def bears_duration(category: Category, evidence: Mapping[str, Any]) -> bool:
    """Whether the evidence of a finding bears a claim of how long it lasted.

    Of a clinical finding only where its readings stand close enough, which the detectors judge
    (``duration_observed``; absent: no). What a device did or did not send is known at any time, but
    not what it would have sent: a fault that is seen in readings lasted where those stand close.
    """
    if category == "technical":
        return not _is_seen_rarely(evidence)
    return evidence.get("duration_observed") is True


def _is_seen_rarely(evidence: Mapping[str, Any]) -> bool:
    """Whether a technical finding rests on readings that are hours apart on average. A value that
    stands still is close by what counts as that."""
    rule, seconds = evidence.get("rule"), number(evidence, "duration_seconds") or 0.0
    of_readings = isinstance(rule, str) and rule.startswith(_OF_READINGS)
    if not of_readings or evidence.get("reason") == "stuck":
        return False
    intervals = max(1.0, (number(evidence, "samples") or 0.0) - 1.0)
    return seconds > _FAULT_GAP_SECONDS * intervals


def unobserved_end(evidence: Mapping[str, Any]) -> bool:
    """Whether an episode was closed because nothing was measured any more."""
    return evidence.get("reason") == "unobserved"


def highest_priority(event: Event) -> Priority | None:
    """The highest priority that an episode had, where its present one is lower."""
    stated = event.evidence.get("highest_priority")
    for priority, order in PRIORITY_ORDER.items():
        if priority == stated and order < PRIORITY_ORDER[event.priority]:
            return priority
    return None


def _without_readings(event: Event) -> Basis:
    """Of a clinical finding that stands without readings that were withdrawn."""
    withdrawal = event.evidence.get("withdrawal")
    taken_back = event.evidence.get("reason") == "reading_withdrawn"
    if event.category == "technical" or taken_back or not isinstance(withdrawal, dict):
        return ""
    withdrawn = number(withdrawal, "readings") or 0.0
    return "without_readings" if withdrawn > 1 else "without_reading" if withdrawn else ""


def _basis(event: Event) -> Basis:
    """Of a clinical finding while it lasts."""
    if event.phase == "closed" or event.category == "technical":
        return ""
    match event.evidence.get("protocol"):
        case "sparse":
            return "sparse"
        case "systolic":
            return "systolic"
    if "judged_while_active" in event.evidence:
        return "active"
    if event.retrospective or event.kind not in _CONFIRMED_BY_ANOTHER:
        return ""
    counts = [number(event.evidence, key) for key in ("readings_beyond", "samples")]
    return "single" if counts == [1.0, 1.0] else ""


def _latest(event: Event) -> Latest:
    """By what the evidence states; where it states nothing (another version's), by its figures."""
    if event.phase == "closed" or event.retrospective or event.category == "technical":
        return ""
    evidence = event.evidence
    stated = evidence.get("within_limits")
    if stated is True:
        return "within"
    if isinstance(evidence.get("last_reading"), str):
        return "unread"
    if stated is False or not (unit := judged_quantity(event)):
        return ""
    over_days = event.kind in KINDS and KINDS[event.kind].cause == "trend"
    shown = not over_days  # a reading by itself says nothing of days
    return "within" if lies_within(evidence, unit, direction_of(event), shown=shown) else ""


def judged_quantity(event: Event) -> str:
    """The quantity that ``value``, ``limit``, ``extreme`` and the baseline are about, or ``""``.

    A technical finding has none: its numbers are what was *not* believed.
    """
    if event.category == "technical":
        return ""
    signal = event.evidence.get("signal")
    if isinstance(signal, str) and signal in UNITS:
        return signal
    return tables.kinds()[row_of(event)].quantity


def _change(event: Event) -> Change:
    """What an ``updated`` step of a clinical finding announces; not of late data, which is past.

    That readings were withdrawn is said of what is over, too.
    """
    stated = event.evidence.get("change")
    if event.category == "technical" or announcement_of(event) == "taken_back":
        return ""
    if stated == "corrected":
        return "corrected"
    if event.phase != "updated" or event.retrospective:
        return ""
    return next((change for change in tables.CHANGES if change == stated), "")


def is_time_uncertain(event: Event) -> bool:
    """Whether it was measured by a device whose clock is off (``docs/detection.md``)."""
    return event.category == "clinical" and event.evidence.get("time_uncertain") is True


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
            and part.get("within_limits") is not True
            and _about_other_signals(kind, event.kind)
        ):
            direction = tables.kinds()[kind].direction
            if direction == "measured":
                direction = side(number(part, "value"), number(part, "limit"))
            return f"{kind}.{direction}"
    return ""


def _about_other_signals(one: str, other: str) -> bool:
    """Whether two kinds are about different signals."""
    return set(KINDS[one].signals).isdisjoint(KINDS[other].signals)


def _reason(event: Event, announcement: Announcement) -> str:
    stated = event.evidence.get("reason")
    if announcement == "taken_back":
        withdrawal = event.evidence.get("withdrawal")
        why = withdrawal.get("reason") if isinstance(withdrawal, dict) else None
        return why if isinstance(why, str) and why in WITHDRAWAL_LABELS else ""
    known = (
        event.category == "technical" and isinstance(stated, str) and stated in TECHNICAL_REASONS
    )
    return str(stated) if known else ""
