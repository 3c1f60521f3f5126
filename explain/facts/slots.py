"""Slots: the only places where a number or a time enters a text.

Each slot reads one quantity from an event (its *source*: evidence keys, or the event's own times)
and converts it to its unit and rounding, independent of language: a
:data:`~explain.facts.slot_formatting.SlotValue`, which :mod:`explain.facts.slot_formatting` writes
in a locale. A slot whose source is missing, of the wrong type or physically impossible does not
exist for that event, and a sentence that needs it is not chosen.

:func:`fill_slots` puts rendered slots into a sentence in one pass of a regular expression over the
*sentence*; what it puts in is never looked at again, so a value can hold braces, markup or
anything else and stays what it is. ``str.format`` would follow attributes; it is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from explain import tables
from explain.facts.evidence import number, within_range
from explain.facts.extraction import (
    announcement_of,
    duration_observed,
    highest_priority,
    is_time_uncertain,
    judged_quantity,
)
from explain.facts.further_findings import read_contributors, read_parts
from explain.facts.moments import is_over_days, read_times, rounded_offset
from explain.facts.rows import row_of
from explain.facts.slot_formatting import (
    CLOCK_AHEAD,
    CLOCK_BEHIND,
    ONE_READING,
    RANGE,
    READINGS_BEYOND,
    SlotValue,
    slot_formatter,
)
from explain.facts.units import figure_of
from vigil.domain.episode import Event
from vigil.values.numbers import finite_number

FULL_CONFIDENCE = 1.0
"""Baseline confidence from which a personal usual is shown; the detector's own "ready"."""

NAMED = frozenset(
    {
        *("heart_rate", "spo2", "respiratory_rate", "temperature", "pulse_pressure"),
        *("mean_arterial_pressure", "shock_index", "score"),
    }
)
"""Quantities that have a slot of their own name."""
PRESSURES = ("systolic", "diastolic")
CLOCK_OFFSETS = (60.0, 10 * 366 * 86_400.0)
"""The least and the largest offset of a clock that is stated, in seconds."""
PART = tables.SLOT


def fill_slots(sentence: str, rendered: Mapping[str, str]) -> str:
    """The sentence with its slots filled, in one pass.

    Raises:
        KeyError: a slot that is not among those rendered.

    >>> fill_slots("Now {heart_rate}.", {"heart_rate": "{limit} <b>"})
    'Now {limit} <b>.'
    """
    return PART.sub(lambda match: rendered[match[1]], sentence)


def measure_slots(event: Event) -> dict[str, SlotValue]:
    """Every slot that this event can fill, in no language."""
    view, found = EventView(event), dict[str, SlotValue]()
    taken_back = announcement_of(event) == "taken_back"  # its figures do not count
    for key in () if taken_back else event.evidence:
        if key in _READ:
            _READ[key](view, found)
    read_times(event, view.observed, found)
    return found


def render_slots(event: Event, locale: str) -> dict[str, str]:
    """Every slot that this event can fill, in a locale's words."""
    format_value = slot_formatter(locale).format
    return {name: format_value(value) for name, value in measure_slots(event).items()}


# ---- what a slot reads


class EventView:
    """An event as the slots look at it."""

    __slots__ = ("event", "evidence", "observed", "unit", "values")

    def __init__(self, event: Event):
        self.event = event
        self.evidence: Mapping[str, Any] = event.evidence
        values = event.evidence.get("values")
        self.values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        self.unit = judged_quantity(event)
        self.observed = duration_observed(event)


SlotReader = Callable[[EventView, dict[str, SlotValue]], None]
"""Reads what one key of the evidence gives, and puts it among what was found."""


def _figure(unit: str, value: float | None) -> SlotValue | None:
    figure = figure_of(unit, value)
    return None if figure is None else (unit, figure)


def _values(view: EventView, found: dict[str, SlotValue]) -> None:
    """The figures that were measured or derived, each by its name."""
    for name, value in view.values.items():
        if name in NAMED:
            slot = _figure(name, finite_number(value))
            if slot is not None:
                found[name] = slot
    _pair(view.values, found, "")


def _value(view: EventView, found: dict[str, SlotValue]) -> None:
    """The value judged, which also has its own name unless that was measured apart."""
    slot = _figure(view.unit, finite_number(view.evidence.get("value"))) if view.unit else None
    if slot is not None:
        found["value"] = slot
        if view.unit in NAMED and finite_number(view.values.get(view.unit)) is None:
            found[view.unit] = slot


def _average(view: EventView, found: dict[str, SlotValue]) -> None:
    _pair(view.evidence["average"], found, "average_")


def _pair(both: Any, found: dict[str, SlotValue], prefix: str) -> None:
    """Both blood pressures, or the systolic one where no diastolic was measured (palpation).

    A diastolic pressure that cannot be true leaves nothing to show.
    """
    if not isinstance(both, dict) or "systolic" not in both:
        return
    systolic = figure_of("systolic", finite_number(both["systolic"]))
    diastolic = figure_of("diastolic", finite_number(both.get("diastolic")))
    if systolic is not None and both.get("diastolic") is None:
        found[f"{prefix}blood_pressure"] = ("blood_pressure_systolic", systolic)
        found[f"{prefix}blood_pressure_mmhg"] = ("systolic", systolic)
        return
    if systolic is None or diastolic is None or float(systolic) <= float(diastolic):
        return
    for unit in ("blood_pressure", "blood_pressure_mmhg"):
        found[prefix + unit] = (unit, systolic, diastolic)


def _judged_figure(key: str) -> SlotReader:
    """A figure of the quantity that the event is about."""

    def read(view: EventView, found: dict[str, SlotValue]) -> None:
        slot = _figure(view.unit, finite_number(view.evidence.get(key))) if view.unit else None
        if slot is not None:
            found[key] = slot

    return read


def _usual_range(view: EventView, found: dict[str, SlotValue]) -> None:
    baseline = view.evidence["baseline"]
    if not view.unit or not isinstance(baseline, dict):
        return
    confidence = finite_number(baseline.get("confidence"))
    if confidence is not None and confidence < FULL_CONFIDENCE:
        return
    low = figure_of(view.unit, finite_number(baseline.get("low")))
    high = figure_of(view.unit, finite_number(baseline.get("high")))
    if low is None or high is None or float(low) > float(high):
        return
    same = (view.unit, high)
    found["usual_range"] = same if low == high else (RANGE, view.unit, low, high)


def _samples(view: EventView, found: dict[str, SlotValue]) -> None:
    """Readings; of a trend over days, which is judged once a day, what its days rest on.

    A technical finding has none: what it counts are no readings that it rests on. Nor has a trend
    whose days are not stated.
    """
    if view.event.category == "technical":
        return
    if "nights_used" in view.evidence:
        nights = within_range(finite_number(view.evidence.get("nights_used")), 1, 1e4)
        if nights is not None:
            found["samples"] = ("nights", f"{nights:.0f}")
        return
    days = view.evidence.get("days")
    if isinstance(days, list):
        counts = [number(day, "readings") for day in days if isinstance(day, Mapping)]
        count = within_range(sum(known for known in counts if known is not None), 1, 1e9)
    elif is_over_days(view.event):
        return
    else:
        count = within_range(finite_number(view.evidence.get("samples")), 1, 1e9)
    if count is not None:
        found["samples"] = ("samples", f"{count:.0f}")


def _readings_beyond(view: EventView, found: dict[str, SlotValue]) -> None:
    """In how many of the judged readings it was seen; a trend over days has no such count."""
    stated = not {"nights_used", "days"}.isdisjoint(view.evidence)
    if view.observed or stated or is_over_days(view.event):
        return
    of = within_range(finite_number(view.evidence.get("samples")), 1, 1e9)
    beyond = within_range(finite_number(view.evidence.get("readings_beyond")), 1, of or 0)
    if of is not None and beyond is not None:
        counts = (f"{beyond:.0f}", f"{of:.0f}")
        single = counts == ("1", "1")
        found["readings_beyond"] = (ONE_READING, "1") if single else (READINGS_BEYOND, *counts)


def _highest_priority(view: EventView, found: dict[str, SlotValue]) -> None:
    """The highest priority that the episode had, where the present one is lower."""
    highest = highest_priority(view.event)
    if highest is not None:
        found["highest_priority"] = (f"priority_{highest}",)


def _unconfirmed(view: EventView, found: dict[str, SlotValue]) -> None:
    """A pressure that waits for another: the one figure of a technical finding that is shown."""
    event, signal = view.event, view.evidence.get("signal")
    if row_of(event) != "pressure_far_from_recent" or event.phase == "closed":
        return
    if signal in PRESSURES:
        slot = _figure(signal, finite_number(view.evidence.get("value")))
        if slot is not None:
            found["unconfirmed"] = slot


def _clock_offset(view: EventView, found: dict[str, SlotValue]) -> None:
    """By how much a device's clock is off, while it is; and that of the device which measured a
    clinical finding. Positive: behind (``offset_seconds``)."""
    event = view.event
    off = event.kind == "device_clock" and event.phase != "closed" and not event.retrospective
    if not off and not is_time_uncertain(event):
        return
    seconds = number(view.evidence, "offset_seconds")
    if seconds is None or within_range(abs(seconds), *CLOCK_OFFSETS) is None:
        return
    form = CLOCK_BEHIND if seconds > 0 else CLOCK_AHEAD
    found["clock_offset"] = (form, *rounded_offset(abs(seconds)))


def _list_reader(
    name: str, read_list: Callable[[Mapping[str, Any]], SlotValue | None]
) -> SlotReader:
    """A list in words."""

    def read(view: EventView, found: dict[str, SlotValue]) -> None:
        slot = read_list(view.evidence)
        if slot is not None:
            found[name] = slot

    return read


# ---- the table


_READ: MappingProxyType[str, SlotReader] = MappingProxyType(
    {
        "values": _values,
        "value": _value,
        "average": _average,
        "baseline": _usual_range,
        "limit": _judged_figure("limit"),
        "extreme": _judged_figure("extreme"),
        "samples": _samples,
        "readings_beyond": _readings_beyond,
        "highest_priority": _highest_priority,
        "offset_seconds": _clock_offset,
        "reason": _unconfirmed,
        "nights_used": _samples,
        "days": _samples,
        "parts": _list_reader("parts", read_parts),
        "contributions": _list_reader("contributors", read_contributors),
    }
)
"""Key of the evidence → what reads slots from it."""

_PAIR = "values.systolic, values.diastolic"
_MEANS = "average.systolic, average.diastolic"
SLOTS: MappingProxyType[str, str] = MappingProxyType(
    {
        "value": "value",
        "heart_rate": "values.heart_rate",
        "blood_pressure": _PAIR,
        "blood_pressure_mmhg": _PAIR,
        "average_blood_pressure": _MEANS,
        "average_blood_pressure_mmhg": _MEANS,
        "spo2": "values.spo2",
        "respiratory_rate": "values.respiratory_rate",
        "temperature": "values.temperature",
        "pulse_pressure": "values.pulse_pressure, value",
        "mean_arterial_pressure": "values.mean_arterial_pressure, value",
        "shock_index": "values.shock_index, value",
        "score": "value",
        "duration": "duration_seconds, or the event's onset to its end",
        "since": "the event's onset",
        "until": "the event's ended_at",
        "usual_range": "baseline.low, baseline.high, baseline.confidence",
        "limit": "limit",
        "extreme": "extreme",
        "samples": "samples",
        "readings_beyond": "readings_beyond, samples",
        "first_seen": "the event's onset",
        "found_over": "the event's ended_at",
        "unseen_since": "the event's ended_at",
        "highest_priority": "highest_priority",
        "parts": "parts",
        "contributors": "contributions",
        "clock_offset": "offset_seconds",
        "unconfirmed": "value",
    }
)
"""Slot → where it comes from. ``docs/explanation.md`` lists them; a test holds the two."""
