"""What an answer may fill in: an event's slots, fewer for a patient, a few more for the care team.

The care team asks for the rule, the delay, the scores: each is checked and brought to a plain form
here, and is told to nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from explain import tables
from explain.facts import slots, speech
from explain.facts.evidence import number, within
from vigil.domain.alert import Audience
from vigil.domain.episode import Event
from vigil.values.rounding import half_up, written

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
"""A rule's or detector's name; what is none is not shown."""
MOST_SCORES = 6
LONGEST_SECONDS = 366 * 86_400.0
_OF_ONE_QUANTITY = ("value", "limit", "extreme", "usual_range")


def render(event: Event, audience: Audience, locale: str) -> dict[str, str]:
    """The slots that an answer to this reader can fill, in the locale's words."""
    found = slots.render(event, locale)
    if found.get("extreme") == found.get("value"):
        found.pop("extreme", None)  # the same figure twice says nothing
    if audience == "patient":
        return {name: text for name, text in found.items() if _for_patient(event, name)}
    for name, (_, read) in EXTRA.items():
        text = read(event)
        if text is not None:
            found[name] = text
    return found


def source(name: str) -> str:
    """Where a slot comes from: evidence keys, or the event's own times."""
    return EXTRA[name][0] if name in EXTRA else slots.SLOTS[name]


def kept_back(event: Event) -> bool:
    """A usual is known, and is not one that a patient is shown."""
    return "usual_range" in slots.render(event, "en") and not _for_patient(event, "usual_range")


def share_used(event: Event) -> float | None:
    """The share of the recent readings that could be used, 0 to 1; None: not recorded."""
    return within(number(event.evidence, "quality"), 0, 1)


@cache
def groups() -> Mapping[str, Any]:
    """The table ``question_groups.toml``."""
    return MappingProxyType(tables.read("question_groups.toml"))


def _for_patient(event: Event, name: str) -> bool:
    plain = groups()["patient"]["quantities"]
    return name not in _OF_ONE_QUANTITY or slots.judged(event) in plain


def _rule(event: Event) -> str | None:
    rule = event.evidence.get("rule")
    return rule if isinstance(rule, str) and _NAME.fullmatch(rule) else None


def _clear(event: Event) -> str | None:
    """The limit's own unit and rounding, for the value at which an episode ends."""
    changed = {**event.evidence, "limit": event.evidence.get("limit_clear")}
    return slots.render(replace(event, evidence=changed), "en").get("limit")


def _seconds(key: str) -> Callable[[Event], str | None]:
    def read(event: Event) -> str | None:
        seconds = within(number(event.evidence, key), 1, LONGEST_SECONDS)
        if seconds is None:
            return None
        if seconds < 120:
            return f"{written(seconds)} s"
        minutes = f"{written(seconds / 60)} min"
        return minutes if seconds < 7200 else f"{written(seconds / 3600, 1)} h"

    return read


def _scores(event: Event) -> str | None:
    scores = event.evidence.get("scores")
    if not isinstance(scores, Mapping):
        return None
    told = []
    for name in sorted(name for name in scores if isinstance(name, str)):
        value = within(number(scores, name), -1e6, 1e6)
        if value is not None and _NAME.fullmatch(name):
            told.append(f"{name} {written(value, 2)}")
    return "; ".join(told[:MOST_SCORES]) or None


def _quality(event: Event) -> str | None:
    share = share_used(event)
    return (
        None
        if share is None
        else speech.of("en").quantity("spo2", written(half_up(100 * share, 6)))
    )


EXTRA: Mapping[str, tuple[str, Callable[[Event], str | None]]] = MappingProxyType(
    {
        "rule": ("rule", _rule),
        "limit_clear": ("limit_clear", _clear),
        "persistence": ("persistence_seconds", _seconds("persistence_seconds")),
        "scores": ("scores", _scores),
        "quality": ("quality", _quality),
        "signal_delay": ("signal_delay_seconds", _seconds("signal_delay_seconds")),
    }
)
"""The care team's own: slot → its source in the evidence, and how it is read."""
