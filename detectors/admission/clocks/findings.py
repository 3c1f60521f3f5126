"""What is said of a clock that is off: the finding with its facts, and the mark on other events."""

from __future__ import annotations

from math import isfinite
from typing import Any

from msgspec.structs import replace

from detectors.admission.clocks.memory import Clocks, DeviceClock
from detectors.admission.rules import CLOCK
from detectors.contract import BEYOND, CLEAR, Finding, Rule
from vigil.domain.episode import Event
from vigil.values.rounding import half_up

REASON = "constant_offset"
ZONE_MINUTES = (60, 30, 15)
"""Offsets of zones are whole hours, else half ones, else quarters (the zone table since 2000)."""
NEAR_ZONE_SECONDS = 120.0
"""How near to such a multiple an offset is named by it."""
RULE = Rule(
    name=f"{CLOCK}.offset",
    detector="admission",
    kind=CLOCK,
    signal="",
    direction="",
    priority="low",
    rank=0,
)


def mark(events: list[Event], offset: float, shift: float = 0.0) -> list[Event]:
    """The events; the clinical ones state that their times are uncertain, if they are.

    Args:
        shift: by which their times differ from the device's; 0: they are the device's.
    """
    if not (offset or shift):
        return events
    evidence = {"time_uncertain": True, "offset_seconds": half_up(shift or offset, 0)}
    if shift:
        evidence["offset_applied"] = True
    return [
        replace(event, evidence={**event.evidence, **evidence})
        if event.category == "clinical"
        else event
        for event in events
    ]


def is_any_wrong(clocks: Clocks) -> bool:
    """Whether any of a patient's clocks is known to be off."""
    return any(clock.offset for clock in clocks.by_device.values())


def findings_of(clocks: Clocks, device: str, before: bool) -> list[Finding]:
    """The finding about the patient's clocks: of the sender's where it is off, else of another."""
    rows = {name: clock for name, clock in clocks.by_device.items() if clock.offset}
    if not rows:
        return [Finding(RULE, CLEAR, reason=REASON)] if before else []
    named = device if device in rows else max(rows, key=lambda name: (rows[name].received, name))
    clock = rows[named]
    facts = _facts(named, clock)
    return [Finding(RULE, BEYOND, since=clock.since, reason=REASON, facts=facts)]


def _facts(device: str, clock: DeviceClock) -> dict[str, Any]:
    """What the finding rests on, for the evidence."""
    facts = {
        "device_id": device,
        "offset_seconds": half_up(clock.offset, 0),
        "offset_uploads": clock.rests_on,
        "offset_source": "sent_at" if clock.by_sent_at else "lateness",
    }
    minutes = near_zone_minutes(clock.offset)
    return facts if minutes is None else {**facts, "near_zone_minutes": minutes}


def near_zone_minutes(offset: float) -> int | None:
    """The whole zone offset, in minutes, that a clock's offset is near to; None: to none.

    >>> near_zone_minutes(18_030.0), near_zone_minutes(-3_590.0), near_zone_minutes(960.0)
    (300, -60, 15)
    >>> near_zone_minutes(1_200.0) is None
    True
    """
    if not isfinite(offset):
        return None
    for step in ZONE_MINUTES:
        minutes = step * round(offset / (60 * step))
        if minutes and abs(offset - 60 * minutes) <= NEAR_ZONE_SECONDS:
            return minutes
    return None
