"""The slots of an answer: an event's slots, fewer for a patient, some more for the care team.

The care team can ask for the rule, the delay and the scores: each is checked and formatted here,
and is shown to nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from explain import tables
from explain.facts.evidence import number, within_range
from explain.facts.extraction import judged_quantity
from explain.facts.slot_formatting import slot_formatter
from explain.facts.slots import SLOTS, render_slots
from vigil.domain.alert import Audience
from vigil.domain.episode import Event
from vigil.values.rounding import format_half_up, half_up

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
"""The name of a rule or detector; anything else is not shown."""
MOST_SCORES = 6
LONGEST_SECONDS = 366 * 86_400.0
_OF_ONE_QUANTITY = ("value", "limit", "extreme", "usual_range")


def render_answer_slots(event: Event, audience: Audience, locale: str) -> dict[str, str]:
    """The slots that an answer to this reader can fill, in the locale's words."""
    found = render_slots(event, locale)
    if found.get("extreme") == found.get("value"):
        found.pop("extreme", None)  # the same figure twice adds nothing
    if audience == "patient":
        return {name: text for name, text in found.items() if _for_patient(event, name)}
    for name, (_, read) in CARE_TEAM_SLOTS.items():
        text = read(event)
        if text is not None:
            found[name] = text
    return found


def slot_source(name: str) -> str:
    """Where a slot comes from: evidence keys, or the event's own times."""
    return CARE_TEAM_SLOTS[name][0] if name in CARE_TEAM_SLOTS else SLOTS[name]


def withholds_usual_range(event: Event) -> bool:
    """Whether a usual range is known that a patient is not shown."""
    return "usual_range" in render_slots(event, "en") and not _for_patient(event, "usual_range")


def share_used(event: Event) -> float | None:
    """The share of the recent readings that could be used, 0 to 1; None: not recorded."""
    return within_range(number(event.evidence, "quality"), 0, 1)


@cache
def question_groups() -> Mapping[str, Any]:
    """The table ``question_groups.toml``."""
    return MappingProxyType(tables.read_table("question_groups.toml"))


def _for_patient(event: Event, name: str) -> bool:
    plain = question_groups()["patient"]["quantities"]
    return name not in _OF_ONE_QUANTITY or judged_quantity(event) in plain


def _rule(event: Event) -> str | None:
    rule = event.evidence.get("rule")
    return rule if isinstance(rule, str) and _NAME.fullmatch(rule) else None


def _clear(event: Event) -> str | None:
    """The limit's own unit and rounding, for the value at which an episode ends."""
    changed = {**event.evidence, "limit": event.evidence.get("limit_clear")}
    return render_slots(replace(event, evidence=changed), "en").get("limit")


def _seconds(key: str) -> Callable[[Event], str | None]:
    def read(event: Event) -> str | None:
        seconds = within_range(number(event.evidence, key), 1, LONGEST_SECONDS)
        if seconds is None:
            return None
        if seconds < 120:
            return f"{format_half_up(seconds)} s"
        minutes = f"{format_half_up(seconds / 60)} min"
        return minutes if seconds < 7200 else f"{format_half_up(seconds / 3600, 1)} h"

    return read


def _scores(event: Event) -> str | None:
    scores = event.evidence.get("scores")
    if not isinstance(scores, Mapping):
        return None
    listed = []
    for name in sorted(name for name in scores if isinstance(name, str)):
        value = within_range(number(scores, name), -1e6, 1e6)
        if value is not None and _NAME.fullmatch(name):
            listed.append(f"{name} {format_half_up(value, 2)}")
    return "; ".join(listed[:MOST_SCORES]) or None


def _quality(event: Event) -> str | None:
    share = share_used(event)
    return (
        None
        if share is None
        else slot_formatter("en").quantity("spo2", format_half_up(half_up(100 * share, 6)))
    )


CARE_TEAM_SLOTS: Mapping[str, tuple[str, Callable[[Event], str | None]]] = MappingProxyType(
    {
        "rule": ("rule", _rule),
        "limit_clear": ("limit_clear", _clear),
        "persistence": ("persistence_seconds", _seconds("persistence_seconds")),
        "scores": ("scores", _scores),
        "quality": ("quality", _quality),
        "signal_delay": ("signal_delay_seconds", _seconds("signal_delay_seconds")),
    }
)
"""Slots for the care team alone: slot → its source in the evidence, and its reader."""
