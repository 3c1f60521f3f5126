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
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from explain import tables
from explain.facts.evidence import number, within_range
from explain.facts.extraction import row_of
from explain.facts.further_findings import read_contributors, read_parts
from explain.facts.slot_formatting import DAY, RANGE, TIME, SlotValue, slot_formatter
from explain.facts.units import UNITS
from vigil.domain.episode import Event
from vigil.values.numbers import finite_number
from vigil.values.rounding import format_half_up, half_up

SHORTEST_SECONDS = 60.0
"""A shorter duration is one reading or the gap to the next: nothing worth a number."""
LONGEST_SECONDS = 366 * 86_400.0
FULL_CONFIDENCE = 1.0
"""Baseline confidence from which a personal usual is shown; the detector's own "ready"."""

NAMED = frozenset(
    {
        *("heart_rate", "spo2", "respiratory_rate", "temperature", "pulse_pressure"),
        *("mean_arterial_pressure", "shock_index", "score"),
    }
)
"""Quantities that have a slot of their own name."""
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
    for key in event.evidence:
        read = _READ.get(key)
        if read is not None:
            read(view, found)
    for name, read_time in _TIMES.items():
        value = read_time(view)
        if value is not None:
            found[name] = value
    return found


def render_slots(event: Event, locale: str) -> dict[str, str]:
    """Every slot that this event can fill, in a locale's words."""
    format_value = slot_formatter(locale).format
    return {name: format_value(value) for name, value in measure_slots(event).items()}


def judged_quantity(event: Event) -> str:
    """The quantity that ``value``, ``limit``, ``extreme`` and the baseline are about, or ``""``.

    A technical finding has none: its numbers are what was *not* believed.
    """
    if event.category == "technical":
        return ""
    signal = event.evidence.get("signal")
    if isinstance(signal, str) and signal in UNITS:
        return signal
    return tables.kinds()[row_of(event.kind, event.category)].quantity


# ---- what a slot reads


class EventView:
    """An event as the slots look at it."""

    __slots__ = ("event", "evidence", "unit", "values")

    def __init__(self, event: Event):
        self.event = event
        self.evidence: Mapping[str, Any] = event.evidence
        values = event.evidence.get("values")
        self.values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        self.unit = judged_quantity(event)


SlotReader = Callable[[EventView, dict[str, SlotValue]], None]
"""Reads what one key of the evidence gives, and puts it among what was found."""


def _figure(unit: str, value: float | None) -> SlotValue | None:
    figure = UNITS[unit].figure(value)
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
    slot = _figure(view.unit, number(view.evidence, "value")) if view.unit else None
    if slot is not None:
        found["value"] = slot
        if view.unit in NAMED and finite_number(view.values.get(view.unit)) is None:
            found[view.unit] = slot


def _average(view: EventView, found: dict[str, SlotValue]) -> None:
    _pair(view.evidence["average"], found, "average_")


def _pair(both: Any, found: dict[str, SlotValue], prefix: str) -> None:
    """Both blood pressures, or none: one alone is not shown."""
    if not isinstance(both, dict) or "systolic" not in both:
        return
    systolic = UNITS["systolic"].figure(finite_number(both["systolic"]))
    diastolic = UNITS["diastolic"].figure(finite_number(both.get("diastolic")))
    if systolic is None or diastolic is None or float(systolic) <= float(diastolic):
        return
    for unit in ("blood_pressure", "blood_pressure_mmhg"):
        found[prefix + unit] = (unit, systolic, diastolic)


def _judged_figure(key: str) -> SlotReader:
    """A figure of the quantity that the event is about."""

    def read(view: EventView, found: dict[str, SlotValue]) -> None:
        slot = _figure(view.unit, number(view.evidence, key)) if view.unit else None
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
    low = UNITS[view.unit].figure(finite_number(baseline.get("low")))
    high = UNITS[view.unit].figure(finite_number(baseline.get("high")))
    if low is None or high is None or float(low) > float(high):
        return
    same = (view.unit, high)
    found["usual_range"] = same if low == high else (RANGE, view.unit, low, high)


def _samples(view: EventView, found: dict[str, SlotValue]) -> None:
    """Readings; of a trend over days, which is judged once a day, what its days rest on."""
    nights = within_range(number(view.evidence, "nights_used"), 1, 1e4)
    if nights is not None:
        found["samples"] = ("nights", f"{nights:.0f}")
        return
    days = view.evidence.get("days")
    if isinstance(days, list):
        counts = [number(day, "readings") for day in days if isinstance(day, Mapping)]
        count = within_range(sum(known for known in counts if known is not None), 1, 1e9)
    else:
        count = within_range(number(view.evidence, "samples"), 1, 1e9)
    if count is not None:
        found["samples"] = ("samples", f"{count:.0f}")


def _list_reader(
    name: str, read_list: Callable[[Mapping[str, Any]], SlotValue | None]
) -> SlotReader:
    """A list in words."""

    def read(view: EventView, found: dict[str, SlotValue]) -> None:
        slot = read_list(view.evidence)
        if slot is not None:
            found[name] = slot

    return read


# ---- times


def _duration(view: EventView) -> SlotValue | None:
    """``duration_seconds`` of the evidence, else from onset to end (or to what is known)."""
    event, seconds = view.event, number(view.evidence, "duration_seconds")
    if seconds is None:
        seconds = ((event.ended_at or event.detected_at) - event.onset).total_seconds()
    if within_range(seconds, SHORTEST_SECONDS, LONGEST_SECONDS) is None:
        return None
    return rounded_duration(timedelta(seconds=seconds))


def rounded_duration(length: timedelta) -> SlotValue:
    """Rounded for reading: to 5 minutes from 10, to 10 from an hour, to hours from 2, then days.

    >>> rounded_duration(timedelta(minutes=41)), rounded_duration(timedelta(hours=40))
    (('minutes', '40'), ('days', '2'))
    """
    minutes = length.total_seconds() / 60
    if minutes < 10:
        return "minutes", format_half_up(minutes)
    if minutes < 60:
        return "minutes", format_half_up(5 * half_up(minutes / 5))
    if minutes < 115:
        return "minutes", format_half_up(10 * half_up(minutes / 10))
    if minutes < 36 * 60:
        return "hours", format_half_up(minutes / 60)
    return "days", format_half_up(minutes / 1440)


def time_of_day(moment: datetime, seen_from: datetime) -> SlotValue:
    """A time of day in UTC, with the date where it differs from the date of ``seen_from``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if seen_from.tzinfo is not UTC:
        seen_from = seen_from.astimezone(UTC)
    time = (TIME, f"{moment.hour:02}", f"{moment.minute:02}")
    if moment.date() == seen_from.date():
        return time
    return (DAY, *time[1:], str(moment.day), str(moment.month))


def _since(view: EventView) -> SlotValue | None:
    return time_of_day(view.event.onset, view.event.detected_at)


def _until(view: EventView) -> SlotValue | None:
    event = view.event
    if event.ended_at is None or event.phase != "closed":
        return None
    return time_of_day(event.ended_at, event.detected_at)


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
        "nights_used": _samples,
        "days": _samples,
        "parts": _list_reader("parts", read_parts),
        "contributions": _list_reader("contributors", read_contributors),
    }
)
"""Key of the evidence → what reads slots from it."""
_TIMES: MappingProxyType[str, Callable[[EventView], SlotValue | None]] = MappingProxyType(
    {"duration": _duration, "since": _since, "until": _until}
)

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
        "parts": "parts",
        "contributors": "contributions",
    }
)
"""Slot → where it comes from. ``docs/explanation.md`` lists them; a test holds the two."""
